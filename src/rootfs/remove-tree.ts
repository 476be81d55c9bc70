/** Removing a name with everything below it, relative to descriptors, links never followed. */
import { closeSync, constants, readdirSync } from 'node:fs';
import { AT_FDCWD, AT_REMOVEDIR, errnoOf, openat, type PathLike, unlinkat } from '../sys/libc.ts';
import { bytesOf } from './copy-walk.ts';

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * Removes `name` in the directory open as `dirFd`; true when it was there, false when nothing of that name existed.
 * One descriptor is open per level of nesting.
 * @throws `sys.call-failed`
 */
export function removeTreeAt(dirFd: number, name: PathLike): boolean {
  try {
    unlinkat(dirFd, name);
    return true;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT') return false;
    // Linux says EISDIR; POSIX allows EPERM.
    if (errno !== 'EISDIR' && errno !== 'EPERM') throw error;
  }
  emptyDirectory(dirFd, name);
  unlinkat(dirFd, name, AT_REMOVEDIR);
  return true;
}

function emptyDirectory(dirFd: number, name: PathLike): void {
  const fd = openat(dirFd, name, DIRECTORY);
  try {
    for (const child of readdirSync(`/proc/self/fd/${fd}`, { encoding: 'latin1', withFileTypes: true })) {
      const childName = bytesOf(child.name);
      // What the directory says of types saves one failing call per subdirectory.
      if (child.isDirectory()) {
        emptyDirectory(fd, childName);
        unlinkat(fd, childName, AT_REMOVEDIR);
      } else {
        removeTreeAt(fd, childName);
      }
    }
  } finally {
    closeSync(fd);
  }
}

/** Removes the tree at `path`, if any. */
export function removeTree(path: PathLike): void {
  removeTreeAt(AT_FDCWD, path);
}
