/**
 * Writes that name their file when they fail. node's own errors of write(2) and fsync(2) know a descriptor only, and
 * "no space left on device" without a place does not say which device.
 */
import { readlinkSync, writeFileSync, writeSync } from 'node:fs';
import { BuilderError } from '../report/builder-error.ts';
import { callError, errnoOf } from './libc.ts';

/** The error as it is to be thrown: a failed call of node's own that names no file gets this one. Others pass through. */
export function namingFile(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || error instanceof BuilderError) return error;
  const { syscall, path: named } = error as NodeJS.ErrnoException;
  const errno = errnoOf(error);
  if (errno === undefined || syscall === undefined || named !== undefined) return error;
  return callError(`cannot ${syscall}`, path, errno);
}

/**
 * Writes all of `data`.
 * @param position in the file; null goes on where the descriptor stands
 * @throws `sys.call-failed` with the path of the file, and `facts.errno`
 */
export function writeFully(fd: number, data: Uint8Array, position: number | null = null): void {
  try {
    for (let done = 0; done < data.length; ) {
      done += writeSync(fd, data, done, data.length - done, position === null ? null : position + done);
    }
  } catch (error) {
    throw namingFile(error, pathOf(fd));
  }
}

/** `writeFileSync`, whose errors name the file. @throws `sys.call-failed`, or node's error of a failed open */
export function writeFile(
  path: string,
  content: Uint8Array | string,
  o: { readonly mode?: number; readonly flag?: string; readonly flush?: boolean } = {},
): void {
  try {
    writeFileSync(path, content, o);
  } catch (error) {
    throw namingFile(error, path);
  }
}

function pathOf(fd: number): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return `descriptor ${fd}`;
  }
}
