/**
 * Places to mount on. A file or directory that is missing in the root filesystem is made for the run and taken away
 * afterwards, and its parent gets its old times back, so that no trace of the run's scenery reaches a layer.
 *
 * What was made is remembered by parent descriptor, name and inode: a command that renames a parent, or puts a symbolic
 * link in its place, cannot make the clean-up touch anything else.
 */
import { closeSync, constants, statSync } from 'node:fs';
import { BuilderError } from '../report/builder-error.ts';
import type { ProcessSpec, RunMount } from '../spec/process-spec.ts';
import type { CleanupStack } from '../sys/dispose.ts';
import {
  AT_REMOVEDIR,
  errnoOf,
  type FileStat,
  LOCK_EX,
  LOCK_SH,
  lstatat,
  lstatatIfAny,
  lutimensat,
  mkdirat,
  openat,
  readlinkat,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  tryFlock,
  unlinkat,
} from '../sys/libc.ts';
import { joinPath, RootDirectory, splitPath } from '../sys/root-directory.ts';

export interface MountPoint {
  /** Path inside the root filesystem. */
  readonly path: string;
  readonly kind: 'directory' | 'file';
  /** A link at the last component is an error instead of being followed. */
  readonly real?: boolean;
}

interface Stub {
  readonly parentFd: number;
  readonly name: Buffer;
  readonly ino: string;
  readonly dev: string;
  readonly isDirectory: boolean;
}

interface TouchedParent {
  readonly fd: number;
  readonly before: FileStat;
  /** Times right after the last stub was made in it: still the same later means that only we changed it. */
  after: FileStat;
}

const MAX_LINKS = 40;

/** Mount points made for one run. Disposing twice is harmless; failures to clean are swallowed only where the stub
 *  is in use by what the command left there. */
export class MountPoints implements Disposable {
  readonly #root: RootDirectory;
  readonly #stubs: Stub[] = [];
  readonly #parents = new Map<string, TouchedParent>();

  constructor(root: RootDirectory) {
    this.#root = root;
  }

  /** Makes sure that something of the right kind is at the path. @throws `run.start-failed` when something else is */
  ensure(point: MountPoint): void {
    if (point.real === true) this.#refuseLink(point.path);
    const there = this.#root.stat(point.path, true);
    if (there !== undefined) {
      const isDirectory = (there.mode & S_IFMT) === S_IFDIR;
      if (isDirectory === (point.kind === 'directory')) return;
      throw new BuilderError(
        'run.start-failed',
        `cannot mount on ${JSON.stringify(point.path)}: the image has a ${isDirectory ? 'directory' : 'file'} there where a ${point.kind} is needed`,
      );
    }
    const target = this.#followDangling(point.path);
    const parts = splitPath(target);
    for (let depth = 1; depth < parts.length; depth++) this.#makeDirectory(joinPath(parts.slice(0, depth)));
    if (point.kind === 'directory') this.#makeDirectory(target);
    else this.#makeFile(target);
  }

  #refuseLink(path: string): void {
    const stat = this.#root.stat(path);
    if (stat === undefined || (stat.mode & S_IFMT) === S_IFDIR) return;
    const what = (stat.mode & S_IFMT) === S_IFLNK ? 'a symbolic link' : 'not a directory';
    throw new BuilderError('run.start-failed', `cannot run in this image: its ${path} is ${what}`, {
      hint: `make ${path} an empty directory in the image`,
    });
  }

  /** Where a chain of links inside the root ends when its end does not exist. */
  #followDangling(path: string): Buffer {
    let here: Buffer = joinPath(splitPath(path));
    for (let links = 0; links < MAX_LINKS; links++) {
      const stat = this.#root.stat(here);
      if (stat === undefined || (stat.mode & S_IFMT) !== S_IFLNK) return here;
      const { fd, name } = this.#root.openParent(here);
      try {
        const target = readlinkat(fd, name);
        here = target[0] === 0x2f ? target : joinPath([...splitPath(here).slice(0, -1), target]);
      } finally {
        closeSync(fd);
      }
    }
    throw new BuilderError('path.escapes', `too many symbolic links at ${JSON.stringify(path)}`);
  }

  #makeDirectory(path: Buffer): void {
    const there = this.#root.stat(path, true);
    if (there !== undefined) return;
    this.#make(path, true, (fd, name) => mkdirat(fd, name, 0o755));
  }

  #makeFile(path: Buffer): void {
    const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW;
    this.#make(path, false, (fd, name) => closeSync(openat(fd, name, flags, 0o644)));
  }

  #make(path: Buffer, isDirectory: boolean, create: (fd: number, name: Buffer) => void): void {
    const opened = this.#root.openParent(path);
    const before = lstatat(opened.fd, '');
    const key = `${before.dev}/${before.ino}`;
    let parent = this.#parents.get(key);
    if (parent === undefined) {
      parent = { fd: opened.fd, before, after: before };
      this.#parents.set(key, parent);
    } else closeSync(opened.fd);
    create(parent.fd, opened.name);
    const made = lstatat(parent.fd, opened.name);
    this.#stubs.push({ parentFd: parent.fd, name: opened.name, ino: made.ino, dev: made.dev, isDirectory });
    parent.after = lstatat(parent.fd, '');
  }

  [Symbol.dispose](): void {
    const changed = new Set<number>();
    for (const { fd, after } of this.#parents.values()) {
      const now = lstatat(fd, '');
      if (now.mtime.seconds !== after.mtime.seconds || now.mtime.nanoseconds !== after.mtime.nanoseconds) {
        changed.add(fd);
      }
    }
    for (const stub of this.#stubs.splice(0).reverse()) this.#removeStub(stub);
    // Newest first: restoring a child's times does not touch the parent, removing it does.
    for (const { fd, before } of [...this.#parents.values()].reverse()) {
      // A directory the command itself changed keeps the time of that change, as it would without us.
      try {
        if (!changed.has(fd)) lutimensat(fd, '.', before.mtime, false);
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT') throw error;
      } finally {
        closeSync(fd);
      }
    }
    this.#parents.clear();
  }

  /** Leaves everything as it is. */
  abandon(): void {
    this.#stubs.splice(0);
    for (const { fd } of this.#parents.values()) closeSync(fd);
    this.#parents.clear();
  }

  /** Removes the very thing we made, and only while it is as empty as we made it. */
  #removeStub(stub: Stub): void {
    const now = lstatatIfAny(stub.parentFd, stub.name);
    if (now === undefined || now.ino !== stub.ino || now.dev !== stub.dev) return;
    if (!stub.isDirectory && ((now.mode & S_IFMT) !== S_IFREG || now.size > 0)) return;
    try {
      unlinkat(stub.parentFd, stub.name, stub.isDirectory ? AT_REMOVEDIR : 0);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno !== 'ENOTEMPTY' && errno !== 'ENOENT' && errno !== 'EBUSY') throw error;
    }
  }
}

