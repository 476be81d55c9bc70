/** Bytes that are read in pieces, from a file or from memory: databases and archives too large to hold whole. */
import { readSync } from 'node:fs';

export interface ByteSource {
  /** bytes */
  readonly size: number;
  /**
   * The bytes from `offset` on, fewer than `length` only at the end.
   * @throws RangeError for an offset or length no file can have
   */
  read(offset: number, length: number): Buffer;
}

/** No reader here wants more in one piece; a length from a hostile file must not become an allocation. */
const MAX_PIECE = 256 * 1024 * 1024;

export function bufferSource(bytes: Buffer): ByteSource {
  return {
    size: bytes.length,
    read: (offset, length) => {
      checkRange(offset, length);
      return bytes.subarray(offset, offset + length);
    },
  };
}

/** Reads from an open file, whose descriptor stays the caller's. */
export function fileSource(fd: number, size: number): ByteSource {
  return {
    size,
    read: (offset, length) => {
      checkRange(offset, length);
      const wanted = Math.max(0, Math.min(length, size - offset));
      const bytes = Buffer.allocUnsafe(wanted);
      let filled = 0;
      while (filled < wanted) {
        const count = readSync(fd, bytes, filled, wanted - filled, offset + filled);
        if (count === 0) break;
        filled += count;
      }
      return bytes.subarray(0, filled);
    },
  };
}

/** Exactly `length` bytes. @throws RangeError when the source ends before */
export function readExactly(source: ByteSource, offset: number, length: number): Buffer {
  const bytes = source.read(offset, length);
  if (bytes.length < length) throw new RangeError(`the file ends at ${source.size} bytes, within what it refers to`);
  return bytes;
}

function checkRange(offset: number, length: number): void {
  if (!Number.isSafeInteger(offset) || offset < 0 || !Number.isSafeInteger(length) || length < 0) {
    throw new RangeError(`bytes ${offset} and ${length} further cannot be read`);
  }
  if (length > MAX_PIECE) throw new RangeError(`${length} bytes in one piece are more than is read`);
}
