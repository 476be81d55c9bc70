/**
 * The receiving end of a copy: directories of a root filesystem open for writing. Everything happens relative to a
 * directory descriptor, so nothing that changes in the tree meanwhile can lead a write elsewhere.
 *
 * Attributes are set in the one order that keeps them: content, owner, extended attributes, mode, time; those of a
 * directory when it is closed. A directory that was there before keeps its own, its mtime included, unless it is one of
 * the directories below the source.
 */
import { closeSync, constants, fchmodSync, fchownSync } from 'node:fs';
import { BuilderError } from '../report/builder-error.ts';
import type { Timestamp } from '../spec/timestamp.ts';
import {
  errnoOf,
  fchmodat,
  lchownat,
  lgetxattr,
  linkat,
  lstatat,
  lstatatIfAny,
  lutimensat,
  mkdirat,
  mknodat,
  O_PATH,
  openat,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  symlinkat,
  unlinkat,
} from '../sys/libc.ts';
import { procPath, type RootDirectory } from '../sys/root-directory.ts';
import { resolveDestination } from './copy-destination.ts';
import { type ByteString, bytesOf, displayName } from './copy-walk.ts';
import { writeXattrs, type Xattrs } from './copy-xattr.ts';

/** What a copied file will be besides its content. */
export interface CopyAttributes {
  /** 0 … 07777 */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** undefined: the time of the copy */
  readonly mtime: Timestamp | undefined;
  readonly xattrs?: Xattrs | undefined;
}

const DIRECTORY = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const HERE = Buffer.from('.');
const SETGID = 0o2000;

const quote = (path: ByteString): string => JSON.stringify(`/${displayName(path)}`);

/** A directory below the root, open for adding things. Close it: only then does it get its own attributes. */
export class TargetDirectory {
  readonly fd: number;
  /** From the root, links resolved, no leading `/`; '' for the root itself. */
  readonly path: ByteString;
  readonly #root: RootDirectory;
  readonly #attributes: CopyAttributes | undefined;
  /** Time to give back to a directory that was there before. */
  readonly #mtime: Timestamp;
  /** New files come out with the owner and mode asked for: no set-group-id bit here, no default ACL. */
  readonly #isPlain: boolean;
  #isTouched = false;
  #isClosed = false;

  /** @param attributes what the directory gets; undefined for one that keeps what it has */
  constructor(root: RootDirectory, fd: number, path: ByteString, attributes?: CopyAttributes) {
    this.#root = root;
    this.fd = fd;
    this.path = path;
    this.#attributes = attributes;
    const stat = lstatat(fd, '');
    this.#mtime = stat.mtime;
    this.#isPlain =
      (stat.mode & SETGID) === 0 && lgetxattr(procPath(fd, HERE), 'system.posix_acl_default') === undefined;
  }

  pathOf(name: ByteString): ByteString {
    return this.path === '' ? name : `${this.path}/${name}`;
  }

