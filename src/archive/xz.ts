/**
 * Decompression of xz, for archives that ADD unpacks: any number of streams and blocks, all standard checks, the LZMA2
 * filter. Files made with the filters for machine code or sampled data (`--x86`, `--delta` …) are refused by name.
 * Written here because the one WebAssembly package for it decodes one file at a time and stops after the first stream.
 * @see The .xz file format 1.2.1
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { BuilderError } from '../report/builder-error.ts';
import type { Bytes } from '../spec/target.ts';
import { ByteReader } from './byte-blocks.ts';
import { Crc64 } from './crc64.ts';
import { decodeLzma2, Lzma2Error } from './lzma2.ts';

const HEADER_MAGIC = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]);
const LZMA2_FILTER = 0x21;

function invalid(why: string, cause?: unknown): BuilderError {
  return new BuilderError('compression.invalid', `cannot decompress xz: ${why}`, cause === undefined ? {} : { cause });
}

/**
 * The uncompressed bytes.
 * @throws BuilderError `compression.invalid` on damage, a wrong check, truncation, trailing bytes, a filter other than
 *   LZMA2, or a window over 128 MiB
 */
export async function* unxz(bytes: Bytes): Bytes {
  const input = new XzInput(bytes);
  try {
    let hasMore = true;
    do {
      yield* stream(input);
      hasMore = await input.skipPadding();
    } while (hasMore);
  } catch (error) {
    throw error instanceof Lzma2Error ? invalid(error.message, error) : error;
  } finally {
    await input.close();
  }
}

async function* stream(input: XzInput): Bytes {
  const header = await input.take(12);
  if (!header.subarray(0, 6).equals(HEADER_MAGIC)) throw invalid('something that is not xz follows its end');
  const flags = Buffer.from(header.subarray(6, 8));
  requireCrc(flags, header.readUInt32LE(8));
  if (flags[0] !== 0 || flags[1]! > 15) throw invalid('its header uses reserved bits');
  const records: IndexRecord[] = [];
  for (;;) {
    const size = (await input.take(1))[0]!;
    if (size === 0) break;
    yield* block(input, size, flags[1]!, records);
  }
  await readIndex(input, records);
  const footer = await input.take(12);
  requireCrc(footer.subarray(4, 10), footer.readUInt32LE(0));
  if (!footer.subarray(8, 10).equals(flags) || footer.toString('latin1', 10) !== 'YZ') {
    throw invalid('its footer is damaged');
  }
}

interface IndexRecord {
  readonly unpaddedSize: number;
  readonly size: number;
}

async function* block(input: XzInput, sizeByte: number, checkType: number, records: IndexRecord[]): Bytes {
  const headerSize = (sizeByte + 1) * 4;
  const header = Buffer.concat([Buffer.from([sizeByte]), await input.take(headerSize - 1)]);
  requireCrc(header.subarray(0, headerSize - 4), header.readUInt32LE(headerSize - 4));
  const windowBytes = windowSizeOf(header.subarray(1, headerSize - 4));
  const check = checkOf(checkType);
  let packed = 0;
  let size = 0;
  const content = decodeLzma2(input.reader, windowBytes, (count) => {
    packed += count;
  });
  for await (const chunk of content) {
    size += chunk.length;
    check.update(chunk);
    yield chunk;
  }
  const padding = await input.take((4 - (packed % 4)) % 4);
  if (padding.some((byte) => byte !== 0)) throw invalid('a block is damaged');
  const stated = await input.take(check.size);
  if (!check.matches(stated)) throw invalid('the checksum of a block is wrong');
  records.push({ unpaddedSize: headerSize + packed + check.size, size });
}

/** Checks a block header's filters: exactly LZMA2. @param fields after the size byte, before the CRC */
function windowSizeOf(fields: Buffer): number {
  const flags = fields[0]!;
  const numbers = new VarInts(fields, 1);
  // Sizes stated in advance are found out and checked against the index anyway.
  if ((flags & 0x40) !== 0) numbers.next();
  if ((flags & 0x80) !== 0) numbers.next();
  const filter = numbers.next();
  if ((flags & 0x3f) !== 0 || filter !== LZMA2_FILTER) throw invalid('it uses a filter other than LZMA2');
  if (numbers.next() !== 1) throw invalid('a block header is damaged');
  const bits = fields[numbers.at]!;
  if (bits > 40) throw invalid('a block header is damaged');
  return bits === 40 ? 2 ** 32 - 1 : (2 | (bits & 1)) * 2 ** ((bits >> 1) + 11);
}

