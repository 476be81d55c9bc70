/**
 * A directory that nothing can leave: every path given to it is resolved as if it were the root of the file system,
 * symbolic links and `..` included, by the kernel (openat2 RESOLVE_IN_ROOT) or, where that call is missing, component
 * by component on O_PATH descriptors. Work on a file is done relative to the descriptor of its parent, so a path is
 * never checked first and used later.
 *
 * @see openat2(2), path_resolution(7)
 */
import { closeSync, constants, readdirSync } from 'node:fs';
import { BuilderError } from '../report/builder-error.ts';
import {
  AT_FDCWD,
  errnoOf,
  type FileStat,
  lstatat,
  lstatatIfAny,
  mkdirat,
  O_PATH,
  openat,
  openat2,
  type PathLike,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  readlinkat,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
} from './libc.ts';

const SLASH = 0x2f;
/** As the kernel's own limit. @see path_resolution(7) */
const MAX_LINKS = 40;
const DIRECTORY = O_PATH | constants.O_DIRECTORY;

/** Splits a path into its components without `.` and empty ones; `..` stays. */
export function splitPath(path: PathLike): Buffer[] {
  const bytes = typeof path === 'string' ? Buffer.from(path) : path;
  const parts: Buffer[] = [];
  let start = 0;
  for (let i = 0; i <= bytes.length; i++) {
    if (i < bytes.length && bytes[i] !== SLASH) continue;
    const part = bytes.subarray(start, i);
    if (part.length > 0 && !(part.length === 1 && part[0] === 0x2e)) parts.push(part);
    start = i + 1;
  }
  return parts;
}

export function joinPath(parts: readonly Buffer[]): Buffer {
  if (parts.length === 0) return Buffer.from('.');
  const joined: Buffer[] = [];
  for (const part of parts) joined.push(Buffer.from('/'), part);
  return Buffer.concat(joined).subarray(1);
}

let openat2Missing = false;

/** An open directory used as a root. Close it, or hold it with `using`. */
export class RootDirectory implements Disposable {
  readonly fd: number;
  #closed = false;

  /** @throws `sys.call-failed` when `path` is not a directory */
  constructor(path: PathLike) {
    this.fd = openat(AT_FDCWD, path, DIRECTORY);
  }

  /**
   * Opens `path` inside the root; links anywhere in it, the last component included unless O_NOFOLLOW, are resolved
   * inside the root. Returns a descriptor the caller closes.
   */
  open(path: PathLike, flags: number, mode = 0): number {
    if (!openat2Missing) {
      try {
        return openat2(this.fd, path.length === 0 ? '.' : path, flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
      } catch (error) {
        const errno = errnoOf(error);
        if (errno !== 'ENOSYS' && errno !== 'EPERM') throw error;
        openat2Missing = true;
      }
    }
    return this.#openByWalking(path, flags, mode);
  }

  #openByWalking(path: PathLike, flags: number, mode: number): number {
    const pending = splitPath(path);
    const trail: number[] = [];
    let links = 0;
    const current = (): number => trail.at(-1) ?? this.fd;
    try {
      while (pending.length > 0) {
        const part = pending.shift()!;
        if (part.equals(Buffer.from('..'))) {
          const left = trail.pop();
          if (left !== undefined) closeSync(left);
          continue;
        }
        const last = pending.length === 0;
        const stat = lstatatIfAny(current(), part);
        if (stat !== undefined && (stat.mode & S_IFMT) === S_IFLNK && !(last && (flags & constants.O_NOFOLLOW) !== 0)) {
          links += 1;
          if (links > MAX_LINKS) {
            throw new BuilderError(
              'sys.call-failed',
              `open ${JSON.stringify(path.toString())}: too many links (ELOOP)`,
              {
                facts: { errno: 'ELOOP', operation: 'open' },
              },
            );
          }
          const target = readlinkat(current(), part);
          if (target[0] === SLASH) for (const fd of trail.splice(0)) closeSync(fd);
          pending.unshift(...splitPath(target));
          continue;
        }
        if (last) return openat(current(), part, flags | constants.O_NOFOLLOW, mode);
        trail.push(openat(current(), part, DIRECTORY | constants.O_NOFOLLOW));
      }
      return openat(current(), '.', flags & ~constants.O_NOFOLLOW, mode);
    } finally {
      for (const fd of trail) closeSync(fd);
    }
  }

