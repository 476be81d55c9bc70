/** Puts the members of one layer into a tree, in order. See `applyTar` for the rules. */
import { chmodSync, closeSync, constants } from 'node:fs';
import type { TarEntry } from '../archive/tar-entry.ts';
import type { TarHandler } from '../archive/tar-parser.ts';
import type { Timestamp } from '../spec/timestamp.ts';
import { changeMode, changeOwner, changeTime, tryOpenAt } from '../sys/file-calls.ts';
import { writeFully } from '../sys/file-write.ts';
import {
  callError,
  errnoOf,
  lchownat,
  linkat,
  llistxattr,
  lremovexattr,
  lsetxattr,
  lstatat,
  lstatatIfAny,
  lutimensat,
  mkdirat,
  mknodat,
  O_PATH,
  openat,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  symlinkat,
} from '../sys/libc.ts';
import { listDirectory, procPath } from '../sys/root-directory.ts';
import type { ApplyOptions } from './apply-options.ts';
import { type ByteString, byteString, bytesOf, displayName } from './copy-walk.ts';
import { isKeptXattr } from './copy-xattr.ts';
import { cleanName, cleanPath, invalidEntry, quoted } from './entry-name.ts';
import { IdMap } from './id-map.ts';
import { PathSet } from './path-set.ts';
import { removeTreeAt } from './remove-tree.ts';
import { joinBytes, TreeDirectories, type TreeDirectory } from './tree-directories.ts';
import { whiteoutMeaning } from './whiteout.ts';

const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const READ_DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const MISSING_PARENT_MODE = 0o755;
const S_ISGID = 0o2000;
/** These say that the layer asks for something impossible; other errors are the machine's. */
const LAYERS_FAULT: ReadonlySet<string> = new Set([
  'ENAMETOOLONG',
  'ELOOP',
  'ENOTDIR',
  'EISDIR',
  'EEXIST',
  'EINVAL',
  'EPERM',
  'EMLINK',
  'EILSEQ',
]);

interface OpenFile {
  readonly fd: number;
  readonly directory: TreeDirectory;
  readonly name: Buffer;
  readonly path: ByteString;
  readonly entry: TarEntry;
}

export class LayerApplier implements TarHandler, Disposable {
  entries = 0;
  readonly #options: ApplyOptions;
  readonly #ids = IdMap.ofThisProcess();
  readonly #ownUid = process.geteuid?.() ?? -1;
  readonly #ownGid = process.getegid?.() ?? -1;
  readonly #directories: TreeDirectories;
  /** What this layer made or holds something below: later removals spare it. */
  readonly #kept = new PathSet();
  /** What this layer has an entry for. */
  readonly #explicit = new PathSet();
  /** Directories without anything of the lower layers. */
  readonly #clean = new PathSet();
  /** mtimes that directories have in the end: those of the layer, or the old ones where it does not say. */
  readonly #directoryTimes = new Map<ByteString, Timestamp>();
  readonly #setgid = new Set<ByteString>();
  readonly #skippedDevices = new Set<ByteString>();
  #current: TarEntry | undefined;
  #file: OpenFile | undefined;

  constructor(rootPath: string, options: ApplyOptions) {
    this.#options = options;
    this.#directories = new TreeDirectories(rootPath, (parent, name, path) => this.#makeMissing(parent, name, path));
  }

  entry(entry: TarEntry): void {
    this.entries += 1;
    this.#current = entry;
    this.#options.onEntry?.(entry);
    this.#guard(entry, () => this.#apply(entry));
  }

