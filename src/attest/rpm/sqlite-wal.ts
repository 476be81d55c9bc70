/** The write-ahead log of an SQLite database: pages that are newer than those of the file. @see SQLite file format, 4 */
import type { ByteSource } from '../byte-source.ts';

const HEADER = 32;
const FRAME_HEADER = 24;
/** Newer pages kept in memory; rpm's checkpoints come after some 4 MB. */
const MAX_WAL = 256 * 1024 * 1024;

/**
 * The newest committed content of each page in the log, by page number. Frames of an unfinished transaction, of an
 * earlier use of the log and everything after a wrong checksum do not count, as for SQLite itself.
 */
export function readWal(wal: ByteSource, pageSize: number): Map<number, Buffer> {
  const committed = new Map<number, Buffer>();
  if (wal.size < HEADER) return committed;
  if (wal.size > MAX_WAL) throw new Error(`its write-ahead log of ${wal.size} bytes is larger than is read`);
  const header = wal.read(0, HEADER);
  const magic = header.readUInt32BE(0);
  if ((magic !== 0x377f0682 && magic !== 0x377f0683) || header.readUInt32BE(8) !== pageSize) return committed;
  const isBigEndian = (magic & 1) === 1;
  let sum = checksum(header.subarray(0, 24), [0, 0], isBigEndian);
  if (!isSum(header, 24, sum)) return committed;
  const pending = new Map<number, Buffer>();
  const size = FRAME_HEADER + pageSize;
  for (let at = HEADER; at + size <= wal.size; at += size) {
    const frame = wal.read(at, size);
    if (!frame.subarray(8, 16).equals(header.subarray(16, 24))) break;
    sum = checksum(frame.subarray(0, 8), sum, isBigEndian);
    sum = checksum(frame.subarray(FRAME_HEADER), sum, isBigEndian);
    if (!isSum(frame, 16, sum)) break;
    pending.set(frame.readUInt32BE(0), frame.subarray(FRAME_HEADER));
    if (frame.readUInt32BE(4) === 0) continue;
    for (const [number, page] of pending) committed.set(number, page);
    pending.clear();
  }
  return committed;
}

type Sum = readonly [number, number];

function isSum(bytes: Buffer, at: number, [a, b]: Sum): boolean {
  return bytes.readUInt32BE(at) === a && bytes.readUInt32BE(at + 4) === b;
}

/** The magic number says in which byte order words are summed; the sums themselves are big-endian. */
function checksum(bytes: Buffer, [first, second]: Sum, isBigEndian: boolean): Sum {
  let a = first;
  let b = second;
  for (let i = 0; i + 8 <= bytes.length; i += 8) {
    a = (a + (isBigEndian ? bytes.readUInt32BE(i) : bytes.readUInt32LE(i)) + b) >>> 0;
    b = (b + (isBigEndian ? bytes.readUInt32BE(i + 4) : bytes.readUInt32LE(i + 4)) + a) >>> 0;
  }
  return [a, b];
}
