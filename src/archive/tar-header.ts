/**
 * The 512-byte header block: V7, POSIX ustar and GNU, bytes to values. The encoder is in tar-writer.ts, where speed
 * shapes it.
 *
 * Numbers are read as strictly as Go's archive/tar reads them, since every tool that will meet our layers uses it:
 * octal digits only, between spaces and NULs, or GNU's base-256. What Go refuses is refused here, so that no archive
 * means one thing to us and another to a registry's scanner.
 */
import { BuilderError } from '../report/builder-error.ts';

/** Size of a header block; content is padded to a multiple of it. */
export const BLOCK_SIZE = 512;

/** Type flags by name. @see POSIX pax "ustar Interchange Format"; GNU tar manual, "Basic Tar Format" */
export const TYPE_FLAG = {
  fileV7: 0,
  file: 0x30,
  hardlink: 0x31,
  symlink: 0x32,
  char: 0x33,
  block: 0x34,
  directory: 0x35,
  fifo: 0x36,
  contiguous: 0x37,
  paxGlobal: 0x67,
  pax: 0x78,
  gnuLongLink: 0x4b,
  gnuLongName: 0x4c,
  gnuSparse: 0x53,
} as const;

export type HeaderFormat = 'v7' | 'ustar' | 'star' | 'gnu';

/** What one header block says, before extension headers. All buffers are copies. */
export interface TarHeader {
  readonly format: HeaderFormat;
  readonly typeFlag: number;
  readonly name: Buffer;
  readonly linkName: Buffer;
  /** The 12 permission bits; file type bits that some writers add are dropped. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Whole seconds, possibly negative. */
  readonly mtime: number;
  readonly devMajor: number;
  readonly devMinor: number;
}

/** Reason why a block is not a header; the caller adds where. */
export function tarInvalid(why: string, facts?: Readonly<Record<string, string | number | boolean>>): BuilderError {
  return new BuilderError('tar.invalid', `cannot read tar archive: ${why}`, facts === undefined ? {} : { facts });
}

/** Whether the block holds only zeros: half of an end-of-archive marker. */
export function isZeroBlock(block: Uint8Array, offset = 0): boolean {
  for (let i = offset; i < offset + BLOCK_SIZE; i++) if (block[i] !== 0) return false;
  return true;
}

/**
 * Reads the header block at `offset`.
 * @throws BuilderError `tar.invalid` on a wrong checksum or a malformed number
 */
export function decodeHeader(block: Buffer, offset = 0): TarHeader {
  requireChecksum(block, offset);
  const format = formatOf(block, offset);
  const typeFlag = block[offset + 156]!;
  const isDevice = typeFlag === TYPE_FLAG.char || typeFlag === TYPE_FLAG.block;
  // Only devices are asked for device numbers: elsewhere V7 and old GNU writers leave other things in these bytes.
  const hasDevice = isDevice && format !== 'v7';
  return {
    format,
    typeFlag,
    name: fullName(block, offset, format),
    linkName: text(block, offset + 157, 100),
    mode: unsigned(block, offset + 100, 8, 'mode') & 0o7777,
    uid: unsigned(block, offset + 108, 8, 'uid'),
    gid: unsigned(block, offset + 116, 8, 'gid'),
    size: unsigned(block, offset + 124, 12, 'size'),
    mtime: number(block, offset + 136, 12, 'mtime'),
    devMajor: hasDevice ? unsigned(block, offset + 329, 8, 'device major number') : 0,
    devMinor: hasDevice ? unsigned(block, offset + 337, 8, 'device minor number') : 0,
  };
}

/**
 * A numeric field: octal, or base-256 (two's complement, big-endian) when the first byte's high bit is set.
 * @returns undefined when malformed or beyond ±(2⁵³-1); an empty field is 0
 */
export function decodeNumber(block: Uint8Array, offset: number, length: number): number | undefined {
  return block[offset]! >= 0x80 ? decodeBase256(block, offset, length) : decodeOctal(block, offset, length);
}

