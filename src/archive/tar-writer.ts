/**
 * Tar members to bytes: POSIX ustar, with a PAX header in front only where ustar cannot hold a value. The same entry
 * always gives the same bytes, on every machine and in every release: layers are named by their digest.
 *
 * What the fields of a header leave to choice is fixed so: user and group names are empty, a directory's name ends in
 * a slash, members other than files have size 0, the PAX header's own name and attributes are constants.
 */
import { BuilderError } from '../report/builder-error.ts';
import type { Timestamp } from '../spec/timestamp.ts';
import { encodePaxRecord, encodePaxTime } from './pax-record.ts';
import type { TarEntry, TarEntryType } from './tar-entry.ts';
import { BLOCK_SIZE, TYPE_FLAG } from './tar-header.ts';
import { DEFAULT_TAR_LIMITS } from './tar-limits.ts';

/** Two zero blocks. GNU tar would fill up to 10 KiB; Go and POSIX ask for no more than these. */
export const END_OF_ARCHIVE: Buffer = Buffer.alloc(2 * BLOCK_SIZE);

const PADDINGS: readonly Buffer[] = Array.from({ length: BLOCK_SIZE }, (_, length) => Buffer.alloc(length));

/** The zeros that follow `size` bytes of content. The buffer is shared: do not write to it. */
export function padding(size: number): Buffer {
  return PADDINGS[(BLOCK_SIZE - (size % BLOCK_SIZE)) % BLOCK_SIZE]!;
}

const MAX_OCTAL_7 = 0o7777777;
const MAX_OCTAL_11 = 0o77777777777;
const NAME_LENGTH = 100;
const PREFIX_LENGTH = 155;
const PAX_HEADER_NAME = Buffer.from('PaxHeaders.0/entry');

const FLAGS: Readonly<Record<TarEntryType, number>> = {
  file: TYPE_FLAG.file,
  hardlink: TYPE_FLAG.hardlink,
  symlink: TYPE_FLAG.symlink,
  char: TYPE_FLAG.char,
  block: TYPE_FLAG.block,
  directory: TYPE_FLAG.directory,
  fifo: TYPE_FLAG.fifo,
};

/**
 * All header blocks of an entry: 512 bytes, or more with a PAX header in front.
 * @throws BuilderError `tar.invalid` when its records exceed 1 MiB, which no reader would take, or a device number
 *   exceeds what ustar holds
 */
export function encodeEntry(entry: TarEntry): Buffer {
  const records = isPlain(entry) ? '' : paxRecords(entry);
  const blocks = Buffer.alloc(paxLength(records) + BLOCK_SIZE);
  writeBlocks(blocks, 0, entry, records);
  return blocks;
}

/**
 * Writes the header blocks into `target` at `offset`.
 * @returns bytes written, or 0 with nothing written when they do not fit: flush `target` and try again, or use
 *   `encodeEntry` when it is empty already
 * @throws as `encodeEntry`
 */
export function encodeEntryInto(target: Buffer, offset: number, entry: TarEntry): number {
  const records = isPlain(entry) ? '' : paxRecords(entry);
  const length = paxLength(records) + BLOCK_SIZE;
  if (length > target.length - offset) return 0;
  target.fill(0, offset, offset + length);
  writeBlocks(target, offset, entry, records);
  return length;
}

/** Bytes of the PAX header that these records take. */
function paxLength(records: string): number {
  return records.length === 0 ? 0 : BLOCK_SIZE + records.length + padding(records.length).length;
}

function writeBlocks(target: Buffer, offset: number, entry: TarEntry, records: string): void {
  if (records.length > 0) writePaxHeader(target, offset, records);
  writeHeader(target, offset + paxLength(records), entry);
}

/** Whether ustar holds everything, without a search for a place to split the name. */
function isPlain(entry: TarEntry): boolean {
  const { name, linkName, mtime } = entry;
  return (
    name.length < NAME_LENGTH &&
    linkName.length <= NAME_LENGTH &&
    mtime.nanoseconds === 0 &&
    mtime.seconds >= 0 &&
    mtime.seconds <= MAX_OCTAL_11 &&
    entry.uid <= MAX_OCTAL_7 &&
    entry.gid <= MAX_OCTAL_7 &&
    entry.size <= MAX_OCTAL_11 &&
    entry.xattrs.size === 0 &&
    isAscii(name) &&
    isAscii(linkName)
  );
}

