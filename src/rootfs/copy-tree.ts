/**
 * The one pass over a walked tree: copies it, takes its digest, or both. Without a target nothing is written; files
 * whose hash is known from their stat are then not even opened. So the digest of a copy that was made and of one that
 * might be made come from the same lines.
 */
import { hash as hashOnce } from 'node:crypto';
import { closeSync, constants, fstatSync, writeFileSync } from 'node:fs';
import { BuilderError } from '../report/builder-error.ts';
import {
  errnoOf,
  type FileStat,
  lstatat,
  lstatatIfAny,
  O_PATH,
  openat,
  readlinkat,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
} from '../sys/libc.ts';
import { type CopiedContent, copyLargeContent, copySmallContent } from './copy-content.ts';
import type { Pace } from './copy-pace.ts';
import type { CopyRecord, RecordKind, TreeDigest } from './copy-record.ts';
import type { CopyAttributes, TargetDirectory } from './copy-target.ts';
import { type ByteString, byteString, bytesOf, type CopyEntry, displayName } from './copy-walk.ts';
import { readXattrs } from './copy-xattr.ts';

/** What is remembered of a file whose stat did not change. */
export interface KnownContent {
  readonly sha256: string;
  readonly hasXattrs: boolean;
}

/** Hashes by stat. */
export interface ContentMemory {
  lookup(stat: FileStat): KnownContent | undefined;
  remember(stat: FileStat, content: KnownContent): void;
}

export interface PassOptions {
  /** Owner, mode and time that a source with this stat gets. */
  readonly attributesOf: (stat: FileStat) => CopyAttributes;
  /** Receives the facts of every entry; without it no content is hashed. */
  readonly digest?: TreeDigest | undefined;
  readonly memory?: ContentMemory | undefined;
  readonly pace: Pace;
}

/** Counts what a pass went through. */
export interface PassTotals {
  files: number;
  bytes: number;
}

interface FirstName {
  readonly record: ByteString;
  /** Path and inode of the copy made under that name; undefined once a later source of the same name replaced it. */
  made: { readonly path: ByteString; readonly ino: string } | undefined;
}

interface Frame {
  readonly entry: CopyEntry;
  readonly from: number;
  readonly path: ByteString;
  readonly to: TargetDirectory | undefined;
  /** Directories that are there take the attributes of those that are copied onto them. */
  readonly merges: boolean;
  next: number;
}

/** Nothing is written, so nothing needs a name. */
const NO_NAME = Buffer.alloc(0);
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const DIRECTORY = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** One copy: its hard links are found across all the trees that go through it. */
export class TreePass {
  readonly totals: PassTotals = { files: 0, bytes: 0 };
  readonly #o: PassOptions;
  /** By device and inode of the source. */
  readonly #links = new Map<string, FirstName>();
  /** The same by path of the copy. */
  readonly #copies = new Map<ByteString, FirstName>();

  constructor(options: PassOptions) {
    this.#o = options;
  }

