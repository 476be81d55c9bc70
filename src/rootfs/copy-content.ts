/**
 * Moves the bytes of one regular file, the cheapest way that is right: small files in one read and one write; large
 * ones by sharing blocks (reflink), inside the kernel (copy_file_range), or through a buffer when they are hashed or
 * have holes. The hash is taken of what is written, so content that changes while it is read cannot get a false name.
 */
import { createHash, hash as hashOnce } from 'node:crypto';
import { ftruncateSync, readSync } from 'node:fs';
import { writeFully } from '../sys/file-write.ts';
import { copyFileRange, errnoOf, type FileStat, seekSparse, tryReflink } from '../sys/libc.ts';
import type { Pace } from './copy-pace.ts';

const BUFFER_BYTES = 1 << 20;
const BYTES_PER_UNIT = 1 << 16;
const RANGE_BYTES = 32 << 20;
// Slow: off the pool, so that it is never moved and reads need no bounce buffer.
const BUFFER = Buffer.allocUnsafeSlow(BUFFER_BYTES);

/** What was copied or read: bytes, and their SHA-256 in hex when it was asked for. */
export interface CopiedContent {
  readonly sizeBytes: number;
  readonly sha256: string | undefined;
}

export interface ContentOptions {
  readonly hash: boolean;
  readonly pace: Pace;
}

/** Fills BUFFER from the start of the file; fewer bytes than its length mean the end. */
function fill(fd: number, expected: number): number {
  let length = 0;
  while (length < BUFFER_BYTES) {
    const count = readSync(fd, BUFFER, length, BUFFER_BYTES - length, length);
    length += count;
    // One read that gives exactly what stat promised is taken as the whole: it saves a call per small file.
    if (count === 0 || length === expected) break;
  }
  return length;
}

/**
 * The small case, without a promise: undefined when the file is too large for it and nothing was read.
 * @param to descriptor to write to; undefined only hashes
 */
export function copySmallContent(
  from: number,
  to: number | undefined,
  sizeBytes: number,
  hash: boolean,
): CopiedContent | undefined {
  if (sizeBytes >= BUFFER_BYTES) return undefined;
  const length = fill(from, sizeBytes);
  // It grew past the buffer since stat. Nothing was written and the position did not move: the general way takes over.
  if (length === BUFFER_BYTES) return undefined;
  const data = BUFFER.subarray(0, length);
  if (to !== undefined && length > 0) writeFully(to, data);
  return { sizeBytes: length, sha256: hash ? hashOnce('sha256', data, 'hex') : undefined };
}

/** Copies (or with `to` undefined only hashes) a file of any size; `from` is read from its start. */
export async function copyLargeContent(
  from: number,
  to: number | undefined,
  stat: Pick<FileStat, 'size' | 'blocks'>,
  options: ContentOptions,
): Promise<CopiedContent> {
  if (to !== undefined && tryReflink(from, to)) {
    if (!options.hash) return { sizeBytes: stat.size, sha256: undefined };
    return copyThroughBuffer(from, undefined, options);
  }
  if (to !== undefined && stat.blocks * 512 < stat.size) return copySparse(from, to, stat.size, options);
  if (to !== undefined && !options.hash) {
    const copied = await copyInKernel(from, to, options.pace);
    if (copied !== undefined) return { sizeBytes: copied, sha256: undefined };
  }
  return copyThroughBuffer(from, to, options);
}

async function copyThroughBuffer(from: number, to: number | undefined, o: ContentOptions): Promise<CopiedContent> {
  const hash = o.hash ? createHash('sha256') : undefined;
  let position = 0;
  for (;;) {
    const count = readSync(from, BUFFER, 0, BUFFER_BYTES, position);
    if (count === 0) break;
    const data = BUFFER.subarray(0, count);
    if (to !== undefined) writeFully(to, data, position);
    hash?.update(data);
    position += count;
    if (o.pace.due(Math.ceil(count / BYTES_PER_UNIT))) await o.pace.rest();
  }
  return { sizeBytes: position, sha256: hash?.digest('hex') };
}

/** Undefined when the kernel cannot do it between these two files and nothing was copied. */
async function copyInKernel(from: number, to: number, pace: Pace): Promise<number | undefined> {
  let total = 0;
  try {
    for (;;) {
      const count = copyFileRange(from, to, RANGE_BYTES);
      if (count === 0) return total;
      total += count;
      if (pace.due(Math.ceil(count / BYTES_PER_UNIT))) await pace.rest();
    }
  } catch (error) {
    const errno = errnoOf(error);
    const unable = errno === 'EXDEV' || errno === 'EINVAL' || errno === 'ENOSYS' || errno === 'EOPNOTSUPP';
    if (total === 0 && (unable || errno === 'ENOTSUP')) return undefined;
    throw error;
  }
}

/** Copies data and leaves holes holes; the hash sees the zeros a reader would see. */
async function copySparse(from: number, to: number, sizeBytes: number, o: ContentOptions): Promise<CopiedContent> {
  const hash = o.hash ? createHash('sha256') : undefined;
  ftruncateSync(to, sizeBytes);
  let position = 0;
  while (position < sizeBytes) {
    const start = Math.min(seekSparse(from, position, 'data') ?? sizeBytes, sizeBytes);
    if (hash !== undefined) await hashZeros(hash, start - position, o.pace);
    if (start >= sizeBytes) break;
    const end = Math.min(seekSparse(from, start, 'hole') ?? sizeBytes, sizeBytes);
    position = start;
    while (position < end) {
      const count = readSync(from, BUFFER, 0, Math.min(BUFFER_BYTES, end - position), position);
      // Cut short while being read: the rest reads as zeros, which is what the copy holds there.
      if (count === 0) break;
      const data = BUFFER.subarray(0, count);
      writeFully(to, data, position);
      hash?.update(data);
      position += count;
      if (o.pace.due(Math.ceil(count / BYTES_PER_UNIT))) await o.pace.rest();
    }
    if (position < end) {
      if (hash !== undefined) await hashZeros(hash, end - position, o.pace);
      position = end;
    }
  }
  return { sizeBytes, sha256: hash?.digest('hex') };
}

const ZEROS = Buffer.alloc(BUFFER_BYTES);

async function hashZeros(hash: ReturnType<typeof createHash>, count: number, pace: Pace): Promise<void> {
  for (let left = count; left > 0; left -= BUFFER_BYTES) {
    hash.update(left >= BUFFER_BYTES ? ZEROS : ZEROS.subarray(0, left));
    if (pace.due(BUFFER_BYTES / BYTES_PER_UNIT)) await pace.rest();
  }
}
