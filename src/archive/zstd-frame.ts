/**
 * The outer layer of the zstd format: frames, skippable frames and the borders of blocks, without decoding them. It is
 * read here because no codec at hand does all of it: Node's stops after the first frame, the portable one neither
 * limits windows well nor bears thousands of small frames, as seekable layers have them.
 * @see RFC 8878, section 3.1
 */
import { BuilderError } from '../report/builder-error.ts';
import type { ByteReader } from './byte-blocks.ts';

/** The largest window accepted: that of `zstd --long`, and what libzstd takes without being told otherwise. */
export const MAX_WINDOW_BYTES = 128 * 1024 * 1024;
/** Of a block's compressed and regenerated content, by the format. */
const MAX_BLOCK_BYTES = 128 * 1024;

const BLOCK_RLE = 1;
const BLOCK_RESERVED = 3;

export interface ZstdFrame {
  /** The header's bytes, from the magic number on. */
  readonly header: Uint8Array;
  /** Size of the whole content where the header states it. */
  readonly contentSize: number | undefined;
  readonly hasChecksum: boolean;
}

export function zstdInvalid(why: string, cause?: unknown): BuilderError {
  return new BuilderError(
    'compression.invalid',
    `cannot decompress zstd: ${why}`,
    cause === undefined ? {} : { cause },
  );
}

/**
 * Reads on to the next frame with content, past skippable ones.
 * @returns undefined at the end of the stream
 * @throws BuilderError `compression.invalid` for anything else, a window over 128 MiB, or a frame with a dictionary
 */
export async function nextFrame(reader: ByteReader): Promise<ZstdFrame | undefined> {
  for (;;) {
    const magic = Buffer.from(await reader.read(4));
    if (magic.length === 0) return undefined;
    if (magic.length < 4) throw zstdInvalid('it is truncated');
    const number = magic.readUInt32LE(0);
    if (number === 0xfd2fb528) return readHeader(reader, magic);
    if (number >>> 4 !== 0x184d2a5) throw zstdInvalid('something that is not zstd follows a frame');
    await skip(reader, Buffer.from(await readAll(reader, 4)).readUInt32LE(0));
  }
}

async function skip(reader: ByteReader, length: number): Promise<void> {
  let left = length;
  while (left > 0) {
    const { length: skipped } = await reader.readSome(left);
    if (skipped === 0) throw zstdInvalid('it is truncated');
    left -= skipped;
  }
}

async function readAll(reader: ByteReader, length: number): Promise<Uint8Array> {
  const bytes = await reader.read(length);
  if (bytes.length < length) throw zstdInvalid('it is truncated');
  return bytes;
}

async function readHeader(reader: ByteReader, magic: Buffer): Promise<ZstdFrame> {
  const [descriptor] = await readAll(reader, 1);
  const isSingleSegment = (descriptor! & 0x20) !== 0;
  const sizeFlag = descriptor! >> 6;
  const idBytes = [0, 1, 2, 4][descriptor! & 3]!;
  const windowBytes = isSingleSegment ? 0 : 1;
  const sizeBytes = sizeFlag === 0 ? (isSingleSegment ? 1 : 0) : 1 << sizeFlag;
  if ((descriptor! & 8) !== 0) throw zstdInvalid('a frame uses a reserved bit');
  const fields = Buffer.from(await readAll(reader, windowBytes + idBytes + sizeBytes));
  if (fields.subarray(windowBytes, windowBytes + idBytes).some((byte) => byte !== 0)) {
    throw zstdInvalid('a frame needs a dictionary, which images have no place for');
  }
  const contentSize = contentSizeOf(fields.subarray(windowBytes + idBytes));
  const window = isSingleSegment ? contentSize! : windowSizeOf(fields[0]!);
  if (window > MAX_WINDOW_BYTES) {
    throw zstdInvalid(`a frame needs a window of ${window} bytes, more than ${MAX_WINDOW_BYTES}`);
  }
  const header = Buffer.concat([magic, Buffer.from([descriptor!]), fields]);
  return { header, contentSize, hasChecksum: (descriptor! & 4) !== 0 };
}

function windowSizeOf(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

function contentSizeOf(field: Buffer): number | undefined {
  if (field.length === 0) return undefined;
  if (field.length === 1) return field[0]!;
  if (field.length === 2) return field.readUInt16LE(0) + 256;
  if (field.length === 4) return field.readUInt32LE(0);
  const size = field.readBigUInt64LE(0);
  if (size > BigInt(Number.MAX_SAFE_INTEGER)) throw zstdInvalid('a frame states an impossible size');
  return Number(size);
}

/**
 * The frame's bytes in pieces that end where blocks do, header first; the checksum is part of the last piece.
 * Each piece is the consumer's to keep.
 */
export async function* framePieces(
  reader: ByteReader,
  frame: ZstdFrame,
): AsyncGenerator<{ readonly bytes: Buffer; readonly isLast: boolean }, void, undefined> {
  yield { bytes: Buffer.from(frame.header), isLast: false };
  for (;;) {
    const head = Buffer.from(await readAll(reader, 3));
    const bits = head.readUIntLE(0, 3);
    const isLast = (bits & 1) !== 0;
    const type = (bits >> 1) & 3;
    const size = bits >> 3;
    if (type === BLOCK_RESERVED || size > MAX_BLOCK_BYTES) throw zstdInvalid('a block has a malformed header');
    const bodyBytes = (type === BLOCK_RLE ? 1 : size) + (isLast && frame.hasChecksum ? 4 : 0);
    yield { bytes: Buffer.concat([head, await readAll(reader, bodyBytes)]), isLast };
    if (isLast) return;
  }
}
