/**
 * Signing through the installed gpg: it owns the user's keyring and agent, so that keys stay where they are, on cards as
 * well, and nobody but pinentry asks for a passphrase.
 */
import { spawn } from 'node:child_process';
import type { Writable } from 'node:stream';
import { BuilderError } from '../report/builder-error.ts';
import type { Cancellable } from '../spec/target.ts';
import { findProgram } from '../sys/host.ts';
import { currentNamespace } from '../sys/user-namespace.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export interface GpgOptions extends Cancellable {
  readonly env: Environment;
  /** Handed over through a pipe; undefined leaves it to the agent. */
  readonly passphrase?: string | undefined;
}

const MAX_OUTPUT = 1024 * 1024;

/**
 * A signed OpenPGP message around `content`, binary.
 * @param key fingerprint, id or user id of a secret key
 * @throws `signature.failed` with gpg's words
 */
export async function signWithGpg(content: Uint8Array, key: string, o: GpgOptions): Promise<Uint8Array> {
  const args = ['--quiet', '--yes', '--local-user', key, '--output', '-', '--sign'];
  return withAgent(o, async () => {
    const loopback = ['--pinentry-mode', 'loopback', '--passphrase-fd', '3'];
    const { code, output, said } = await run(
      'gpg',
      o.passphrase === undefined ? args : [...loopback, ...args],
      o,
      content,
    );
    if (code === 0 && output.length > 0) return output;
    throw failed(key, lastWords(said));
  });
}

/** @throws `signature.failed` when gpg has no secret key of that name: better told before an image is sent */
export async function requireGpgKey(key: string, o: GpgOptions): Promise<void> {
  await withAgent(o, async () => {
    const { code, said } = await run('gpg', ['--list-secret-keys', '--with-colons', key], o);
    if (code !== 0) throw failed(key, lastWords(said));
  });
}

function failed(key: string, why: string): BuilderError {
  return new BuilderError('signature.failed', `cannot sign with the key ${JSON.stringify(key)}: ${why}`, {
    facts: { key },
  });
}

/** `gpg: signing failed: No secret key` → `No secret key`, of the first complaint that says so. */
function lastWords(said: string): string {
  const lines = said.split('\n').filter((line) => line.startsWith('gpg: ') && !/WARNING|directory|keybox/.test(line));
  const line =
    lines.find((text) => /fail|error|skipped/i.test(text)) ?? lines.at(-1) ?? 'gpg: it failed and said nothing';
  return line.replace(/^gpg: /, 'gpg: ');
}

/** An agent that was started in a namespace of ours would hold that namespace for as long as it lives. */
async function withAgent<T>(o: GpgOptions, act: () => Promise<T>): Promise<T> {
  const isOurs = currentNamespace().rootlessUid !== undefined && !(await hasAgent(o));
  try {
    return await act();
  } finally {
    if (isOurs) await run('gpgconf', ['--kill', 'all'], { env: o.env }).catch(() => undefined);
  }
}

async function hasAgent(o: GpgOptions): Promise<boolean> {
  const asked = await run('gpg-connect-agent', ['--no-autostart', '/bye'], { env: o.env }).catch(() => undefined);
  // It answers 0 and complains when there is none.
  return asked === undefined || !/no gpg-agent running/i.test(asked.said);
}

interface Ended {
  readonly code: number | null;
  readonly output: Buffer;
  readonly said: string;
}

function run(program: string, args: readonly string[], o: GpgOptions, input?: Uint8Array): Promise<Ended> {
  const path = findProgram(program);
  if (path === undefined) {
    return Promise.reject(
      new BuilderError('signature.failed', `cannot sign: ${program} is not installed`, {
        hint: 'install GnuPG (apt-get install gnupg, dnf install gnupg2)',
      }),
    );
  }
  const batch = program === 'gpg' ? ['--batch', '--no-tty'] : [];
  return new Promise((resolve, reject) => {
    const child = spawn(path, [...batch, ...args], {
      env: { ...o.env, LC_ALL: 'C' },
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      ...(o.signal === undefined ? {} : { signal: o.signal }),
    });
    const output: Buffer[] = [];
    const said: Buffer[] = [];
    collect(child.stdout!, output);
    collect(child.stderr!, said);
    child.once('error', (cause) => {
      reject(
        o.signal?.aborted === true
          ? o.signal.reason
          : new BuilderError('sys.spawn-failed', `cannot start ${path}`, { cause }),
      );
    });
    child.once('close', (code) => {
      resolve({ code, output: Buffer.concat(output), said: Buffer.concat(said).toString('utf8') });
    });
    send(child.stdin!, input);
    send(child.stdio[3] as Writable, o.passphrase === undefined ? undefined : Buffer.from(`${o.passphrase}\n`));
  });
}

function collect(stream: NodeJS.ReadableStream, into: Buffer[]): void {
  let length = 0;
  stream.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length <= MAX_OUTPUT) into.push(chunk);
  });
}

function send(stream: Writable, content: Uint8Array | undefined): void {
  // A program that ends early says itself why; that it did not listen is no news.
  stream.on('error', () => {});
  stream.end(content ?? Buffer.alloc(0));
}
