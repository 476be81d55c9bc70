/**
 * Zstandard both ways. Node has it from 22.15 on; on older releases a decoder in JavaScript and a WebAssembly build of
 * libzstd stand in, at some 100 MB/s.
 */
import * as zlib from 'node:zlib';
import type { Bytes } from '../spec/target.ts';
import { ByteReader, blocksOf } from './byte-blocks.ts';
import { Xxh64 } from './xxh64.ts';
import { ENGINE_CHUNK_SIZE, throughEngine, type ZlibEngine } from './zlib-engine.ts';
import { framePieces, nextFrame, type ZstdFrame, zstdInvalid } from './zstd-frame.ts';

/** The part of newer releases' node:zlib that is used here. */
interface NativeZstd {
  createZstdCompress(o: { chunkSize: number; params: Record<number, number> }): ZlibEngine;
  createZstdDecompress(o: { chunkSize: number }): ZlibEngine;
  zstdDecompressSync(frame: Uint8Array, o: { maxOutputLength: number }): Buffer;
  readonly constants: { readonly ZSTD_c_compressionLevel: number; readonly ZSTD_c_checksumFlag: number };
}

const NATIVE = 'createZstdDecompress' in zlib ? (zlib as unknown as NativeZstd) : undefined;

/** Frames that state a content up to this size are decoded at once, which is the fast way with every codec. */
const WHOLE_FRAME_BYTES = 8 * 1024 * 1024;
/** libzstd's own default. */
export const DEFAULT_ZSTD_LEVEL = 3;
/** Content of a frame where frames are independent: twice the window of level 3, so little is lost. */
const FRAME_BYTES = 4 * 1024 * 1024;

/**
 * The uncompressed bytes of one or more frames; skippable frames are passed over.
 * @throws BuilderError `compression.invalid` on damage, truncation, foreign bytes, a window over 128 MiB, or a frame
 *   that needs a dictionary
 */
export async function* unzstd(bytes: Bytes): Bytes {
  const reader = new ByteReader(bytes);
  try {
    for (let count = 0; ; count++) {
      const frame = await nextFrame(reader);
      if (frame !== undefined) yield* contentOf(reader, frame);
      else if (count > 0) return;
      else throw zstdInvalid('it holds no frame');
    }
  } finally {
    await reader.close();
  }
}

async function* contentOf(reader: ByteReader, frame: ZstdFrame): Bytes {
  const isSmall = frame.contentSize !== undefined && frame.contentSize <= WHOLE_FRAME_BYTES;
  const output = isSmall ? decodeWhole(reader, frame) : decodeStream(reader, frame);
  let size = 0;
  for await (const chunk of output) {
    size += chunk.length;
    if (frame.contentSize !== undefined && size > frame.contentSize) break;
    if (chunk.length > 0) yield chunk;
  }
  if (frame.contentSize !== undefined && size !== frame.contentSize) {
    throw zstdInvalid(`a frame does not hold the ${frame.contentSize} bytes it states`);
  }
}

async function* decodeWhole(reader: ByteReader, frame: ZstdFrame): Bytes {
  const pieces: Buffer[] = [];
  for await (const { bytes } of framePieces(reader, frame)) pieces.push(bytes);
  const whole = Buffer.concat(pieces);
  const portable = NATIVE === undefined ? await portableCodec() : undefined;
  try {
    // No output buffer of size zero can be made; a frame without content needs none.
    const maxOutputLength = Math.max(1, frame.contentSize ?? 0);
    yield portable?.decompress(whole) ?? NATIVE!.zstdDecompressSync(whole, { maxOutputLength });
  } catch (error) {
    throw damaged(error);
  }
}

async function* decodeStream(reader: ByteReader, frame: ZstdFrame): Bytes {
  const pieces = framePieces(reader, frame);
  if (NATIVE === undefined) {
    yield* decodeInScript(pieces, frame.hasChecksum);
    return;
  }
  const engine = NATIVE.createZstdDecompress({ chunkSize: ENGINE_CHUNK_SIZE });
  const unread = () => {
    throw damaged(new Error('a frame ends before its last block'));
  };
  yield* throughEngine(engine, gathered(pieces), unread, damaged);
}

/** Pieces joined to chunks worth a trip to the thread pool. */
async function* gathered(pieces: AsyncIterable<{ readonly bytes: Buffer }>): Bytes {
  let parts: Buffer[] = [];
  let size = 0;
  for await (const { bytes } of pieces) {
    parts.push(bytes);
    size += bytes.length;
    if (size < 256 * 1024) continue;
    yield Buffer.concat(parts);
    parts = [];
    size = 0;
  }
  if (size > 0) yield Buffer.concat(parts);
}

type FramePieces = AsyncIterable<{ readonly bytes: Buffer; readonly isLast: boolean }>;

async function* decodeInScript(pieces: FramePieces, hasChecksum: boolean): Bytes {
  const { Decompress } = await import('fzstd');
  let decoded: Uint8Array[] = [];
  const decoder = new Decompress((chunk) => decoded.push(chunk));
  // The decoder passes over the checksum without a look.
  const hash = hasChecksum ? new Xxh64() : undefined;
  for await (const { bytes, isLast } of pieces) {
    try {
      decoder.push(bytes, isLast);
    } catch (error) {
      throw damaged(error);
    }
    for (const chunk of decoded) {
      hash?.update(chunk);
      yield chunk;
    }
    decoded = [];
    if (isLast && hash !== undefined && hash.low32() !== bytes.readUInt32LE(bytes.length - 4)) {
      throw zstdInvalid('the checksum of a frame is wrong');
    }
  }
}

function damaged(error: unknown): Error {
  return zstdInvalid(error instanceof Error ? error.message : String(error), error);
}

export interface ZstdOptions {
  /** 1 … 19 */
  readonly level?: number;
}

/** The bytes as zstd: one frame where Node has the codec, else independent frames of 4 MiB. */
export async function* zstd(bytes: Bytes, options: ZstdOptions = {}): Bytes {
  const level = options.level ?? DEFAULT_ZSTD_LEVEL;
  if (NATIVE !== undefined) {
    const { ZSTD_c_compressionLevel, ZSTD_c_checksumFlag } = NATIVE.constants;
    const params = { [ZSTD_c_compressionLevel]: level, [ZSTD_c_checksumFlag]: 1 };
    const engine = NATIVE.createZstdCompress({ chunkSize: ENGINE_CHUNK_SIZE, params });
    yield* throughEngine(engine, bytes, () => {}, asError);
    return;
  }
  const codec = await portableCodec();
  let isEmpty = true;
  for await (const block of blocksOf(bytes, FRAME_BYTES)) {
    isEmpty = false;
    yield codec.compress(block, level);
  }
  // Even nothing is a frame.
  if (isEmpty) yield codec.compress(new Uint8Array(0), level);
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

type PortableCodec = typeof import('@bokuweb/zstd-wasm');
let portable: Promise<PortableCodec> | undefined;

function portableCodec(): Promise<PortableCodec> {
  portable ??= import('@bokuweb/zstd-wasm').then(async (codec) => {
    await codec.init();
    return codec;
  });
  return portable;
}