  data(chunk: Buffer): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#guard(file.entry, () => writeFully(file.fd, chunk));
  }

  entryEnd(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    try {
      this.#guard(file.entry, () => this.#completeFile(file));
    } finally {
      file.directory.pins -= 1;
      closeSync(file.fd);
    }
  }

  /** Sets the times of directories, which entries in them have changed. */
  finish(): void {
    for (const [path, mtime] of [...this.#directoryTimes].reverse()) {
      if (path === '') {
        lutimensat(this.#directories.root.fd, '.', mtime);
        continue;
      }
      const cut = path.lastIndexOf('/');
      const parent = this.#directories.findExactly(cut === -1 ? '' : path.slice(0, cut));
      if (parent === undefined) continue;
      const name = bytesOf(path.slice(cut + 1));
      const stat = lstatatIfAny(parent.fd, name);
      // What was a directory may have been replaced since.
      if (stat !== undefined && (stat.mode & S_IFMT) === S_IFDIR) lutimensat(parent.fd, name, mtime);
    }
  }

  [Symbol.dispose](): void {
    if (this.#file !== undefined) closeSync(this.#file.fd);
    this.#file = undefined;
    this.#directories[Symbol.dispose]();
  }

  /** Names the entry in what goes wrong. */
  #guard(entry: TarEntry, work: () => void): void {
    try {
      work();
    } catch (cause) {
      const errno = errnoOf(cause);
      if (errno === undefined || !LAYERS_FAULT.has(errno)) throw cause;
      throw invalidEntry(entry, (cause as Error).message, cause);
    }
  }

  #apply(entry: TarEntry): void {
    const path = cleanName(entry);
    if (path === '') {
      this.#applyRoot(entry);
      return;
    }
    const meaning = whiteoutMeaning(path);
    const cut = path.lastIndexOf('/');
    const parentPath = cut === -1 ? '' : path.slice(0, cut);
    if (meaning.kind !== 'none') {
      // A removal creates nothing, not even the directory it speaks of.
      const parent = meaning.kind === 'ignored' ? undefined : this.#directories.find(parentPath);
      if (parent === undefined) return;
      if (meaning.kind === 'opaque') this.#removeLower(parent);
      else if (meaning.kind === 'removed') this.#whiteOut(parent, meaning.name);
      return;
    }
    this.#requireOwner(entry);
    const parent = this.#directories.make(parentPath);
    this.#create(entry, parent, bytesOf(path.slice(cut + 1)), joinBytes(parent.path, path.slice(cut + 1)));
  }

  #applyRoot(entry: TarEntry): void {
    if (entry.type !== 'directory')
      throw invalidEntry(entry, `the root type is ${entry.type}, and the root is a directory`);
    this.#requireOwner(entry);
    const { root } = this.#directories;
    this.#setDirectoryAttributes(root, Buffer.from('.'), '', entry, false);
  }

  #requireOwner({ type, uid, gid, name }: TarEntry): void {
    if (this.#options.ignoreChownErrors === true || type === 'hardlink') return;
    this.#ids.require(uid, gid, name.toString());
  }

  #create(entry: TarEntry, parent: TreeDirectory, name: Buffer, path: ByteString): void {
    this.#noteTime(parent);
    if (entry.type !== 'hardlink') this.#keep(path);
    switch (entry.type) {
      case 'file':
        this.#startFile(entry, parent, name, path);
        return;
      case 'directory':
        this.#makeDirectory(entry, parent, name, path);
        return;
      case 'hardlink':
        this.#link(entry, parent, name, path);
        return;
      case 'symlink':
        this.#replacing(parent, name, path, () => symlinkat(entry.linkName, parent.fd, name));
        this.#setAttributes(entry, parent, name);
        return;
      case 'fifo':
        this.#replacing(parent, name, path, () => mknodat(parent.fd, name, S_IFIFO | 0o600));
        this.#setAttributes(entry, parent, name);
        return;
      case 'char':
      case 'block':
        this.#makeDevice(entry, parent, name, path);
        return;
    }
  }

  #keep(path: ByteString): void {
    this.#explicit.add(path);
    for (let at = path; at !== '' && this.#kept.add(at); ) at = at.slice(0, Math.max(0, at.lastIndexOf('/')));
    if (this.#directoryTimes.size > 0) this.#directoryTimes.delete(path);
    if (this.#skippedDevices.size > 0) this.#skippedDevices.delete(path);
  }

  /** Before something in it changes: remembers the time the layer does not speak of. */
  #noteTime(directory: TreeDirectory): void {
    if (directory.noted) return;
    directory.noted = true;
    const stat = lstatat(directory.fd, '');
    if ((stat.mode & S_ISGID) !== 0) this.#setgid.add(directory.path);
    if (!this.#directoryTimes.has(directory.path)) this.#directoryTimes.set(directory.path, stat.mtime);
  }

  /** Creates a name; what stands there is removed, with everything below it. */
  #replacing<T>(parent: TreeDirectory, name: Buffer, path: ByteString, create: () => T): T {
    try {
      return create();
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
    }
    this.#remove(parent, name, path);
    return create();
  }

  #remove(parent: TreeDirectory, name: Buffer, path: ByteString): void {
    const stat = lstatatIfAny(parent.fd, name);
    if (stat === undefined) return;
    const type = stat.mode & S_IFMT;
    // These may be what other paths lead through.
    if (type === S_IFDIR || type === S_IFLNK) this.#directories.forget(path);
    removeTreeAt(parent.fd, name);
  }

  // --- files

  #startFile(entry: TarEntry, directory: TreeDirectory, name: Buffer, path: ByteString): void {
    const open = (): number | string => tryOpenAt(directory.fd, byteString(name), NEW_FILE, 0o600);
    let fd = open();
    if (fd === 'EEXIST') {
      this.#remove(directory, name, path);
      fd = open();
    }
    if (typeof fd === 'string') throw callError('create', name, fd);
    directory.pins += 1;
    this.#file = { fd, directory, name, path, entry };
  }

  #completeFile({ fd, directory, name, entry }: OpenFile): void {
    // chown first: the kernel clears setuid, setgid and capabilities on chown(2), so the others must come after.
    const { uid, gid } = this.#ownerOf(entry);
    if (uid !== this.#ownUid || gid !== this.#ownGid || this.#setgid.has(directory.path)) changeOwner(fd, uid, gid);
    this.#setXattrs(entry, directory, name);
    changeMode(fd, entry.mode);
    changeTime(fd, entry.mtime);
  }

  #ownerOf(entry: TarEntry): { readonly uid: number; readonly gid: number } {
    if (this.#options.ignoreChownErrors !== true || this.#ids.holds(entry.uid, entry.gid)) return entry;
    return { uid: this.#ownUid, gid: this.#ownGid };
  }

  #setXattrs(entry: TarEntry, parent: TreeDirectory, name: Buffer): void {
    for (const [attribute, value] of entry.xattrs) {
      if (!isKeptXattr(attribute)) continue;
      try {
        lsetxattr(procPath(parent.fd, name), attribute, value);
      } catch (error) {
        const errno = errnoOf(error) ?? '';
        if (!['EOPNOTSUPP', 'ENOTSUP', 'EPERM', 'EACCES'].includes(errno)) throw error;
        this.#warn('layer.xattr-skipped', `skipped attribute ${attribute} of ${quoted(entry)}: ${errno}`);
      }
    }
  }

  /** Of everything but files: owner, attributes, mode, time. */
  #setAttributes(entry: TarEntry, parent: TreeDirectory, name: Buffer): void {
    const { uid, gid } = this.#ownerOf(entry);
    lchownat(parent.fd, name, uid, gid);
    this.#setXattrs(entry, parent, name);
    if (entry.type !== 'symlink') setMode(parent.fd, name, entry.mode);
    lutimensat(parent.fd, name, entry.mtime);
  }

  // --- directories

  #makeDirectory(entry: TarEntry, parent: TreeDirectory, name: Buffer, path: ByteString): void {
    let isNew = true;
    try {
      mkdirat(parent.fd, name, 0o700);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
      isNew = (lstatat(parent.fd, name).mode & S_IFMT) !== S_IFDIR;
      if (isNew) {
        this.#remove(parent, name, path);
        mkdirat(parent.fd, name, 0o700);
      }
    }
    if (isNew) this.#clean.add(path);
    this.#setDirectoryAttributes(parent, name, path, entry, isNew);
  }

  #setDirectoryAttributes(
    parent: TreeDirectory,
    name: Buffer,
    path: ByteString,
    entry: TarEntry,
    isNew: boolean,
  ): void {
    const { uid, gid } = this.#ownerOf(entry);
    lchownat(parent.fd, name, uid, gid);
    if (!isNew) removeXattrs(parent.fd, name);
    this.#setXattrs(entry, parent, name);
    setMode(parent.fd, name, entry.mode);
    this.#noteDirectory(path, entry.mode, entry.mtime);
  }

  #noteDirectory(path: ByteString, mode: number, mtime: Timestamp): void {
    if ((mode & S_ISGID) !== 0) this.#setgid.add(path);
    else this.#setgid.delete(path);
    this.#directoryTimes.set(path, mtime);
  }

  #makeMissing(parent: TreeDirectory, name: Buffer, path: ByteString): void {
    this.#noteTime(parent);
    mkdirat(parent.fd, name, 0o700);
    this.#clean.add(path);
    this.#resetDirectory(parent.fd, name, path);
  }

  /** The attributes of a directory that no layer says anything about. */
  #resetDirectory(parentFd: number, name: Buffer, path: ByteString): void {
    lchownat(parentFd, name, 0, 0);
    removeXattrs(parentFd, name);
    setMode(parentFd, name, MISSING_PARENT_MODE);
    this.#noteDirectory(path, MISSING_PARENT_MODE, this.#current!.mtime);
  }

  // --- links and devices

  #link(entry: TarEntry, parent: TreeDirectory, name: Buffer, path: ByteString): void {
    const target = cleanPath(entry.linkName, entry, 'link target');
    const cut = target.lastIndexOf('/');
    parent.pins += 1;
    try {
      const directory = this.#directories.find(cut === -1 ? '' : target.slice(0, cut));
      const targetName = bytesOf(target.slice(cut + 1));
      const targetPath = directory === undefined ? target : joinBytes(directory.path, target.slice(cut + 1));
      if (this.#skippedDevices.has(targetPath)) {
        this.#skipDevice(entry, parent, name, path);
        return;
      }
      const stat = directory === undefined || target === '' ? undefined : lstatatIfAny(directory.fd, targetName);
      if (directory === undefined || stat === undefined) {
        throw invalidEntry(entry, `the link target ${JSON.stringify(displayName(target))} does not exist in the image`);
      }
      if ((stat.mode & S_IFMT) === S_IFDIR) throw invalidEntry(entry, 'a hard link to a directory is not possible');
      if (targetPath === path) throw invalidEntry(entry, 'it is a hard link to itself');
      if (targetPath.startsWith(`${path}/`))
        throw invalidEntry(entry, 'it would replace the directory its target is in');
      directory.pins += 1;
      try {
        this.#keep(path);
        this.#replacing(parent, name, path, () => linkat(directory.fd, targetName, parent.fd, name));
      } finally {
        directory.pins -= 1;
      }
    } finally {
      parent.pins -= 1;
    }
  }

  #makeDevice(entry: TarEntry, parent: TreeDirectory, name: Buffer, path: ByteString): void {
    if (entry.type === 'char' && entry.devMajor === 0 && entry.devMinor === 0) {
      this.#skipDevice(entry, parent, name, path);
      return;
    }
    const type = entry.type === 'char' ? S_IFCHR : S_IFBLK;
    try {
      this.#replacing(parent, name, path, () => mknodat(parent.fd, name, type | 0o600, entry.devMajor, entry.devMinor));
    } catch (error) {
      if (errnoOf(error) !== 'EPERM') throw error;
      this.#skipDevice(entry, parent, name, path);
      return;
    }
    this.#setAttributes(entry, parent, name);
  }

  /** What the device would have replaced is gone all the same. */
  #skipDevice(entry: TarEntry, parent: TreeDirectory, name: Buffer, path: ByteString): void {
    this.#remove(parent, name, path);
    this.#skippedDevices.add(path);
    const what =
      entry.type === 'hardlink' ? 'a link to a skipped device' : `device ${entry.devMajor}:${entry.devMinor}`;
    this.#warn('layer.device-skipped', `skipped ${quoted(entry)}: ${what} cannot be made here`);
  }

  #warn(code: string, text: string): void {
    this.#options.emit?.({ type: 'warning', code, text });
  }

  // --- removals

  /** `.wh.name`: removes what lower layers have there, never what this layer put there. */
  #whiteOut(parent: TreeDirectory, name: ByteString): void {
    const path = joinBytes(parent.path, name);
    this.#noteTime(parent);
    const bytes = bytesOf(name);
    if (!this.#kept.has(path)) {
      this.#remove(parent, bytes, path);
      return;
    }
    const stat = lstatatIfAny(parent.fd, bytes);
    if (stat === undefined || (stat.mode & S_IFMT) !== S_IFDIR) return;
    this.#removeLowerBelow(parent, bytes, path);
  }

  /** Removes everything in a directory that lower layers put there, at any depth. */
  #removeLower(directory: TreeDirectory): void {
    if (!this.#clean.add(directory.path)) return;
    this.#noteTime(directory);
    directory.pins += 1;
    const fd = openat(directory.fd, '.', READ_DIRECTORY);
    try {
      for (const name of listDirectory(fd)) {
        const path = joinBytes(directory.path, byteString(name));
        if (!this.#kept.has(path)) {
          this.#remove(directory, name, path);
        } else if ((lstatat(fd, name).mode & S_IFMT) === S_IFDIR) {
          this.#removeLowerBelow(directory, name, path);
        }
      }
    } finally {
      closeSync(fd);
      directory.pins -= 1;
    }
  }

  /** The same for a directory that this layer holds something in, and which is new if the layer does not list it. */
  #removeLowerBelow(parent: TreeDirectory, name: Buffer, path: ByteString): void {
    if (this.#clean.has(path)) return;
    const directory = this.#directories.findExactly(path);
    if (directory === undefined) return;
    if (!this.#explicit.has(path)) this.#resetDirectory(parent.fd, name, path);
    this.#removeLower(directory);
  }
}

function setMode(parentFd: number, name: Buffer, mode: number): void {
  // chmod(2) follows links, so it is given the very file that is open, which cannot be a link.
  const fd = openat(parentFd, name, O_PATH | constants.O_NOFOLLOW);
  try {
    chmodSync(procPath(fd), mode);
  } finally {
    closeSync(fd);
  }
}

function removeXattrs(parentFd: number, name: Buffer): void {
  const path = procPath(parentFd, name);
  for (const attribute of llistxattr(path)) if (isKeptXattr(attribute)) lremovexattr(path, attribute);
}