function decodeOctal(block: Uint8Array, offset: number, length: number): number | undefined {
  let at = offset;
  let end = offset + length;
  while (at < end && isBlank(block[at]!)) at++;
  while (end > at && isBlank(block[end - 1]!)) end--;
  let value = 0;
  for (; at < end; at++) {
    const digit = block[at]! - 0x30;
    // What follows a NUL is left over from an older use of the writer's buffer.
    if (digit === -0x30) break;
    if (digit < 0 || digit > 7) return undefined;
    value = value * 8 + digit;
  }
  return value;
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0;
}

function decodeBase256(block: Uint8Array, offset: number, length: number): number | undefined {
  const isNegative = (block[offset]! & 0x40) !== 0;
  const flip = isNegative ? 0xff : 0;
  let value = (block[offset]! ^ flip) & 0x7f;
  for (let i = 1; i < length; i++) {
    value = value * 256 + (block[offset + i]! ^ flip);
    if (value > Number.MAX_SAFE_INTEGER) return undefined;
  }
  return isNegative ? -value - 1 : value;
}

function number(block: Uint8Array, offset: number, length: number, field: string): number {
  const value = decodeNumber(block, offset, length);
  if (value === undefined) throw tarInvalid(`the header's ${field} is not a number tar can hold`, { field });
  return value;
}

function unsigned(block: Uint8Array, offset: number, length: number, field: string): number {
  const value = number(block, offset, length, field);
  if (value < 0) throw tarInvalid(`the header's ${field} is negative`, { field });
  return value;
}

function requireChecksum(block: Uint8Array, offset: number): void {
  const stated = decodeOctal(block, offset + 148, 8);
  // Eight spaces stand in for the checksum itself.
  let sum = 8 * 0x20;
  for (let i = offset; i < offset + 148; i++) sum += block[i]!;
  for (let i = offset + 156; i < offset + BLOCK_SIZE; i++) sum += block[i]!;
  if (sum === stated) return;
  // Some old writers summed signed bytes; each byte over 127 then counts 256 less.
  for (let i = offset; i < offset + BLOCK_SIZE; i++) {
    if (block[i]! > 127 && (i < offset + 148 || i >= offset + 156)) sum -= 256;
  }
  if (sum !== stated) throw tarInvalid('a header has a wrong checksum, so this is no tar archive or it is damaged');
}

function formatOf(block: Buffer, offset: number): HeaderFormat {
  // "ustar" and then NUL for POSIX, space space NUL for GNU.
  if (block.readUInt32BE(offset + 257) !== 0x75737461 || block[offset + 261] !== 0x72) return 'v7';
  if (block[offset + 262] === 0) {
    return block.readUInt32BE(offset + 508) === 0x74617200 ? 'star' : 'ustar';
  }
  return block[offset + 262] === 0x20 && block[offset + 263] === 0x20 && block[offset + 264] === 0 ? 'gnu' : 'v7';
}

function fullName(block: Buffer, offset: number, format: HeaderFormat): Buffer {
  const name = text(block, offset, 100);
  // GNU and V7 put other things where ustar has the prefix; star's is shorter.
  const prefixLength = format === 'ustar' ? 155 : format === 'star' ? 131 : 0;
  if (prefixLength === 0 || block[offset + 345] === 0) return name;
  const prefix = text(block, offset + 345, prefixLength);
  return Buffer.concat([prefix, SLASH, name]);
}

const SLASH = Buffer.from('/');
const EMPTY = Buffer.alloc(0);

/** The bytes up to the first NUL, copied. */
export function text(block: Buffer, offset: number, length: number): Buffer {
  const limit = offset + length;
  let end = offset;
  while (end < limit && block[end] !== 0) end++;
  return end === offset ? EMPTY : Buffer.from(block.subarray(offset, end));
}
