/**
 * A push parser for tar archives: ustar, V7, PAX, GNU, sparse files of all kinds. Synchronous and without copies of
 * content, because applying a layer of many small files is bound by what happens per entry.
 *
 * Where archives are ambiguous it follows Go's archive/tar, the reader behind Docker, containerd and Podman: links,
 * directories, devices and FIFOs have no content whatever their size field says; members after the end marker do not
 * exist; GNU long names win over PAX ones. It differs in honouring global PAX headers, as POSIX and GNU tar do, and in
 * keeping an `x` header in force across a `g` header.
 */
import { BuilderError } from '../report/builder-error.ts';
import { PaxGlobals, type PaxRecords, PaxValues, readPaxRecords } from './pax-values.ts';
import type { TarEntry, TarEntryType } from './tar-entry.ts';
import { BLOCK_SIZE, decodeHeader, isZeroBlock, type TarHeader, TYPE_FLAG, tarInvalid, text } from './tar-header.ts';
import { DEFAULT_TAR_LIMITS, type TarLimits } from './tar-limits.ts';
import { oldGnuRealSize, requireSoundMap, type SparseMap, SparseMapReader, SparseTextReader } from './tar-sparse.ts';

/** Receives the members of an archive in order. What its methods throw passes through `push`. */
export interface TarHandler {
  entry(entry: TarEntry): void;
  /** Content of the last entry (files only), in order. `chunk` is valid only during the call. */
  data(chunk: Buffer): void;
  /** The next `size` content bytes are a hole. Without this method holes come to `data` as zeros. */
  hole?(size: number): void;
  /** After the content of each entry, also of one without content. */
  entryEnd?(): void;
}

type State = 'header' | 'content' | 'padding' | 'extension' | 'old-gnu-map' | 'text-map' | 'ended';

/** The largest id: 2³²-1 means "leave as it is" to chown(2). */
const MAX_ID = 0xffff_fffe;
const ZEROS = Buffer.alloc(64 * 1024);
const EMPTY = Buffer.alloc(0);

const EXTENSION_FLAGS: ReadonlySet<number> = new Set([
  TYPE_FLAG.pax,
  TYPE_FLAG.paxGlobal,
  TYPE_FLAG.gnuLongName,
  TYPE_FLAG.gnuLongLink,
]);

const ENTRY_TYPES: Readonly<Record<number, TarEntryType>> = {
  [TYPE_FLAG.fileV7]: 'file',
  [TYPE_FLAG.file]: 'file',
  [TYPE_FLAG.contiguous]: 'file',
  [TYPE_FLAG.gnuSparse]: 'file',
  [TYPE_FLAG.hardlink]: 'hardlink',
  [TYPE_FLAG.symlink]: 'symlink',
  [TYPE_FLAG.char]: 'char',
  [TYPE_FLAG.block]: 'block',
  [TYPE_FLAG.directory]: 'directory',
  [TYPE_FLAG.fifo]: 'fifo',
};

/**
 * Feed it the archive in chunks of any size, then call `finish`.
 * `push` and `finish` throw BuilderError `tar.invalid`, with the byte offset, on anything malformed, unknown or over a
 * limit; after a throw the parser must not be used again.
 */
export class TarParser {
  readonly #handler: TarHandler;
  readonly #limits: TarLimits;
  readonly #globals: PaxGlobals;

  #state: State = 'header';
  /** Archive bytes before the current chunk, and the position in it. */
  #consumed = 0;
  #at = 0;
  /** A block that arrives in pieces, and the bytes of it that are here. */
  readonly #block = Buffer.allocUnsafeSlow(BLOCK_SIZE);
  #filled = 0;
  #sawZeroBlock = false;

  /** Content bytes of the current member still to come, then padding. */
  #remaining = 0;
  #padding = 0;
  #sparse: { readonly map: SparseMap; next: number; position: number; readonly size: number } | undefined;
  #holeBytes = 0;

  #extension = EMPTY;
  #extensionType = 0;
  #extensionCount = 0;
  #pax: PaxRecords | undefined;
  #longName: Buffer | undefined;
  #longLink: Buffer | undefined;
  /** An entry whose sparse map is still being read. */
  #pending: { readonly entry: TarEntry; readonly reader: SparseMapReader | SparseTextReader } | undefined;

  constructor(handler: TarHandler, limits: Partial<TarLimits> = {}) {
    this.#handler = handler;
    this.#limits = { ...DEFAULT_TAR_LIMITS, ...limits };
    this.#globals = new PaxGlobals(this.#limits.maxExtensionBytes);
  }

