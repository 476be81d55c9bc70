/**
 * Files that are either old or new, never half: written beside, flushed, renamed.
 * @see rename(2), fsync(2)
 */
import { closeSync, constants, fsyncSync, openSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import { namingFile, writeFully } from '../sys/file-write.ts';

let counter = 0;

export function syncDirectory(path: string): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Replaces `path` with `content` (mode 0600, or `mode` without what the umask forbids). With `durable` (the default) file and directory are flushed before this
 * returns, so that what was promised survives a power loss.
 */
export function writeAtomic(
  path: string,
  content: Uint8Array | string,
  o: { durable?: boolean; mode?: number } = {},
): void {
  counter += 1;
  const beside = `${path}.new-${process.pid}-${counter}`;
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const fd = openSync(beside, flags, o.mode ?? 0o600);
  try {
    try {
      writeFully(fd, bytes);
      if (o.durable !== false) fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(beside, path);
  } catch (error) {
    rmSync(beside, { force: true });
    throw namingFile(error, path);
  }
  if (o.durable !== false) syncDirectory(dirname(path));
}

/** Whether `writeAtomic` was about to give the file of this name its place. */
export function isHalfWritten(name: string): boolean {
  return /\.new-\d+-\d+$/.test(name);
}

/** Parsed JSON of a file of the store, or undefined when it does not exist. @throws `store.damaged` */
export function readJsonFile(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new BuilderError('store.damaged', `the store file ${path} is not JSON`, {
      cause,
      hint: '`slipway system check --repair` mends what can be mended',
    });
  }
}