/** Where every container has something mounted. */
const SCENERY = ['/proc', '/sys', '/dev'];

/**
 * The mount points of a root filesystem, shared by everybody who runs in it at the moment: the last one to leave takes
 * them away. Removing a directory detaches what others have mounted on it, in their namespaces too, so a lock tells
 * other programs that somebody is still running; then what we made stays behind, empty.
 */
interface SharedPoints {
  users: number;
  readonly points: MountPoints;
  readonly directory: RootDirectory;
  readonly lockFd: number;
}

const shared = new Map<string, SharedPoints>();

function enter(root: string): SharedPoints {
  const directory = new RootDirectory(root);
  const { dev, ino } = lstatat(directory.fd, '');
  const key = `${dev}/${ino}`;
  const there = shared.get(key);
  if (there !== undefined) {
    directory.close();
    there.users += 1;
    return there;
  }
  const lockFd = directory.open('.', constants.O_RDONLY | constants.O_DIRECTORY);
  tryFlock(lockFd, LOCK_SH);
  const made: SharedPoints = { users: 1, points: new MountPoints(directory), directory, lockFd };
  shared.set(key, made);
  return made;
}

function leave(used: SharedPoints): void {
  used.users -= 1;
  if (used.users > 0) return;
  for (const [key, value] of shared) if (value === used) shared.delete(key);
  try {
    if (tryFlock(used.lockFd, LOCK_EX)) used.points[Symbol.dispose]();
    else used.points.abandon();
  } finally {
    closeSync(used.lockFd);
    used.directory.close();
  }
}

/**
 * Makes the mount points that a run of `process` in `root` needs; `cleanup` takes them away again. Targets below
 * another mount are left to whoever mounts: they do not belong to the root filesystem.
 */
export function prepareMountPoints(root: string, process: ProcessSpec, cleanup: CleanupStack): void {
  const used = enter(root);
  cleanup.defer(() => leave(used));
  for (const path of SCENERY) used.points.ensure({ path, kind: 'directory', real: true });
  const covered = [...SCENERY];
  const isCovered = (path: string): boolean => covered.some((above) => path.startsWith(`${above}/`));
  for (const mount of process.mounts) {
    if (!isCovered(mount.target)) {
      used.points.ensure({ path: mount.target, kind: isDirectoryMount(mount) ? 'directory' : 'file' });
    }
    covered.push(mount.target);
  }
  for (const { target } of process.devices ?? []) {
    if (!isCovered(target)) used.points.ensure({ path: target, kind: 'file' });
  }
  if (!isCovered(process.cwd)) requireDirectory(used.directory, process.cwd);
}

/** Some runtimes make a missing working directory, others say something odd. */
function requireDirectory(root: RootDirectory, path: string): void {
  const stat = root.stat(path, true);
  if (stat !== undefined && (stat.mode & S_IFMT) === S_IFDIR) return;
  const why = stat === undefined ? 'it does not exist' : 'it is not a directory';
  throw new BuilderError('run.start-failed', `cannot run in the working directory ${JSON.stringify(path)}: ${why}`);
}

function isDirectoryMount(mount: RunMount): boolean {
  return mount.type !== 'bind' || statSync(mount.source).isDirectory();
}