/** Reads the index (after its zero byte) and compares it with the blocks that were there. */
async function readIndex(input: XzInput, records: readonly IndexRecord[]): Promise<void> {
  let crc = crc32(Buffer.from([0]));
  let length = 1;
  const next = async (): Promise<number> => {
    const bytes: number[] = [];
    do {
      bytes.push((await input.take(1))[0]!);
    } while (bytes.at(-1)! >= 0x80 && bytes.length < 9);
    const text = Buffer.from(bytes);
    crc = crc32(text, crc);
    length += text.length;
    return new VarInts(text, 0).next();
  };
  let isSame = (await next()) === records.length;
  for (const { unpaddedSize, size } of isSame ? records : []) {
    isSame = (await next()) === unpaddedSize && (await next()) === size && isSame;
  }
  if (!isSame) throw invalid('its index does not match its blocks');
  const padding = await input.take((4 - (length % 4)) % 4);
  crc = crc32(padding, crc);
  if ((await input.take(4)).readUInt32LE(0) !== crc) throw invalid('its index is damaged');
}

function requireCrc(bytes: Buffer, stated: number): void {
  if (crc32(bytes) !== stated) throw invalid('a header is damaged');
}

/** Variable-length integers of seven bits a byte, least significant first. */
class VarInts {
  readonly #bytes: Buffer;
  at: number;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  next(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#bytes[this.at++];
      if (byte === undefined) throw invalid('a header is damaged');
      value += (byte & 0x7f) * factor;
      if (value > Number.MAX_SAFE_INTEGER) throw invalid('a header states an impossible size');
      if (byte < 0x80) return value;
    }
  }
}

/** The check at the end of each block. */
interface Check {
  readonly size: number;
  update(chunk: Uint8Array): void;
  matches(stated: Buffer): boolean;
}

function checkOf(type: number): Check {
  if (type === 0) return { size: 0, update: () => {}, matches: () => true };
  if (type === 1) {
    let crc = 0;
    return {
      size: 4,
      update: (chunk) => {
        crc = crc32(chunk, crc);
      },
      matches: (stated) => stated.readUInt32LE(0) === crc,
    };
  }
  if (type === 4) {
    const crc = new Crc64();
    return { size: 8, update: (chunk) => crc.update(chunk), matches: (stated) => crc.matches(stated) };
  }
  if (type === 10) {
    const hash = createHash('sha256');
    return { size: 32, update: (chunk) => void hash.update(chunk), matches: (stated) => hash.digest().equals(stated) };
  }
  throw invalid(`it uses the unknown check ${type}`);
}

class XzInput {
  readonly reader: ByteReader;
  /** The first bytes of a next stream, met while skipping padding. */
  #ahead: Buffer = Buffer.alloc(0);

  constructor(bytes: Bytes) {
    this.reader = new ByteReader(bytes);
  }

  /** Exactly `length` bytes, copied. */
  async take(length: number): Promise<Buffer> {
    const wanted = length - this.#ahead.length;
    const bytes = Buffer.concat([this.#ahead, await this.reader.read(wanted)]);
    this.#ahead = Buffer.alloc(0);
    if (bytes.length < length) throw invalid('it is truncated');
    return bytes;
  }

  /** Skips zeros between streams, four at a time; true when a stream follows. */
  async skipPadding(): Promise<boolean> {
    for (;;) {
      const four = Buffer.from(await this.reader.read(4));
      if (four.length === 0) return false;
      if (four.length < 4) throw invalid('something that is not xz follows its end');
      if (four.readUInt32LE(0) === 0) continue;
      this.#ahead = four;
      return true;
    }
  }

  close(): Promise<void> {
    return this.reader.close();
  }
}
