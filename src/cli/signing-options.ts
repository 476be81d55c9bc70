/** From flags to who signs. The passphrase goes from file or terminal to the key and nowhere else. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { SigningOptions } from '../index.ts';
import type { CommandContext } from './command.ts';
import { promptSecret } from './prompt.ts';
import { UsageError } from './usage-error.ts';

/** Reads SIGNING_FLAGS. @throws UsageError for a passphrase file that cannot be read, or one without a key */
export async function signingOptions(c: CommandContext): Promise<SigningOptions> {
  const signBy = c.flags.string('sign-by');
  const key = c.flags.string('sign-by-sigstore-private-key');
  const file = c.flags.string('sign-passphrase-file');
  if (signBy === undefined && key === undefined) {
    if (file === undefined) return {};
    throw new UsageError('--sign-passphrase-file needs --sign-by or --sign-by-sigstore-private-key');
  }
  if (file !== undefined && signBy !== undefined && key !== undefined) {
    throw new UsageError('--sign-passphrase-file is for one key: use --sign-by or --sign-by-sigstore-private-key');
  }
  const signPassphrase = await passphraseOf(c, file, key);
  return {
    ...(signBy === undefined ? {} : { signBy }),
    ...(key === undefined ? {} : { signBySigstorePrivateKey: key }),
    ...(signPassphrase === undefined ? {} : { signPassphrase }),
  };
}

async function passphraseOf(
  c: CommandContext,
  file: string | undefined,
  key: string | undefined,
): Promise<string | undefined> {
  if (file !== undefined) return firstLine(resolve(c.cwd, file));
  // gpg's agent asks for its own.
  if (key === undefined) return undefined;
  if (c.stdin.isTTY) return promptSecret(`Passphrase for key ${key}: `, c);
  throw new UsageError(`cannot ask for the passphrase of ${key}: standard input is not a terminal`, {
    hint: 'use --sign-passphrase-file FILE',
  });
}

async function firstLine(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).split('\n')[0]!.replace(/\r$/, '');
  } catch (error) {
    throw new UsageError(`cannot read the passphrase file "${path}": ${(error as NodeJS.ErrnoException).code}`);
  }
}
