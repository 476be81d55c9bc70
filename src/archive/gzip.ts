/**
 * Gzip both ways. Reading takes what gzip(1) takes: several members in a row, zeros after the last. Writing compresses
 * blocks side by side, in the manner of pigz: each block is its own raw deflate run with the 32 KiB before it as
 * dictionary, ended on a byte border, so that the runs make one stream in one member.
 * @see RFC 1951, RFC 1952
 */
import { availableParallelism } from 'node:os';
import { crc32, createGunzip } from 'node:zlib';
import { BuilderError } from '../report/builder-error.ts';
import type { Bytes } from '../spec/target.ts';
import { blocksOf } from './byte-blocks.ts';
import { deflateBlock } from './deflate-block.ts';
import { ENGINE_CHUNK_SIZE, throughEngine } from './zlib-engine.ts';

/**
 * The uncompressed bytes; chunks of up to 1 MiB.
 * @throws BuilderError `compression.invalid` on damage, truncation, a wrong CRC or length, and on anything but zeros
 *   after the last member
 */
export async function* gunzip(bytes: Bytes): Bytes {
  const engine = createGunzip({ chunkSize: ENGINE_CHUNK_SIZE });
  yield* throughEngine(engine, bytes, requireZeros, (error) => damaged(reasonOf(error), error));
}

function requireZeros(unread: Uint8Array): void {
  for (const byte of unread) if (byte !== 0) throw damaged('something that is not gzip follows its end');
}

function damaged(why: string, cause?: unknown): BuilderError {
  return new BuilderError(
    'compression.invalid',
    `cannot decompress gzip: ${why}`,
    cause === undefined ? {} : { cause },
  );
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'Z_BUF_ERROR') return 'it is truncated';
  return error instanceof Error ? error.message : String(error);
}

export interface GzipOptions {
  /** 0 … 9 */
  readonly level?: number;
  /** Blocks in work at a time; the output does not depend on it. Node's pool runs four unless told otherwise. */
  readonly concurrency?: number;
}

/** Programs and text come out one or two per cent larger than at zlib's default of 6, in 60 to 80 per cent of its time. */
export const DEFAULT_GZIP_LEVEL = 5;
/** Blocks lose about 0.1 % against one run at this size; and a dozen of them in flight stay far below 100 MiB. */
const BLOCK_BYTES = 1024 * 1024;
/** The reach of deflate's back references. */
const DICTIONARY_BYTES = 32 * 1024;
/** No name, no time, unknown system: nothing but the content decides the bytes. */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
/** An empty last block; the runs before it end without one. */
const LAST_BLOCK = Buffer.from([3, 0]);

/**
 * One gzip member of the bytes. The same content, level and zlib give the same output, whatever the chunking,
 * concurrency or time; memory is bounded by about 3 MiB per concurrent block.
 */
export async function* gzip(bytes: Bytes, options: GzipOptions = {}): Bytes {
  const level = options.level ?? DEFAULT_GZIP_LEVEL;
  const concurrency = options.concurrency ?? Math.max(8, 2 * availableParallelism());
  const running: Promise<Buffer>[] = [];
  let crc = 0;
  let size = 0;
  let dictionary: Buffer | undefined;
  yield HEADER;
  for await (const block of blocksOf(bytes, BLOCK_BYTES)) {
    const run = deflateBlock(block, level, dictionary);
    // The consumer may stop before this run's turn comes; a failure nobody waits for must not end the process.
    run.catch(() => {});
    running.push(run);
    dictionary = block.subarray(-DICTIONARY_BYTES);
    crc = crc32(block, crc);
    size += block.length;
    if (running.length >= concurrency) yield await running.shift()!;
  }
  for (const run of running) yield await run;
  yield Buffer.concat([LAST_BLOCK, trailer(crc, size)]);
}

function trailer(crc: number, size: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(crc >>> 0, 0);
  bytes.writeUInt32LE(size % 2 ** 32, 4);
  return bytes;
}