function isAscii(bytes: Buffer): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i]! > 0x7e) return false;
  return true;
}

/** The path as written: a directory's ends in a slash. */
function pathOf(entry: TarEntry): Buffer {
  if (entry.type !== 'directory' || entry.name.at(-1) === 0x2f) return entry.name;
  return Buffer.concat([entry.name, Buffer.from('/')]);
}

/** Index of the slash that splits a path into prefix and name; 0 when it fits without, -1 when it cannot be split. */
function splitPath(path: Buffer): number {
  if (path.length <= NAME_LENGTH) return 0;
  if (path.length > PREFIX_LENGTH + 1 + NAME_LENGTH) return -1;
  // A slash at the very end belongs to the name, which must not be empty.
  const slash = path.lastIndexOf(0x2f, Math.min(PREFIX_LENGTH, path.length - 2));
  return slash > 0 && path.length - slash - 1 <= NAME_LENGTH ? slash : -1;
}

function sizeOf(entry: TarEntry): number {
  return entry.type === 'file' ? entry.size : 0;
}

function writePaxHeader(target: Buffer, offset: number, records: string): void {
  const header = new HeaderBlock(target, offset);
  header.bytes(0, PAX_HEADER_NAME, NAME_LENGTH);
  header.attributes(0o644, 0, 0, records.length, 0, TYPE_FLAG.pax);
  header.finish();
  target.write(records, offset + BLOCK_SIZE, 'latin1');
}

/**
 * What ustar cannot hold, as PAX records (latin1: one char a byte), empty when it holds everything after all. In a
 * fixed order: path, linkpath, uid, gid, size, mtime, then attributes by name.
 */
function paxRecords(entry: TarEntry): string {
  const { linkName, uid, gid, mtime } = entry;
  const path = pathOf(entry);
  const size = sizeOf(entry);
  let records = '';
  if (!isAscii(path) || splitPath(path) === -1) records += encodePaxRecord('path', path.toString('latin1'));
  if (!isAscii(linkName) || linkName.length > NAME_LENGTH) {
    records += encodePaxRecord('linkpath', linkName.toString('latin1'));
  }
  if (uid > MAX_OCTAL_7) records += encodePaxRecord('uid', String(uid));
  if (gid > MAX_OCTAL_7) records += encodePaxRecord('gid', String(gid));
  if (size > MAX_OCTAL_11) records += encodePaxRecord('size', String(size));
  if (clampTime(mtime) !== mtime.seconds || mtime.nanoseconds !== 0) {
    records += encodePaxRecord('mtime', encodePaxTime(mtime));
  }
  if (entry.xattrs.size > 0) records += xattrRecords(entry.xattrs);
  requireReadable(entry, records.length);
  return records;
}

function requireReadable(entry: TarEntry, bytes: number): void {
  if (bytes <= DEFAULT_TAR_LIMITS.maxExtensionBytes) return;
  const name = JSON.stringify(entry.name.toString('utf8'));
  throw new BuilderError(
    'tar.invalid',
    `cannot write ${name} to a tar archive: its name and extended attributes take ${bytes} bytes, more than readers accept`,
    { facts: { bytes } },
  );
}

function xattrRecords(xattrs: ReadonlyMap<string, Buffer>): string {
  const named = [...xattrs].map(([name, value]) => ({ name: Buffer.from(name).toString('latin1'), value }));
  named.sort((a, b) => (a.name < b.name ? -1 : 1));
  return named.map(({ name, value }) => xattrRecord(name, value)).join('');
}

function xattrRecord(name: string, value: Buffer): string {
  // "=" would end the key too early; libarchive's spelling escapes it.
  if (!name.includes('=')) return encodePaxRecord(`SCHILY.xattr.${name}`, value.toString('latin1'));
  const escaped = name.replace(/[%=]/g, (char) => (char === '=' ? '%3D' : '%25'));
  return encodePaxRecord(`LIBARCHIVE.xattr.${escaped}`, value.toString('base64').replace(/=+$/, ''));
}

function clampTime(time: Timestamp): number {
  return Math.min(Math.max(time.seconds, 0), MAX_OCTAL_11);
}

