/**
 * Copies a whole tree, exactly: owners, modes, nanosecond times, attributes, device nodes, hard links inside the tree.
 * Blocks are shared with the original where the file system can do that.
 *
 * The target must be private to the caller while this runs: nothing else may change it.
 */
import { closeSync, constants, fchmodSync, readdirSync, readSync } from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';
import type { Cancellable } from '../spec/target.ts';
import { writeFully } from '../sys/file-write.ts';
import {
  copyFileRange,
  errnoOf,
  type FileStat,
  fchmodat,
  lchownat,
  lgetxattr,
  linkat,
  llistxattr,
  lsetxattr,
  lstatat,
  lutimensat,
  mkdirat,
  mknodat,
  openat,
  readlinkat,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
  symlinkat,
  tryReflink,
} from '../sys/libc.ts';
import { procPath } from '../sys/root-directory.ts';
import { type ByteString, bytesOf } from './copy-walk.ts';

/** Attributes the kernel makes itself or that only the machine may set; copying them fails or means nothing. */
const MACHINE_XATTR = /^(system\.|security\.(?!capability$))/;
const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const ENTRIES_BETWEEN_BREATHS = 500;

export interface CloneOptions extends Cancellable {
  /** Told of every file that is not a directory: the original's stat, and where the copy is. */
  readonly copied?: (original: FileStat, parentFd: number, name: Buffer) => void;
}

/** Fills the empty directory open as `toFd` with a copy of the one open as `fromFd`, its own attributes included. */
export async function cloneTree(fromFd: number, toFd: number, options: CloneOptions = {}): Promise<void> {
  await new TreeClone(toFd, options).copyDirectory(fromFd, toFd, '');
}

/** Gives the directory open as `toFd` the owner, mode, attributes and mtime of `fromFd`. */
export function cloneDirectoryAttributes(fromFd: number, toFd: number): void {
  const stat = lstatat(fromFd, '');
  lchownat(toFd, '.', stat.uid, stat.gid);
  copyXattrs(procPath(fromFd, Buffer.from('.')), procPath(toFd, Buffer.from('.')));
  fchmodat(toFd, '.', stat.mode & 0o7777);
  lutimensat(toFd, '.', stat.mtime);
}

function copyXattrs(from: Buffer, to: Buffer): void {
  for (const name of llistxattr(from)) {
    if (MACHINE_XATTR.test(name)) continue;
    const value = lgetxattr(from, name);
    if (value !== undefined) lsetxattr(to, name, value);
  }
}

class TreeClone {
  readonly #topFd: number;
  readonly #options: CloneOptions;
  /** Where the first copy of a file with several names is. */
  readonly #linked = new Map<string, Buffer>();
  #entries = 0;
  #canReflink = true;
  #canCopyRange = true;
  #buffer: Buffer | undefined;

  constructor(topFd: number, options: CloneOptions) {
    this.#topFd = topFd;
    this.#options = options;
  }

  async copyDirectory(fromFd: number, toFd: number, path: ByteString): Promise<void> {
    for (const name of readdirSync(`/proc/self/fd/${fromFd}`, { encoding: 'latin1' }).sort()) {
      if (++this.#entries % ENTRIES_BETWEEN_BREATHS === 0) {
        await breathe();
        this.#options.signal?.throwIfAborted();
      }
      const bytes = bytesOf(name);
      const childPath = path === '' ? name : `${path}/${name}`;
      const stat = lstatat(fromFd, bytes);
      if ((stat.mode & S_IFMT) === S_IFDIR) await this.#copySubdirectory(fromFd, toFd, bytes, childPath);
      else this.#copyLeaf(fromFd, toFd, bytes, childPath, stat);
    }
    cloneDirectoryAttributes(fromFd, toFd);
  }

  async #copySubdirectory(fromFd: number, toFd: number, name: Buffer, path: ByteString): Promise<void> {
    mkdirat(toFd, name, 0o700);
    const from = openat(fromFd, name, DIRECTORY);
    try {
      const to = openat(toFd, name, DIRECTORY);
      try {
        await this.copyDirectory(from, to, path);
      } finally {
        closeSync(to);
      }
    } finally {
      closeSync(from);
    }
  }

  #copyLeaf(fromFd: number, toFd: number, name: Buffer, path: ByteString, stat: FileStat): void {
    const type = stat.mode & S_IFMT;
    if (type === S_IFSOCK) return;
    if (stat.nlink > 1) {
      const first = this.#linked.get(stat.ino);
      if (first !== undefined) {
        linkat(this.#topFd, first, toFd, name);
        this.#options.copied?.(stat, toFd, name);
        return;
      }
      this.#linked.set(stat.ino, bytesOf(path));
    }
    if (type === S_IFREG) this.#copyFile(fromFd, toFd, name, stat);
    else this.#copySpecial(fromFd, toFd, name, stat, type);
    lutimensat(toFd, name, stat.mtime);
    this.#options.copied?.(stat, toFd, name);
  }

  #copySpecial(fromFd: number, toFd: number, name: Buffer, stat: FileStat, type: number): void {
    if (type === S_IFLNK) symlinkat(readlinkat(fromFd, name), toFd, name);
    else mknodat(toFd, name, type | 0o600, stat.rdevMajor, stat.rdevMinor);
    lchownat(toFd, name, stat.uid, stat.gid);
    copyXattrs(procPath(fromFd, name), procPath(toFd, name));
    if (type !== S_IFLNK) fchmodat(toFd, name, stat.mode & 0o7777);
  }

  #copyFile(fromFd: number, toFd: number, name: Buffer, stat: FileStat): void {
    const from = openat(fromFd, name, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const to = openat(toFd, name, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
      try {
        if (stat.size > 0) this.#copyContent(from, to);
        lchownat(toFd, name, stat.uid, stat.gid);
        copyXattrs(procPath(fromFd, name), procPath(toFd, name));
        fchmodSync(to, stat.mode & 0o7777);
      } finally {
        closeSync(to);
      }
    } finally {
      closeSync(from);
    }
  }

  #copyContent(from: number, to: number): void {
    if (this.#canReflink) {
      if (tryReflink(from, to)) return;
      this.#canReflink = false;
    }
    if (this.#canCopyRange) {
      try {
        while (copyFileRange(from, to, 0x4000_0000) > 0);
        return;
      } catch (error) {
        const errno = errnoOf(error);
        if (errno !== 'EXDEV' && errno !== 'EINVAL' && errno !== 'ENOSYS' && errno !== 'EOPNOTSUPP') throw error;
        this.#canCopyRange = false;
      }
    }
    this.#buffer ??= Buffer.allocUnsafeSlow(1024 * 1024);
    for (let length = readSync(from, this.#buffer); length > 0; length = readSync(from, this.#buffer)) {
      writeFully(to, this.#buffer.subarray(0, length));
    }
  }
}