  /** Whether the end-of-archive marker has been read; what follows it is ignored. */
  get isEnded(): boolean {
    return this.#state === 'ended';
  }

  push(chunk: Uint8Array): void {
    const input = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    this.#at = 0;
    try {
      while (this.#at < input.length && this.#state !== 'ended') this.#step(input);
    } catch (error) {
      throw located(error, this.#consumed + this.#at);
    }
    this.#consumed += input.length;
  }

  /**
   * Declares the archive complete. Without an end marker it is complete at the border of a member; nothing at all is
   * an empty archive.
   */
  finish(): void {
    const isBorder = (this.#state === 'header' && this.#filled === 0) || this.#state === 'padding';
    if (this.#state === 'ended' || (isBorder && !this.#hasPendingExtension())) return;
    throw located(tarInvalid('it is truncated'), this.#consumed);
  }

  #step(input: Buffer): void {
    if (this.#state === 'content') this.#readContent(input);
    else if (this.#state === 'padding') this.#readPadding(input);
    else if (this.#state === 'extension') this.#readExtension(input);
    else this.#readBlock(input);
  }

  #readBlock(input: Buffer): void {
    if (this.#filled === 0 && input.length - this.#at >= BLOCK_SIZE) {
      this.#takeBlock(input, this.#at);
      this.#at += BLOCK_SIZE;
      return;
    }
    const taken = input.copy(this.#block, this.#filled, this.#at, this.#at + BLOCK_SIZE - this.#filled);
    this.#at += taken;
    this.#filled += taken;
    if (this.#filled < BLOCK_SIZE) return;
    this.#filled = 0;
    this.#takeBlock(this.#block, 0);
  }

  #takeBlock(block: Buffer, offset: number): void {
    if (this.#state === 'header') this.#takeHeader(block, offset);
    else if (this.#state === 'old-gnu-map') this.#takeOldGnuBlock(block, offset);
    else this.#takeTextBlock(block, offset);
  }

  #takeHeader(block: Buffer, offset: number): void {
    if (block[offset] === 0 && isZeroBlock(block, offset)) {
      if (this.#hasPendingExtension()) throw tarInvalid('an extended header is not followed by a member');
      if (this.#sawZeroBlock) this.#state = 'ended';
      this.#sawZeroBlock = true;
      return;
    }
    if (this.#sawZeroBlock) throw tarInvalid('half of an end marker is followed by a header');
    const header = decodeHeader(block, offset);
    if (EXTENSION_FLAGS.has(header.typeFlag)) this.#beginExtension(header);
    else this.#beginMember(header, block, offset);
  }

  #beginExtension(header: TarHeader): void {
    const { maxExtensionBytes, maxExtensionHeaders } = this.#limits;
    if (header.size > maxExtensionBytes) {
      throw tarInvalid(`an extended header of ${header.size} bytes is larger than ${maxExtensionBytes}`);
    }
    this.#extensionCount += 1;
    if (this.#extensionCount > maxExtensionHeaders) {
      throw tarInvalid(`more than ${maxExtensionHeaders} extended headers in a row`);
    }
    this.#extension = Buffer.allocUnsafe(header.size);
    this.#extensionType = header.typeFlag;
    // PAX sizes are about the member; this header's own size field alone counts here.
    this.#remaining = header.size;
    this.#padding = paddingOf(header.size);
    if (header.size === 0) this.#endExtension();
    else this.#state = 'extension';
  }

  #readExtension(input: Buffer): void {
    const start = this.#extension.length - this.#remaining;
    const taken = input.copy(this.#extension, start, this.#at, this.#at + this.#remaining);
    this.#at += taken;
    this.#remaining -= taken;
    if (this.#remaining === 0) this.#endExtension();
  }

  #endExtension(): void {
    const content = this.#extension;
    this.#extension = EMPTY;
    if (this.#extensionType === TYPE_FLAG.pax) this.#pax = readPaxRecords(content);
    else if (this.#extensionType === TYPE_FLAG.paxGlobal) this.#globals.add(content);
    else if (this.#extensionType === TYPE_FLAG.gnuLongName) this.#longName = text(content, 0, content.length);
    else this.#longLink = text(content, 0, content.length);
    this.#state = this.#padding === 0 ? 'header' : 'padding';
  }

  #hasPendingExtension(): boolean {
    return this.#pax !== undefined || this.#longName !== undefined || this.#longLink !== undefined;
  }

  #beginMember(header: TarHeader, block: Buffer, offset: number): void {
    const pax = this.#pax;
    const values = new PaxValues(pax, this.#globals.values);
    const type = this.#typeOf(header, values);
    const size = type === 'file' ? (values.count('size') ?? header.size) : 0;
    const entry = this.#entryOf(header, values, type, size);
    this.#pax = undefined;
    this.#longName = undefined;
    this.#longLink = undefined;
    this.#extensionCount = 0;
    this.#remaining = size;
    this.#padding = paddingOf(size);
    this.#sparse = undefined;
    if (header.typeFlag === TYPE_FLAG.gnuSparse) this.#beginOldGnuSparse(entry, header, block, offset);
    else if (type !== 'file' || !this.#beginPaxSparse(entry, values, pax)) this.#beginContent(entry);
  }

  #typeOf(header: TarHeader, values: PaxValues): TarEntryType {
    const type = ENTRY_TYPES[header.typeFlag];
    if (type === undefined) {
      const flag = JSON.stringify(String.fromCharCode(header.typeFlag));
      throw tarInvalid(`entry ${this.#shownName(header, values)} has the unknown type ${flag}`);
    }
    // Before ustar a directory was a file whose name ends in a slash.
    if (header.typeFlag === TYPE_FLAG.fileV7 && this.#nameOf(header, values).at(-1) === 0x2f) return 'directory';
    return type;
  }

  #nameOf(header: TarHeader, values: PaxValues): Buffer {
    return nonEmpty(this.#longName) ?? values.bytes('path') ?? header.name;
  }

  #shownName(header: TarHeader, values: PaxValues): string {
    return JSON.stringify(this.#nameOf(header, values).toString('utf8'));
  }

  #entryOf(header: TarHeader, values: PaxValues, type: TarEntryType, size: number): TarEntry {
    const name = this.#nameOf(header, values);
    const uid = values.count('uid') ?? header.uid;
    const gid = values.count('gid') ?? header.gid;
    if (uid > MAX_ID || gid > MAX_ID) {
      throw tarInvalid(`entry ${this.#shownName(header, values)} has an owner beyond ${MAX_ID}: ${uid}:${gid}`);
    }
    const isLink = type === 'hardlink' || type === 'symlink';
    return {
      name: type === 'directory' ? withoutTrailingSlashes(name) : name,
      type,
      mode: header.mode,
      uid,
      gid,
      size,
      mtime: values.time('mtime') ?? { seconds: header.mtime, nanoseconds: 0 },
      linkName: isLink ? (nonEmpty(this.#longLink) ?? values.bytes('linkpath') ?? header.linkName) : EMPTY,
      devMajor: header.devMajor,
      devMinor: header.devMinor,
      xattrs: values.xattrs(),
    };
  }

  #beginOldGnuSparse(entry: TarEntry, header: TarHeader, block: Buffer, offset: number): void {
    if (header.format !== 'gnu') throw tarInvalid('a sparse file of the GNU kind has a header of another kind');
    const reader = new SparseMapReader(this.#limits.maxSparseRegions);
    const expanded = { ...entry, size: oldGnuRealSize(block, offset) };
    if (reader.addOldGnuBlock(block, offset, true)) {
      this.#pending = { entry: expanded, reader };
      this.#state = 'old-gnu-map';
    } else this.#beginSparseContent(expanded, reader.map);
  }

  #takeOldGnuBlock(block: Buffer, offset: number): void {
    const { entry, reader } = this.#pending!;
    if (!(reader as SparseMapReader).addOldGnuBlock(block, offset, false)) this.#beginSparseContent(entry, reader.map);
  }

  /** False when the records describe no sparse file. */
  #beginPaxSparse(entry: TarEntry, values: PaxValues, pax: PaxRecords | undefined): boolean {
    const version = sparseVersion(values, pax);
    if (version === undefined) return false;
    const size = values.count('GNU.sparse.realsize') ?? values.count('GNU.sparse.size') ?? entry.size;
    const expanded = { ...entry, name: values.bytes('GNU.sparse.name') ?? entry.name, size };
    if (version === 1) {
      this.#pending = { entry: expanded, reader: new SparseTextReader(this.#limits.maxSparseRegions) };
      this.#state = 'text-map';
      return true;
    }
    const reader = new SparseMapReader(this.#limits.maxSparseRegions);
    const list = values.bytes('GNU.sparse.map');
    if (list !== undefined) reader.addCommaList(list);
    else for (const value of pax?.sparsePairs ?? []) reader.add(value);
    this.#beginSparseContent(expanded, reader.map);
    return true;
  }

  #takeTextBlock(block: Buffer, offset: number): void {
    const { entry, reader } = this.#pending!;
    if (this.#remaining < BLOCK_SIZE) throw tarInvalid('a sparse map is longer than the content it is part of');
    this.#remaining -= BLOCK_SIZE;
    if ((reader as SparseTextReader).addBlock(block, offset)) this.#beginSparseContent(entry, reader.map);
  }

  #beginSparseContent(entry: TarEntry, map: SparseMap): void {
    this.#pending = undefined;
    requireSoundMap(map, entry.size, this.#remaining);
    this.#holeBytes += entry.size - this.#remaining;
    if (this.#holeBytes > this.#limits.maxHoleBytes) {
      throw tarInvalid(`its sparse files hold more than ${this.#limits.maxHoleBytes} bytes in holes`);
    }
    this.#sparse = { map, next: 0, position: 0, size: entry.size };
    this.#beginContent(entry);
  }

  #beginContent(entry: TarEntry): void {
    this.#handler.entry(entry);
    if (this.#remaining === 0) this.#endContent();
    else this.#state = 'content';
  }

  #readContent(input: Buffer): void {
    const end = Math.min(input.length, this.#at + this.#remaining);
    const part = this.#at === 0 && end === input.length ? input : input.subarray(this.#at, end);
    this.#remaining -= part.length;
    this.#at = end;
    if (this.#sparse === undefined) this.#handler.data(part);
    else this.#expand(part);
    if (this.#remaining === 0) this.#endContent();
  }

  /** Hands on sparse content with the holes before and between it. */
  #expand(part: Buffer): void {
    const sparse = this.#sparse!;
    let at = 0;
    while (at < part.length) {
      const offset = sparse.map[sparse.next]!;
      const end = offset + sparse.map[sparse.next + 1]!;
      if (sparse.position < offset) this.#skipTo(offset);
      const taken = Math.min(part.length - at, end - sparse.position);
      if (taken > 0) this.#handler.data(part.subarray(at, at + taken));
      at += taken;
      sparse.position += taken;
      if (sparse.position === end) sparse.next += 2;
    }
  }

  #skipTo(position: number): void {
    const sparse = this.#sparse!;
    let size = position - sparse.position;
    sparse.position = position;
    if (size === 0) return;
    if (this.#handler.hole !== undefined) {
      this.#handler.hole(size);
      return;
    }
    for (; size > 0; size -= ZEROS.length) this.#handler.data(size >= ZEROS.length ? ZEROS : ZEROS.subarray(0, size));
  }

  #endContent(): void {
    if (this.#sparse !== undefined) this.#skipTo(this.#sparse.size);
    this.#handler.entryEnd?.();
    this.#state = this.#padding === 0 ? 'header' : 'padding';
  }

  #readPadding(input: Buffer): void {
    const skipped = Math.min(this.#padding, input.length - this.#at);
    this.#at += skipped;
    this.#padding -= skipped;
    if (this.#padding === 0) this.#state = 'header';
  }
}

function paddingOf(size: number): number {
  return (BLOCK_SIZE - (size % BLOCK_SIZE)) % BLOCK_SIZE;
}

function nonEmpty(bytes: Buffer | undefined): Buffer | undefined {
  return bytes === undefined || bytes.length === 0 ? undefined : bytes;
}

function withoutTrailingSlashes(name: Buffer): Buffer {
  let end = name.length;
  while (end > 1 && name[end - 1] === 0x2f) end--;
  return end === name.length ? name : name.subarray(0, end);
}

/** 1 for a map in front of the content, 0 for one in the records, undefined for none. */
function sparseVersion(values: PaxValues, pax: PaxRecords | undefined): 0 | 1 | undefined {
  const major = values.bytes('GNU.sparse.major')?.toString('latin1');
  const minor = values.bytes('GNU.sparse.minor')?.toString('latin1');
  if (major === '1' && minor === '0') return 1;
  if (major === '0' && (minor === '0' || minor === '1')) return 0;
  if (major !== undefined || minor !== undefined) {
    throw tarInvalid(`a sparse file has the unknown format version ${major ?? ''}.${minor ?? ''}`);
  }
  // Versions 0.0 and 0.1 did not use to say so.
  const hasMap = values.bytes('GNU.sparse.map') !== undefined || (pax?.sparsePairs.length ?? 0) > 0;
  return hasMap || values.bytes('GNU.sparse.numblocks') !== undefined ? 0 : undefined;
}

/** Adds the place to an error of ours; others pass as they are. */
function located(error: unknown, offset: number): unknown {
  if (!(error instanceof BuilderError) || error.code !== 'tar.invalid' || 'offset' in error.facts) return error;
  return new BuilderError('tar.invalid', `${error.message} (at byte ${offset})`, { facts: { ...error.facts, offset } });
}