/** Writes the member's own header over zeros; what PAX says better is left out or cut to fit. */
function writeHeader(target: Buffer, offset: number, entry: TarEntry): void {
  const header = new HeaderBlock(target, offset);
  writePath(header, entry);
  const size = sizeOf(entry);
  header.attributes(
    entry.mode & 0o7777,
    entry.uid > MAX_OCTAL_7 ? 0 : entry.uid,
    entry.gid > MAX_OCTAL_7 ? 0 : entry.gid,
    size > MAX_OCTAL_11 ? 0 : size,
    clampTime(entry.mtime),
    FLAGS[entry.type],
  );
  if (entry.linkName.length > 0) header.bytes(157, entry.linkName, NAME_LENGTH);
  if (entry.type === 'char' || entry.type === 'block') {
    requireDeviceNumber(entry, entry.devMajor);
    requireDeviceNumber(entry, entry.devMinor);
    header.octal(329, 7, entry.devMajor);
    header.octal(337, 7, entry.devMinor);
  } else {
    header.octal(329, 7, 0);
    header.octal(337, 7, 0);
  }
  header.finish();
}

function writePath(header: HeaderBlock, entry: TarEntry): void {
  if (entry.name.length < NAME_LENGTH) {
    header.bytes(0, entry.name, NAME_LENGTH);
    if (entry.type === 'directory' && entry.name.at(-1) !== 0x2f) header.byte(entry.name.length, 0x2f);
    return;
  }
  const path = pathOf(entry);
  const slash = isAscii(path) ? splitPath(path) : -1;
  if (slash <= 0) {
    header.bytes(0, path, NAME_LENGTH);
    return;
  }
  header.bytes(0, path.subarray(slash + 1), NAME_LENGTH);
  header.bytes(345, path.subarray(0, slash), PREFIX_LENGTH);
}

function requireDeviceNumber(entry: TarEntry, value: number): void {
  if (value >= 0 && value <= MAX_OCTAL_7) return;
  const name = JSON.stringify(entry.name.toString('utf8'));
  throw new BuilderError('tar.invalid', `cannot write ${name} to a tar archive: device number ${value} is too large`);
}

const ZERO = 0x30;

/** One header block over zeros. The checksum grows with each byte written, so no second pass is needed. */
class HeaderBlock {
  readonly #target: Buffer;
  readonly #offset: number;
  // Eight spaces stand in for the checksum itself; the rest is "ustar" NUL "00".
  #sum = 8 * 0x20;

  constructor(target: Buffer, offset: number) {
    this.#target = target;
    this.#offset = offset;
  }

  byte(at: number, value: number): void {
    this.#target[this.#offset + at] = value;
    this.#sum += value;
  }

  /** At most `limit` bytes of `source`. */
  bytes(at: number, source: Buffer, limit: number): void {
    const target = this.#target;
    const start = this.#offset + at;
    const length = Math.min(source.length, limit);
    let sum = 0;
    for (let i = 0; i < length; i++) {
      const value = source[i]!;
      target[start + i] = value;
      sum += value;
    }
    this.#sum += sum;
  }

  /** `digits` octal digits; the NUL after them is there already. */
  octal(at: number, digits: number, value: number): void {
    const target = this.#target;
    let position = this.#offset + at + digits;
    let rest = value;
    let sum = 0;
    // Above 2³⁰ bit operations would go wrong; below they are faster.
    for (; rest > 0x3fffffff; rest = Math.floor(rest / 8)) {
      const digit = rest % 8;
      target[--position] = ZERO + digit;
      sum += digit;
    }
    for (const first = this.#offset + at; position > first; rest >>= 3) {
      target[--position] = ZERO + (rest & 7);
      sum += rest & 7;
    }
    this.#sum += sum + digits * ZERO;
  }

  attributes(mode: number, uid: number, gid: number, size: number, mtime: number, typeFlag: number): void {
    this.octal(100, 7, mode);
    this.octal(108, 7, uid);
    this.octal(116, 7, gid);
    this.octal(124, 11, size);
    this.octal(136, 11, mtime);
    this.byte(156, typeFlag);
    this.bytes(257, USTAR, USTAR.length);
  }

  /** Writes the checksum: six digits, NUL, space. */
  finish(): void {
    const sum = this.#sum;
    this.octal(148, 6, sum);
    this.#target[this.#offset + 155] = 0x20;
  }
}

const USTAR = Buffer.from('ustar\x0000', 'latin1');
