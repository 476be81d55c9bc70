/** Files that tell of a build: they must be possible before it starts, and are written whole when it ends. */
import { accessSync, constants, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import { writeAtomic } from '../store/atomic-file.ts';

/** Mode of new files, before the caller's umask. */
const READABLE = 0o666;

/**
 * The absolute path, at which a file can be put.
 * @param flag as people know it: `--trace`
 * @throws `usage.invalid` when there is no such directory, it cannot be written, or the path is a directory
 */
export function outputFile(path: string, cwd: string, flag: string): string {
  const absolute = resolve(cwd, path);
  const refuse = (why: string): never => {
    throw new BuilderError('usage.invalid', `cannot write ${flag} ${JSON.stringify(path)}: ${why}`);
  };
  if (path === '') refuse('the path is empty');
  const directory = dirname(absolute);
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) {
    refuse(`${JSON.stringify(directory)} is not a directory`);
  }
  if (statSync(absolute, { throwIfNoEntry: false })?.isDirectory() === true) refuse('it is a directory');
  try {
    accessSync(directory, constants.W_OK);
  } catch (error) {
    refuse(`${JSON.stringify(directory)}: ${(error as NodeJS.ErrnoException).code}`);
  }
  return absolute;
}

/** Puts the whole text there at once, in place of what was there. */
export function putFile(path: string, text: string): void {
  writeAtomic(path, text, { durable: false, mode: READABLE });
}