  /** Opens a directory inside the root as a place to work relative to. The caller closes it. */
  openDirectory(path: PathLike): number {
    return this.open(path, DIRECTORY);
  }

  /** Opens the parent of `path` and returns it with the last component, which is not resolved. The caller closes. */
  openParent(path: PathLike): { readonly fd: number; readonly name: Buffer } {
    const parts = splitPath(path);
    const name = parts.pop();
    if (name === undefined || name.equals(Buffer.from('..'))) {
      throw new BuilderError('path.escapes', `the path ${JSON.stringify(path.toString())} has no last component`);
    }
    return { fd: this.openDirectory(joinPath(parts)), name };
  }

  /** Stat of `path`; the last component is followed (inside the root) only with `follow`. */
  stat(path: PathLike, follow = false): FileStat | undefined {
    try {
      const fd = this.open(path, O_PATH | (follow ? 0 : constants.O_NOFOLLOW));
      try {
        return lstatat(fd, '');
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined;
      throw error;
    }
  }

  /**
   * Makes `path` and its missing parents directories (mode as given, umask aside), following links inside the root.
   * Calls `made` for each directory it created, with its parent's descriptor and its name.
   * @throws `sys.call-failed` ENOTDIR when something else is in the way
   */
  makeDirectories(path: PathLike, mode = 0o755, made?: (parentFd: number, name: Buffer) => void): void {
    const parts = splitPath(path);
    for (let depth = 1; depth <= parts.length; depth++) {
      const here = joinPath(parts.slice(0, depth));
      const stat = this.stat(here, true);
      if (stat !== undefined) {
        if ((stat.mode & S_IFMT) !== S_IFDIR) {
          throw new BuilderError(
            'sys.call-failed',
            `create directory ${JSON.stringify(here.toString())}: not a directory (ENOTDIR)`,
            {
              facts: { errno: 'ENOTDIR', operation: 'create directory' },
            },
          );
        }
        continue;
      }
      // A dangling link names the directory to make; following it inside the root keeps the promise of containment.
      const resolved = this.#resolveDangling(here);
      const above = splitPath(resolved).slice(0, -1);
      if (resolved !== here && this.stat(joinPath(above), true) === undefined) {
        this.makeDirectories(joinPath(above), mode, made);
      }
      const { fd, name } = this.openParent(resolved);
      try {
        mkdirat(fd, name, mode);
        made?.(fd, name);
      } finally {
        closeSync(fd);
      }
    }
  }

  #resolveDangling(path: Buffer): Buffer {
    let here = path;
    for (let links = 0; links < MAX_LINKS; links++) {
      const stat = this.stat(here);
      if (stat === undefined || (stat.mode & S_IFMT) !== S_IFLNK) return here;
      const { fd, name } = this.openParent(here);
      try {
        const target = readlinkat(fd, name);
        here = target[0] === SLASH ? target : joinPath([...splitPath(here).slice(0, -1), target]);
      } finally {
        closeSync(fd);
      }
    }
    throw new BuilderError('path.escapes', `too many symbolic links at ${JSON.stringify(path.toString())}`);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** A path that works with node:fs and leads to `name` in the directory open as `fd`. */
export function procPath(fd: number, name?: Buffer): Buffer {
  const base = Buffer.from(`/proc/self/fd/${fd}`);
  return name === undefined ? base : Buffer.concat([base, Buffer.from('/'), name]);
}

/** Names in the directory open as `fd`, as bytes, in byte order. */
export function listDirectory(fd: number): Buffer[] {
  return readdirSync(procPath(fd), { encoding: 'buffer' }).sort(Buffer.compare);
}
