/** `copy` and `add`: put files into a working container and print the digest of what was added. */
import type { CopyOptions } from '../../index.ts';
import type { CommandContext } from '../command.ts';
import { sourceOptions } from '../registry-options.ts';
import { UsageError } from '../usage-error.ts';

export function copy(c: CommandContext): Promise<number> {
  return put(c, 'copy');
}

export function add(c: CommandContext): Promise<number> {
  return put(c, 'add');
}

async function put(c: CommandContext, verb: 'copy' | 'add'): Promise<number> {
  const [container, ...words] = c.args;
  if (words.length === 0) throw new UsageError('src must be specified');
  // One word alone is a source; it goes to the working directory.
  const destination = words.length > 1 ? words.pop() : undefined;
  const options = await copyOptions(c);
  await using builder = await c.open();
  const { digest } = await builder[verb](container!, words, destination, options);
  if (!c.flags.on('quiet')) c.stdout.write(`${digest}\n`);
  return 0;
}

async function copyOptions(c: CommandContext): Promise<CopyOptions> {
  const { flags } = c;
  const text = <K extends keyof CopyOptions>(key: K, flag: string): Partial<CopyOptions> => {
    const value = flags.string(flag);
    return value === undefined ? {} : { [key]: value };
  };
  const on = (key: keyof CopyOptions, flag: string): Partial<CopyOptions> => (flags.on(flag) ? { [key]: true } : {});
  const exclude = flags.strings('exclude');
  const timestamp = flags.int('timestamp');
  const allowWildcard = flags.bool('allow-wildcard');
  if (flags.given('ignorefile') && !flags.given('contextdir')) {
    throw new UsageError('--ignorefile option requires that you specify a context dir using --contextdir');
  }
  return {
    ...(await sourceOptions(c)),
    ...text('chown', 'chown'),
    ...text('chmod', 'chmod'),
    ...text('from', 'from'),
    ...text('contextDir', 'contextdir'),
    ...text('ignoreFile', 'ignorefile'),
    ...text('checksum', 'checksum'),
    ...(exclude === undefined ? {} : { exclude }),
    ...(timestamp === undefined ? {} : { timestamp }),
    ...(allowWildcard === undefined ? {} : { allowWildcard }),
    ...on('link', 'link'),
    ...on('noFollowSymlinks', 'no-follow-symlinks'),
    ...on('allowEmptyWildcard', 'allow-empty-wildcard'),
    ...on('addHistory', 'add-history'),
    ...(c.command.name === 'copy' ? on('parents', 'parents') : {}),
    signal: c.signal,
  };
}