  /** Facts of a directory that is itself part of the copy, and its attributes when it has to be made. */
  directory(entry: CopyEntry, from: number, path: ByteString): CopyAttributes {
    const xattrs = readXattrs(from, Buffer.from('.'));
    const attributes = { ...this.#o.attributesOf(entry.stat), xattrs };
    this.#record('directory', path, attributes, '', 0);
    this.totals.files += 1;
    return attributes;
  }

  /**
   * Everything below the directory `entry`, open as `from`, into `to`. Neither is closed.
   * @param merges directories that are there take the attributes of those that are copied onto them
   */
  async children(
    entry: CopyEntry,
    from: number,
    path: ByteString,
    to: TargetDirectory | undefined,
    merges = true,
  ): Promise<void> {
    const stack: Frame[] = [{ entry, from, path, to, merges, next: 0 }];
    try {
      for (let frame = stack[0]!; ; frame = stack.at(-1)!) {
        const child = frame.entry.children![frame.next];
        if (child === undefined) {
          if (stack.length === 1) return;
          stack.pop();
          closeSync(frame.from);
          frame.to?.close();
          continue;
        }
        frame.next += 1;
        const childPath = `${frame.path}/${child.name}`;
        if (child.children !== undefined) stack.push(this.#enter(frame, child, childPath));
        else {
          const slow = this.file(
            child,
            frame.from,
            childPath,
            frame.to,
            frame.to === undefined ? NO_NAME : bytesOf(child.name),
          );
          if (slow !== undefined) await slow;
        }
        if (this.#o.pace.due()) await this.#o.pace.rest();
      }
    } catch (error) {
      for (const frame of stack.slice(1)) frame.to?.abandon();
      for (const frame of stack.slice(1)) closeQuietly(frame.from);
      throw error;
    }
  }

  #enter(frame: Frame, child: CopyEntry, path: ByteString): Frame {
    const from = reading(path, () => openat(frame.from, bytesOf(child.name), DIRECTORY));
    try {
      const attributes = this.directory(child, from, path);
      const { merges } = frame;
      return { entry: child, from, path, to: frame.to?.directory(child.name, attributes, merges), merges, next: 0 };
    } catch (error) {
      closeSync(from);
      throw error;
    }
  }

  /**
   * Anything but a directory, named `entry.name` in the directory open as `from`, to `name` in `to`. A promise only
   * where the file is large: 50,000 of them would cost more than the work.
   */
  file(
    entry: CopyEntry,
    from: number,
    path: ByteString,
    to: TargetDirectory | undefined,
    name: Buffer,
  ): Promise<void> | undefined {
    const { stat } = entry;
    // No layer can hold a socket. What listens beside the sources of a program is no reason to fail.
    if ((stat.mode & S_IFMT) === S_IFSOCK) return undefined;
    this.totals.files += 1;
    const attributes = this.#o.attributesOf(stat);
    if (to !== undefined && this.#copies.size > 0) this.#forgetReplaced(stat, to, name);
    if (entry.inline !== undefined) return this.#inline(entry.inline, path, to, name, attributes);
    switch (stat.mode & S_IFMT) {
      case S_IFREG:
        return this.#regular(entry, from, path, to, name, attributes);
      case S_IFLNK: {
        const target = reading(path, () => readlinkat(from, bytesOf(entry.name)));
        to?.symlink(name, target, attributes);
        return this.#record('symlink', path, { ...attributes, mode: 0o777 }, byteString(target), 0);
      }
      case S_IFIFO:
        return this.#node('fifo', S_IFIFO, stat, path, to, name, attributes);
      case S_IFCHR:
        return this.#node('character', S_IFCHR, stat, path, to, name, attributes);
      case S_IFBLK:
        return this.#node('block', S_IFBLK, stat, path, to, name, attributes);
      default:
        throw new BuilderError('copy.invalid', `cannot copy ${quote(path)}: it is of an unknown type`);
    }
  }

  #inline(data: Buffer, path: ByteString, to: TargetDirectory | undefined, name: Buffer, a: CopyAttributes): undefined {
    if (to !== undefined) writeInline(data, to, name, a);
    this.totals.bytes += data.length;
    const sha256 = this.#o.digest === undefined ? '' : hashOnce('sha256', data, 'hex');
    this.#record('file', path, a, sha256, data.length);
  }

  #node(
    kind: RecordKind,
    type: number,
    stat: FileStat,
    path: ByteString,
    to: TargetDirectory | undefined,
    name: Buffer,
    attributes: CopyAttributes,
  ): undefined {
    const { rdevMajor, rdevMinor } = stat;
    if (type === S_IFCHR && rdevMajor === 0 && rdevMinor === 0) {
      throw new BuilderError('copy.invalid', `cannot copy ${quote(path)}: device 0:0 would hide files in the image`);
    }
    to?.node(name, type, rdevMajor, rdevMinor, attributes);
    this.#record(kind, path, attributes, type === S_IFIFO ? '' : `${rdevMajor}:${rdevMinor}`, 0);
  }

  #regular(
    entry: CopyEntry,
    from: number,
    path: ByteString,
    to: TargetDirectory | undefined,
    name: Buffer,
    plain: CopyAttributes,
  ): Promise<void> | undefined {
    const { stat } = entry;
    const first = this.#firstNameOf(stat);
    if (first !== undefined && (to === undefined || isLinked(first, to, name))) {
      return this.#record('link', path, plain, first.record, 0);
    }
    const known = this.#o.memory?.lookup(stat);
    const xattrs = known?.hasXattrs === false ? undefined : readXattrs(from, bytesOf(entry.name));
    const attributes = xattrs === undefined ? plain : { ...plain, xattrs };
    const done = (copied: CopiedContent): undefined => {
      this.totals.bytes += copied.sizeBytes;
      if (stat.nlink > 1 && first === undefined) this.#noteFirstName(stat, path, to, name);
      // A link that had to be copied again is still a link to the digest, which must not depend on the target.
      if (first !== undefined) return this.#record('link', path, plain, first.record, 0);
      const sha256 = known?.sha256 ?? copied.sha256;
      if (known === undefined && sha256 !== undefined) {
        this.#o.memory?.remember(stat, { sha256, hasXattrs: xattrs !== undefined });
      }
      this.#record('file', path, attributes, sha256 ?? '', copied.sizeBytes);
    };
    if (to === undefined && (known !== undefined || this.#o.digest === undefined)) {
      return done({ sizeBytes: stat.size, sha256: undefined });
    }
    const hash = this.#o.digest !== undefined && known === undefined && first === undefined;
    return this.#content(bytesOf(entry.name), from, path, to, name, attributes, hash, done);
  }

  #noteFirstName(stat: FileStat, path: ByteString, to: TargetDirectory | undefined, name: Buffer): void {
    const made = to === undefined ? undefined : { path: to.pathOf(byteString(name)), ino: lstatat(to.fd, name).ino };
    const first = { record: path, made };
    this.#links.set(`${stat.dev}:${stat.ino}`, first);
    if (made !== undefined) this.#copies.set(made.path, first);
  }

