/** Where a path inside a root filesystem really leads, before anything is made there. */
import { closeSync } from 'node:fs';
import { BuilderError } from '../report/builder-error.ts';
import { type FileStat, readlinkat, S_IFLNK, S_IFMT } from '../sys/libc.ts';
import { joinPath, type RootDirectory, splitPath } from '../sys/root-directory.ts';
import { type ByteString, byteString, bytesOf } from './copy-walk.ts';

export interface ResolvedPath {
  /** From the root, no link in it, no leading `/`; '' for the root itself. */
  readonly path: ByteString;
  /** Of what is there; undefined when nothing is. Never a symbolic link. */
  readonly stat: FileStat | undefined;
}

/** As the kernel's own limit. @see path_resolution(7) */
const MAX_LINKS = 40;

/**
 * Follows every symbolic link of `path`, the last component's too, inside the root: absolute links start at the root
 * and `..` stops there. Missing components are kept, so that a dangling link names what will be made.
 * @throws `copy.invalid` for a circle of links
 */
export function resolveDestination(root: RootDirectory, path: ByteString): ResolvedPath {
  const pending = splitPath(bytesOf(path));
  let done: Buffer[] = [];
  let stat = root.stat('.');
  for (let links = 0; pending.length > 0; ) {
    const part = pending.shift()!;
    if (part.equals(PARENT)) {
      done.pop();
      stat = root.stat(joinPath(done));
      continue;
    }
    const here = [...done, part];
    stat = root.stat(joinPath(here));
    if (stat === undefined || (stat.mode & S_IFMT) !== S_IFLNK) {
      done = here;
      continue;
    }
    links += 1;
    if (links > MAX_LINKS) {
      throw new BuilderError('copy.invalid', `cannot resolve ${JSON.stringify(path)}: too many symbolic links`);
    }
    const target = linkTarget(root, here);
    if (target[0] === SLASH) done = [];
    pending.unshift(...splitPath(target));
    stat = root.stat(joinPath(done));
  }
  return { path: byteString(joinPath(done)).replace(/^\.$/, ''), stat };
}

const PARENT = Buffer.from('..');
const SLASH = 0x2f;

function linkTarget(root: RootDirectory, parts: readonly Buffer[]): Buffer {
  const { fd, name } = root.openParent(joinPath(parts));
  try {
    return readlinkat(fd, name);
  } finally {
    closeSync(fd);
  }
}
