/**
 * Archives as ADD sources: a file whose content is a tar, plain or compressed, is unpacked into the destination.
 *
 * Names are cleaned first (`..` and a leading `/` stay below the destination) and then walked through links that
 * the kernel keeps inside the root filesystem, so that neither a name nor a link of the archive leads outside.
 * Whiteout names mean nothing here: they are files like others.
 */
import { closeSync, constants, fstatSync, readSync } from 'node:fs';
import { decompress, detectCompression } from '../archive/compression.ts';
import type { TarEntry } from '../archive/tar-entry.ts';
import { decodeHeader } from '../archive/tar-header.ts';
import { type TarHandler, TarParser } from '../archive/tar-parser.ts';
import { BuilderError } from '../report/builder-error.ts';
import { resolveDestination } from '../rootfs/copy-destination.ts';
import type { CopyRules } from '../rootfs/copy-rules.ts';
import { type CopyAttributes, openTargetDirectory, TargetDirectory } from '../rootfs/copy-target.ts';
import { type ByteString, byteString, bytesOf, type CopyEntry, displayName } from '../rootfs/copy-walk.ts';
import { isKeptXattr } from '../rootfs/copy-xattr.ts';
import type { Bytes } from '../spec/target.ts';
import { writeFully } from '../sys/file-write.ts';
import { lstatatIfAny, openat, S_IFBLK, S_IFCHR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG } from '../sys/libc.ts';
import { type RootDirectory, splitPath } from '../sys/root-directory.ts';

export type ArchiveFormat = 'tar' | 'compressed';

const BLOCK = 512;
const CHUNK = 1 << 20;
/** Opens a regular source file to look into it; undefined for anything else. The caller closes it. */
export function openSourceFile(entry: CopyEntry, fd: number): number | undefined {
  if (entry.inline !== undefined || (entry.stat.mode & S_IFMT) !== S_IFREG) return undefined;
  const input = openat(fd, bytesOf(entry.name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  if (fstatSync(input).isFile()) return input;
  closeSync(input);
  return undefined;
}

/**
 * Whether the file open as `fd` is an archive: content decides, not the name, and the first header must be a sound
 * one. A compressed file that holds something else is no archive and is copied as it is.
 */
export async function archiveFormat(fd: number): Promise<ArchiveFormat | undefined> {
  const start = Buffer.alloc(BLOCK);
  const length = readSync(fd, start, 0, BLOCK, 0);
  if (isTarStart(start.subarray(0, length))) return 'tar';
  if (detectCompression(start.subarray(0, length)) === 'none') return undefined;
  try {
    return isTarStart(await firstBlock(decompress(contentOf(fd, CHUNK >> 4)))) ? 'compressed' : undefined;
  } catch (error) {
    // Looks compressed and is damaged from the start: just a file.
    if (error instanceof BuilderError && error.code === 'compression.invalid') return undefined;
    throw error;
  }
}

function isTarStart(block: Buffer): boolean {
  if (block.length < BLOCK || block.every((byte) => byte === 0)) return false;
  try {
    decodeHeader(block, 0);
    return true;
  } catch {
    return false;
  }
}

async function firstBlock(bytes: Bytes): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const chunk of bytes) {
    parts.push(Buffer.from(chunk.subarray(0, BLOCK)));
    length += chunk.length;
    if (length >= BLOCK) break;
  }
  return Buffer.concat(parts).subarray(0, BLOCK);
}

async function* contentOf(fd: number, chunkBytes = CHUNK): Bytes {
  for (let position = 0; ; ) {
    const chunk = Buffer.allocUnsafe(chunkBytes);
    const count = readSync(fd, chunk, 0, chunkBytes, position);
    if (count === 0) return;
    position += count;
    yield chunk.subarray(0, count);
  }
}

export interface UnpackOptions {
  readonly root: RootDirectory;
  /** Existing directory in the root, links resolved. */
  readonly directory: ByteString;
  /** Owner and time apply; the modes are the archive's. */
  readonly rules: CopyRules;
  readonly signal?: AbortSignal | undefined;
}

/** @throws `tar.invalid`, `compression.invalid`, `copy.invalid` */
export async function unpackArchive(fd: number, format: ArchiveFormat, o: UnpackOptions): Promise<void> {
  const unpacker = new Unpacker(o);
  const parser = new TarParser(unpacker);
  try {
    const content = contentOf(fd);
    for await (const chunk of format === 'tar' ? content : decompress(content)) {
      o.signal?.throwIfAborted();
      parser.push(chunk);
      if (parser.isEnded) break;
    }
    parser.finish();
    unpacker.finish();
  } finally {
    unpacker.abandon();
  }
}

interface OpenFile {
  readonly fd: number;
  readonly name: Buffer;
  readonly attributes: CopyAttributes;
  position: number;
}

/** Writes members as they come. Directory times are set at the end: what is put into them would change them. */
class Unpacker implements TarHandler {
  readonly #o: UnpackOptions;
  #parent: TargetDirectory | undefined;
  #parentName: ByteString | undefined;
  #file: OpenFile | undefined;
  readonly #directories = new Map<ByteString, CopyAttributes>();

  constructor(o: UnpackOptions) {
    this.#o = o;
  }

