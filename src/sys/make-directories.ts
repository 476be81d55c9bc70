/**
 * Directories with all that leads to them. Not node's own `recursive`: where the kernel says ENOENT below a directory
 * that exists, as in /proc, node makes the parent again and again and never ends.
 */
import { lstatSync, mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import { errnoOf } from './libc.ts';

/**
 * Makes the directory and its missing parents, each with this mode; one that is there stays as it is, and a link to a
 * directory is one.
 * @param mode less the umask
 * @throws node's error of the mkdir(2) that failed; `sys.call-failed` where something else is in the way, with
 *   `facts.errno` ENOTDIR
 */
export function makeDirectories(path: string, mode = 0o777): void {
  const missing: string[] = [];
  for (let at = resolve(path); !isDirectory(at) && at !== '/'; at = dirname(at)) missing.push(at);
  for (const at of missing.reverse()) {
    try {
      mkdirSync(at, mode);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
      // Somebody else may have made it meanwhile.
      if (!isDirectory(at)) throw notADirectory(path, at, error);
    }
  }
}

/** False also where looking is not allowed: mkdir(2) then says why. */
function isDirectory(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  } catch {
    return false;
  }
}

function notADirectory(path: string, at: string, cause: unknown): BuilderError {
  const isLink = lstatSync(at, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  const what = isLink ? 'a link that leads to no directory' : 'no directory';
  const message = `cannot make the directory ${JSON.stringify(path)}: ${JSON.stringify(at)} is ${what}`;
  return new BuilderError('sys.call-failed', message, { cause, facts: { path: at, errno: 'ENOTDIR' } });
}