  /**
   * Opens the directory `name` here: made with `attributes` if nothing is there; kept as it is if a directory is
   * there, also behind a link that leads to one inside the root.
   * @param merges a directory that is there gets the attributes, too, but not one behind a link
   * @throws `copy.invalid` when something else is in the way
   */
  directory(name: ByteString, attributes: CopyAttributes, merges = false): TargetDirectory {
    const bytes = bytesOf(name);
    let isNew = true;
    try {
      // 0700 until closed: its content goes in first, whatever the final mode allows.
      mkdirat(this.fd, bytes, 0o700);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
      isNew = false;
    }
    if (!isNew) return this.#existing(name, bytes, merges ? attributes : undefined);
    this.#isTouched = true;
    return adopt(this.#root, openat(this.fd, bytes, DIRECTORY), this.pathOf(name), attributes);
  }

  #existing(name: ByteString, bytes: Buffer, attributes: CopyAttributes | undefined): TargetDirectory {
    const type = lstatat(this.fd, bytes).mode & S_IFMT;
    if (type === S_IFDIR) return adopt(this.#root, openat(this.fd, bytes, DIRECTORY), this.pathOf(name), attributes);
    if (type === S_IFLNK) {
      const end = resolveDestination(this.#root, this.pathOf(name));
      if (end.stat !== undefined && (end.stat.mode & S_IFMT) === S_IFDIR) {
        return adopt(this.#root, this.#root.open(bytesOf(end.path), DIRECTORY), end.path);
      }
    }
    throw new BuilderError(
      'copy.invalid',
      `cannot copy a directory to ${quote(this.pathOf(name))}: something that is not a directory is there`,
    );
  }

  /** Makes a new empty regular file and returns it open for writing; `finishFile` completes it. Replaces a file. */
  createFile(name: Buffer, mode: number): number {
    this.#isTouched = true;
    return this.#replacing(name, () => openat(this.fd, name, NEW_FILE, mode & 0o777));
  }

  /** Gives a file made by `createFile` its attributes. Closing `fd` is left to the caller. */
  finishFile(fd: number, name: Buffer, attributes: CopyAttributes): void {
    const { uid, gid, mode, mtime, xattrs } = attributes;
    const maker = makerOfFiles();
    const hasOwner = this.#isPlain && uid === maker.uid && gid === maker.gid;
    if (!hasOwner) fchownSync(fd, uid, gid);
    if (xattrs !== undefined) writeXattrs(this.fd, name, xattrs);
    // After chown and xattrs: chown(2) clears set-id bits, and a mode of 0 must not stand in the way before.
    const hasMode = this.#isPlain && (mode & (maker.umask | 0o7000)) === 0;
    if (!hasMode) fchmodSync(fd, mode);
    if (mtime !== undefined) lutimensat(this.fd, name, mtime);
  }

  symlink(name: Buffer, target: Buffer, attributes: CopyAttributes): void {
    this.#isTouched = true;
    this.#replacing(name, () => symlinkat(target, this.fd, name));
    lchownat(this.fd, name, attributes.uid, attributes.gid);
    if (attributes.mtime !== undefined) lutimensat(this.fd, name, attributes.mtime);
  }

  /** A FIFO or device. @param type S_IFIFO, S_IFCHR or S_IFBLK */
  node(name: Buffer, type: number, major: number, minor: number, attributes: CopyAttributes): void {
    this.#isTouched = true;
    this.#replacing(name, () => mknodat(this.fd, name, type | 0o600, major, minor));
    lchownat(this.fd, name, attributes.uid, attributes.gid);
    fchmodat(this.fd, name, attributes.mode);
    if (attributes.mtime !== undefined) lutimensat(this.fd, name, attributes.mtime);
  }

  /**
   * Another name for a file made before, at `path` from the root, if that still is the inode `ino`. False when it is
   * not, or when the file system cannot link it.
   */
  link(name: Buffer, path: ByteString, ino: string): boolean {
    const parent = this.#root.openParent(bytesOf(path));
    try {
      if (lstatatIfAny(parent.fd, parent.name)?.ino !== ino) return false;
      this.#isTouched = true;
      this.#replacing(name, () => linkat(parent.fd, parent.name, this.fd, name));
      return true;
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'EMLINK' || errno === 'EXDEV' || errno === 'EPERM') return false;
      throw error;
    } finally {
      closeSync(parent.fd);
    }
  }

  /** Does `make`; a non-directory in its way is removed first, so that a link there is replaced, never written through. */
  #replacing<T>(name: Buffer, make: () => T): T {
    try {
      return make();
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
    }
    const there = lstatatIfAny(this.fd, name);
    if (there !== undefined && (there.mode & S_IFMT) === S_IFDIR) {
      throw new BuilderError(
        'copy.invalid',
        `cannot copy to ${quote(this.pathOf(name.toString('latin1')))}: a directory of that name is there`,
      );
    }
    if (there !== undefined) unlinkat(this.fd, name);
    return make();
  }

  /** Sets the attributes of a new directory, gives an old one its mtime back, and closes it. Twice is harmless. */
  close(): void {
    if (this.#isClosed) return;
    try {
      this.#settle();
    } finally {
      this.abandon();
    }
  }

  #settle(): void {
    const attributes = this.#attributes;
    if (attributes === undefined) {
      if (this.#isTouched) lutimensat(this.fd, HERE, this.#mtime);
      return;
    }
    lchownat(this.fd, HERE, attributes.uid, attributes.gid);
    if (attributes.xattrs !== undefined) writeXattrs(this.fd, HERE, attributes.xattrs);
    if (attributes.mtime !== undefined) lutimensat(this.fd, HERE, attributes.mtime);
    // Last: a mode without x for us would shut out the calls that go through the directory.
    fchmodat(this.fd, HERE, attributes.mode);
  }

  /** Closes without setting anything: after a failure. */
  abandon(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeSync(this.fd);
  }
}

function adopt(root: RootDirectory, fd: number, path: ByteString, attributes?: CopyAttributes): TargetDirectory {
  try {
    return new TargetDirectory(root, fd, path, attributes);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/**
 * Opens the directory `path` (links resolved, see `resolveDestination`), making what is missing with `attributes`.
 * @throws `copy.invalid` when something that is not a directory is in the way
 */
export function openTargetDirectory(
  root: RootDirectory,
  path: ByteString,
  attributes: CopyAttributes,
): TargetDirectory {
  let here = adopt(root, openat(root.fd, '.', DIRECTORY), '');
  for (const part of path.split('/').filter((name) => name !== '')) {
    let next: TargetDirectory;
    try {
      next = here.directory(part, attributes);
    } catch (error) {
      here.abandon();
      throw error;
    }
    here.close();
    here = next;
  }
  return here;
}

interface Maker {
  readonly uid: number;
  readonly gid: number;
  readonly umask: number;
}
let maker: Maker | undefined;

/** Who owns the files this process makes, and which mode bits it drops; neither changes while it lives. */
function makerOfFiles(): Maker {
  maker ??= { uid: process.geteuid!(), gid: process.getegid!(), umask: process.umask() };
  return maker;
}