  #firstNameOf(stat: FileStat): FirstName | undefined {
    return stat.nlink > 1 ? this.#links.get(`${stat.dev}:${stat.ino}`) : undefined;
  }

  /** Something else takes the place of a copy: its inode number may be given to any new file from now on. */
  #forgetReplaced(stat: FileStat, to: TargetDirectory, name: Buffer): void {
    const replaced = this.#copies.get(to.pathOf(byteString(name)));
    if (replaced !== undefined && replaced !== this.#firstNameOf(stat)) replaced.made = undefined;
  }

  #content(
    source: Buffer,
    from: number,
    path: ByteString,
    to: TargetDirectory | undefined,
    name: Buffer,
    attributes: CopyAttributes,
    hash: boolean,
    done: (copied: CopiedContent) => undefined,
  ): Promise<void> | undefined {
    const input = reading(path, () => openat(from, source, READ));
    let output: number | undefined;
    let isHandedOver = false;
    const close = (): void => {
      closeSync(input);
      if (output !== undefined) closeSync(output);
    };
    try {
      const now = fstatSync(input);
      if (!now.isFile()) throw changed(path);
      output = to?.createFile(name, attributes.mode);
      const finish = (copied: CopiedContent): undefined => {
        if (output !== undefined) to!.finishFile(output, name, attributes);
        return done(copied);
      };
      const copied = copySmallContent(input, output, now.size, hash);
      if (copied !== undefined) return finish(copied);
      isHandedOver = true;
      return copyLargeContent(input, output, now, { hash, pace: this.#o.pace }).then(finish).finally(close);
    } finally {
      if (!isHandedOver) close();
    }
  }

  #record(kind: RecordKind, path: ByteString, a: CopyAttributes, content: ByteString, sizeBytes: number): undefined {
    if (this.#o.digest === undefined) return;
    const record: CopyRecord = {
      kind,
      path,
      mode: a.mode,
      uid: a.uid,
      gid: a.gid,
      content,
      sizeBytes,
      xattrs: a.xattrs,
    };
    this.#o.digest.add(record);
  }
}

/** Links `name` to the copy of its first name. False when that copy is gone or cannot be linked. */
function isLinked(first: FirstName, to: TargetDirectory, name: Buffer): boolean {
  if (first.made === undefined) return false;
  // The same name again: it is what it should be, and replacing it would remove what it is linked to.
  if (first.made.path === to.pathOf(byteString(name))) return lstatatIfAny(to.fd, name)?.ino === first.made.ino;
  return to.link(name, first.made.path, first.made.ino);
}

/** Content that is not on disk, as it would be copied. */
function writeInline(data: Buffer, to: TargetDirectory, name: Buffer, attributes: CopyAttributes): void {
  const fd = to.createFile(name, attributes.mode);
  try {
    writeFileSync(fd, data);
    to.finishFile(fd, name, attributes);
  } finally {
    closeSync(fd);
  }
}

const quote = (path: ByteString): string => JSON.stringify(displayName(path).replace(/^\d+\/?/, ''));

function changed(path: ByteString, cause?: unknown): BuilderError {
  return new BuilderError('copy.invalid', `cannot copy ${quote(path)}: it changed while it was being copied`, {
    cause,
  });
}

/** Names the file in the error of a call that reads it. */
function reading<T>(path: ByteString, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === 'ENOENT' || errno === 'ELOOP' || errno === 'ENOTDIR' || errno === 'EINVAL' || errno === 'ENXIO') {
      throw changed(path, cause);
    }
    throw new BuilderError('copy.invalid', `cannot read ${quote(path)} (${errno ?? 'failed'})`, { cause });
  }
}

function closeQuietly(fd: number): void {
  try {
    closeSync(fd);
  } catch {
    // The first failure is the one to tell.
  }
}
