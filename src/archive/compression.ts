/**
 * Compressed streams of any kind Slipway meets, told apart by their first bytes: media types and file names are often
 * wrong. Layers are gzip, zstd or plain; bzip2 and xz appear in archives that ADD unpacks.
 */
import { BuilderError } from '../report/builder-error.ts';
import type { Compression } from '../spec/media-type.ts';
import type { Bytes } from '../spec/target.ts';
import { gunzip, gzip } from './gzip.ts';

/** Every kind that can be read. */
export type DetectedCompression = Compression | 'bzip2' | 'xz';

/**
 * The longest magic number is xz's. A stream shorter than its magic number counts as uncompressed.
 */
const MAGIC_BYTES = 6;

/** The kind of a stream by its first six bytes or more; fewer are taken as all there is. */
export function detectCompression(head: Uint8Array): DetectedCompression {
  const starts = (...magic: number[]) => head.length >= magic.length && magic.every((byte, i) => head[i] === byte);
  if (starts(0x1f, 0x8b, 8)) return 'gzip';
  if (starts(0x28, 0xb5, 0x2f, 0xfd)) return 'zstd';
  // A skippable frame: zstd:chunked and other seekable forms may start with one.
  if (head.length >= 4 && (head[0]! & 0xf0) === 0x50 && head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18) {
    return 'zstd';
  }
  if (starts(0x42, 0x5a, 0x68) && head[3]! >= 0x31 && head[3]! <= 0x39) return 'bzip2';
  if (starts(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0)) return 'xz';
  return 'none';
}

export interface DecompressLimits {
  /** Uncompressed bytes. */
  readonly maxBytes?: number;
  /** Uncompressed bytes per compressed one. */
  readonly maxRatio?: number;
  /** Uncompressed bytes below which any ratio is fine. */
  readonly freeBytes?: number;
}

/** Sixteen times the largest file system that common storage drivers give a container by default. */
export const MAX_DECOMPRESSED_BYTES = 1024 ** 4;
/** Programs and text reach 10, logs 50; only runs of one byte come near gzip's limit of 1,032. */
export const MAX_DECOMPRESSION_RATIO = 200;
/** Below this any ratio is fine: an image may well hold an empty disk image or database file of a few GiB. */
export const RATIO_FREE_BYTES = 8 * 1024 ** 3;

/**
 * The uncompressed bytes of a stream, whose kind its first bytes tell; an uncompressed one passes through, an empty
 * one stays empty.
 * @throws BuilderError `compression.invalid` on damage, truncation, or more output than the limits allow
 */
export async function* decompress(bytes: Bytes, limits: DecompressLimits = {}): Bytes {
  const input = { size: 0 };
  const { head, all } = await peek(counted(bytes, input), MAGIC_BYTES);
  const kind = detectCompression(head);
  const output = await DECODERS[kind](all);
  const maxBytes = limits.maxBytes ?? MAX_DECOMPRESSED_BYTES;
  const maxRatio = limits.maxRatio ?? MAX_DECOMPRESSION_RATIO;
  const freeBytes = limits.freeBytes ?? RATIO_FREE_BYTES;
  let size = 0;
  for await (const chunk of output) {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge(kind, `it holds more than ${maxBytes} bytes`);
    if (size > freeBytes && size > maxRatio * input.size && kind !== 'none') {
      throw tooLarge(kind, `it grows more than ${maxRatio} times, and beyond ${freeBytes} bytes`);
    }
    yield chunk;
  }
}

// bzip2, xz and zstd are loaded when met: most runs never do.
const DECODERS: Readonly<Record<DetectedCompression, (bytes: Bytes) => Bytes | Promise<Bytes>>> = {
  none: (bytes) => bytes,
  gzip: gunzip,
  zstd: async (bytes) => (await import('./zstd.ts')).unzstd(bytes),
  bzip2: async (bytes) => (await import('./bzip2.ts')).bunzip2(bytes),
  xz: async (bytes) => (await import('./xz.ts')).unxz(bytes),
};

/** The bytes in compressed form; `level` as the kind counts it, default its own. `none` passes through. */
export async function* compress(bytes: Bytes, kind: Compression, level?: number): Bytes {
  const options = level === undefined ? {} : { level };
  if (kind === 'gzip') yield* gzip(bytes, options);
  else if (kind === 'zstd') yield* (await import('./zstd.ts')).zstd(bytes, options);
  else yield* bytes;
}

function tooLarge(kind: DetectedCompression, why: string): BuilderError {
  return new BuilderError('compression.invalid', `cannot decompress ${kind === 'none' ? 'a stream' : kind}: ${why}`);
}

async function* counted(bytes: Bytes, count: { size: number }): Bytes {
  for await (const chunk of bytes) {
    count.size += chunk.length;
    yield chunk;
  }
}

/** The first `length` bytes (fewer if there are no more), and the whole stream from its start. */
async function peek(bytes: Bytes, length: number): Promise<{ readonly head: Uint8Array; readonly all: Bytes }> {
  const source = bytes[Symbol.asyncIterator]();
  let head: Uint8Array = new Uint8Array(0);
  while (head.length < length) {
    const { done, value } = await source.next();
    if (done === true) break;
    // The first chunk goes on as it is; only a short one has to be copied before the next is asked for.
    head = head.length === 0 && value.length >= length ? value : Buffer.concat([head, value]);
  }
  return { head, all: resumed(head, source) };
}

async function* resumed(head: Uint8Array, source: AsyncIterator<Uint8Array>): Bytes {
  let isEnded = false;
  try {
    if (head.length > 0) yield head;
    for (;;) {
      const { done, value } = await source.next();
      if (done === true) {
        isEnded = true;
        return;
      }
      yield value;
    }
  } finally {
    if (!isEnded) await source.return?.();
  }
}