  entry(entry: TarEntry): void {
    const path = this.#pathOf(entry.name);
    const attributes = this.#attributesOf(entry);
    if (path === '') {
      // The destination is there already and keeps its own attributes, as with a copied directory.
      if (entry.type !== 'directory') throw refusal(entry, 'it would replace the destination itself');
      return;
    }
    const slash = path.lastIndexOf('/');
    const parent = this.#open(path.slice(0, Math.max(0, slash)));
    const name = path.slice(slash + 1);
    if (entry.type === 'directory') this.#directory(parent, name, attributes);
    else this.#nonDirectory(parent, bytesOf(name), entry, attributes);
  }

  data(chunk: Buffer): void {
    const file = this.#file!;
    writeFully(file.fd, chunk, file.position);
    file.position += chunk.length;
  }

  entryEnd(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    try {
      this.#parent!.finishFile(file.fd, file.name, file.attributes);
    } finally {
      closeSync(file.fd);
    }
  }

  finish(): void {
    this.#parent?.close();
    this.#parent = undefined;
    for (const [path, attributes] of [...this.#directories].reverse()) this.#settle(path, attributes);
  }

  abandon(): void {
    if (this.#file !== undefined) closeSync(this.#file.fd);
    this.#file = undefined;
    this.#parent?.abandon();
  }

  #directory(parent: TargetDirectory, name: ByteString, attributes: CopyAttributes): void {
    const there = lstatatIfAny(parent.fd, bytesOf(name));
    const directory = parent.directory(name, { ...attributes, mode: 0o700, mtime: undefined });
    directory.close();
    // One that was there takes those of the archive; one behind a link, which the archive knows nothing of, keeps its own.
    const isBehindLink = there !== undefined && (there.mode & S_IFMT) === S_IFLNK;
    if (!isBehindLink || this.#directories.has(directory.path)) this.#directories.set(directory.path, attributes);
  }

  #nonDirectory(parent: TargetDirectory, name: Buffer, entry: TarEntry, attributes: CopyAttributes): void {
    const { type, devMajor, devMinor } = entry;
    if (type === 'file') this.#file = { fd: parent.createFile(name, attributes.mode), name, attributes, position: 0 };
    else if (type === 'symlink') parent.symlink(name, entry.linkName, attributes);
    else if (type === 'hardlink') this.#hardLink(parent, name, entry);
    else if (type === 'fifo') parent.node(name, S_IFIFO, 0, 0, attributes);
    else if (type === 'block') parent.node(name, S_IFBLK, devMajor, devMinor, attributes);
    else if (devMajor === 0 && devMinor === 0) throw refusal(entry, 'device 0:0 would hide files');
    else parent.node(name, S_IFCHR, devMajor, devMinor, attributes);
  }

  /** The target is named from the top of the archive and must be in it: links on the way are resolved inside the root. */
  #hardLink(parent: TargetDirectory, name: Buffer, entry: TarEntry): void {
    const target = this.#pathOf(entry.linkName);
    const slash = target.lastIndexOf('/');
    const from = this.#resolved(target.slice(0, Math.max(0, slash)));
    const path = from === '' ? target.slice(slash + 1) : `${from}/${target.slice(slash + 1)}`;
    if (path === parent.pathOf(byteString(name))) return;
    const stat = path === '' ? undefined : this.#o.root.stat(bytesOf(path));
    if (stat === undefined) throw refusal(entry, `its target ${shown(entry.linkName)} does not exist`);
    if (!parent.link(name, path, stat.ino)) throw refusal(entry, `it cannot be linked to ${shown(entry.linkName)}`);
  }

  /** Cleaned: below the destination whatever the member calls itself. */
  #pathOf(name: Buffer): ByteString {
    const parts: ByteString[] = [];
    for (const part of splitPath(name)) {
      const text = byteString(part);
      if (text === '..') parts.pop();
      else parts.push(text);
    }
    return parts.join('/');
  }

  #resolved(path: ByteString): ByteString {
    const { directory } = this.#o;
    return resolveDestination(this.#o.root, [directory, path].filter((part) => part !== '').join('/')).path;
  }

  #open(path: ByteString): TargetDirectory {
    if (this.#parent !== undefined && this.#parentName === path) return this.#parent;
    this.#parent?.close();
    this.#parent = undefined;
    const { owner, timestamp } = this.#o.rules;
    const attributes = { ...(owner ?? { uid: 0, gid: 0 }), mode: 0o755, mtime: timestamp };
    this.#parent = openTargetDirectory(this.#o.root, this.#resolved(path), attributes);
    this.#parentName = path;
    return this.#parent;
  }

  #settle(path: ByteString, attributes: CopyAttributes): void {
    const fd = this.#o.root.openDirectory(bytesOf(path));
    let directory: TargetDirectory;
    try {
      directory = new TargetDirectory(this.#o.root, fd, path, attributes);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    directory.close();
  }

  #attributesOf(entry: TarEntry): CopyAttributes {
    const { owner, timestamp } = this.#o.rules;
    const xattrs = new Map([...entry.xattrs].filter(([name]) => isKeptXattr(name)));
    return {
      mode: entry.mode & 0o7777,
      ...(owner ?? { uid: entry.uid, gid: entry.gid }),
      mtime: timestamp ?? entry.mtime,
      xattrs: xattrs.size === 0 ? undefined : xattrs,
    };
  }
}

const shown = (name: Buffer): string => JSON.stringify(displayName(byteString(name)));

function refusal(entry: TarEntry, why: string): BuilderError {
  return new BuilderError('tar.invalid', `cannot unpack ${shown(entry.name)}: ${why}`);
}
