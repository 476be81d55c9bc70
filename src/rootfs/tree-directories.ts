/**
 * Open directories of a tree, found by path inside it. Each component is opened relative to its parent's descriptor
 * without following links; links are read and followed here, inside the tree, so nothing can lead out of it, whatever
 * changes meanwhile. Directories stay open between entries, because the members of an archive come in runs.
 *
 * Every directory has one canonical path, through which it is the same thing whatever links led to it.
 */
import { closeSync, constants } from 'node:fs';
import { BuilderError } from '../report/builder-error.ts';
import { tryOpenAt } from '../sys/file-calls.ts';
import { AT_FDCWD, callError, lstatatIfAny, O_PATH, openat, readlinkat, S_IFLNK, S_IFMT } from '../sys/libc.ts';
import { splitPath } from '../sys/root-directory.ts';
import { type ByteString, byteString, bytesOf, displayName } from './copy-walk.ts';

const DIRECTORY = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** As the kernel's own limit. @see path_resolution(7) */
const MAX_LINKS = 40;
const MAX_OPEN = 256;

export interface TreeDirectory {
  /** O_PATH descriptor, valid until another directory is asked for, or longer while `pins` is not 0. */
  readonly fd: number;
  /** Canonical path relative to the root; '' for the root. */
  readonly path: ByteString;
  pins: number;
  /** Whether its mtime is in the caller's books. */
  noted: boolean;
}

/** Makes a missing directory. */
export type MakeDirectory = (parent: TreeDirectory, name: Buffer, path: ByteString) => void;

export function joinBytes(directory: ByteString, name: ByteString): ByteString {
  return directory === '' ? name : `${directory}/${name}`;
}

export class TreeDirectories implements Disposable {
  readonly root: TreeDirectory;
  readonly #make: MakeDirectory;
  /** By canonical path, and by other paths that led there. */
  readonly #open = new Map<ByteString, TreeDirectory>();
  readonly #aliases = new Map<ByteString, TreeDirectory>();
  #links = 0;

  constructor(root: string, make: MakeDirectory) {
    this.root = { fd: openat(AT_FDCWD, root, O_PATH | constants.O_DIRECTORY), path: '', pins: 1, noted: false };
    this.#make = make;
  }

  /** The directory at `path`, missing ones made on the way. @throws `layer.invalid` when something else is in the way */
  make(path: ByteString): TreeDirectory {
    return this.#resolve(path, true)!;
  }

  /** The directory at `path`, or undefined when there is none. */
  find(path: ByteString): TreeDirectory | undefined {
    return this.#resolve(path, false);
  }

  /** The directory at a canonical path, or undefined when there is none any more or a link stands in the way. */
  findExactly(path: ByteString): TreeDirectory | undefined {
    if (path === '') return this.root;
    const known = this.#open.get(path);
    if (known !== undefined) return known;
    const cut = path.lastIndexOf('/');
    const parent = this.findExactly(cut === -1 ? '' : path.slice(0, cut));
    if (parent === undefined) return undefined;
    const fd = tryOpen(parent.fd, bytesOf(path.slice(cut + 1)));
    return typeof fd === 'number' ? this.#remember(path, fd) : undefined;
  }

  #resolve(path: ByteString, create: boolean): TreeDirectory | undefined {
    this.#links = 0;
    return this.#walk(path, create);
  }

  #walk(path: ByteString, create: boolean): TreeDirectory | undefined {
    if (path === '') return this.root;
    const known = this.#open.get(path) ?? this.#aliases.get(path);
    if (known !== undefined) return known;
    const cut = path.lastIndexOf('/');
    const parent = this.#walk(cut === -1 ? '' : path.slice(0, cut), create);
    if (parent === undefined) return undefined;
    const found = this.#child(parent, path.slice(cut + 1), create);
    if (found !== undefined && found.path !== path) this.#aliases.set(path, found);
    return found;
  }

  #child(parent: TreeDirectory, name: ByteString, create: boolean): TreeDirectory | undefined {
    if (name === '..') return this.#parentOf(parent, create);
    const path = joinBytes(parent.path, name);
    const known = this.#open.get(path);
    if (known !== undefined) return known;
    const bytes = bytesOf(name);
    const fd = tryOpen(parent.fd, bytes);
    if (typeof fd === 'number') return this.#remember(path, fd);
    if (fd === 'ENOENT') {
      if (!create) return undefined;
      this.#make(parent, bytes, path);
      return this.#remember(path, openat(parent.fd, bytes, DIRECTORY));
    }
    return this.#follow(parent, bytes, path, create);
  }

  #parentOf(directory: TreeDirectory, create: boolean): TreeDirectory | undefined {
    const cut = directory.path.lastIndexOf('/');
    // The root's parent is the root.
    return this.#walk(cut === -1 ? '' : directory.path.slice(0, cut), create);
  }

  /** A symbolic link leads on inside the tree; anything else is no directory. */
  #follow(parent: TreeDirectory, name: Buffer, path: ByteString, create: boolean): TreeDirectory | undefined {
    const stat = lstatatIfAny(parent.fd, name);
    if (stat === undefined || (stat.mode & S_IFMT) !== S_IFLNK) {
      if (!create) return undefined;
      throw inTheWay(path, 'is not a directory');
    }
    this.#links += 1;
    if (this.#links > MAX_LINKS) {
      if (!create) return undefined;
      throw inTheWay(path, 'leads through too many symbolic links');
    }
    const target = readlinkat(parent.fd, name);
    let at: TreeDirectory | undefined = target[0] === 0x2f ? this.root : parent;
    for (const component of splitPath(target)) {
      at = this.#child(at, byteString(component), create);
      if (at === undefined) return undefined;
    }
    return at;
  }

  #remember(path: ByteString, fd: number): TreeDirectory {
    if (this.#open.size >= MAX_OPEN) this.#evict();
    const directory = { fd, path, pins: 0, noted: false };
    this.#open.set(path, directory);
    return directory;
  }

  /** Closes the older half. The newest always survive, so a walk that is under way keeps what it stands on. */
  #evict(): void {
    let left = MAX_OPEN / 2;
    for (const [path, directory] of this.#open) {
      if (left-- === 0) break;
      if (directory.pins > 0) continue;
      this.#open.delete(path);
      closeSync(directory.fd);
    }
    this.#aliases.clear();
  }

  /** Says that the directory or link at this canonical path is gone or going: forgets it and what is below. */
  forget(path: ByteString): void {
    this.#aliases.clear();
    const below = `${path}/`;
    for (const [key, directory] of this.#open) {
      if (key !== path && !key.startsWith(below)) continue;
      this.#open.delete(key);
      closeSync(directory.fd);
    }
  }

  [Symbol.dispose](): void {
    for (const directory of this.#open.values()) closeSync(directory.fd);
    this.#open.clear();
    this.#aliases.clear();
    closeSync(this.root.fd);
  }
}

function tryOpen(parentFd: number, name: Buffer): number | 'ENOENT' | 'other' {
  const fd = tryOpenAt(parentFd, byteString(name), DIRECTORY);
  if (typeof fd === 'number' || fd === 'ENOENT') return fd;
  if (fd === 'ENOTDIR' || fd === 'ELOOP') return 'other';
  throw callError('open', name, fd);
}

function inTheWay(path: ByteString, why: string): BuilderError {
  const shown = displayName(path);
  return new BuilderError('layer.invalid', `cannot apply a layer entry below ${JSON.stringify(shown)}: it ${why}`, {
    facts: { path: shown },
  });
}
