/** Members of a zip archive, as much as reading jars needs: the central directory, stored and deflated content. @see APPNOTE.TXT */
import { inflateRawSync } from 'node:zlib';
import { type ByteSource, readExactly } from './byte-source.ts';

export interface ZipMember {
  readonly name: string;
  /** bytes, uncompressed, as the directory claims */
  readonly size: number;
  /** The content. @throws Error when it is larger than `maxBytes`, damaged, or compressed in another way */
  readonly read: (maxBytes: number) => Buffer;
}

const END = 0x06054b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
/** The end record and the longest comment behind it. */
const MAX_END = 22 + 65535;
const MAX_DIRECTORY = 64 * 1024 * 1024;

/** Undefined for a file that is no zip archive. Archives beyond 4 GB or 65535 members are not read. */
export function readZip(file: ByteSource): ZipMember[] | undefined {
  const tailStart = Math.max(0, file.size - MAX_END);
  const tail = file.read(tailStart, MAX_END);
  let end = tail.length - 22;
  while (end >= 0 && tail.readUInt32LE(end) !== END) end -= 1;
  if (end < 0) return undefined;
  const count = tail.readUInt16LE(end + 10);
  const size = tail.readUInt32LE(end + 12);
  if (count === 0xffff || size > MAX_DIRECTORY) throw new Error('the archive has more members than are read');
  // Bytes before the archive (a start script) shift every offset alike.
  const directoryAt = tailStart + end - size;
  const shift = directoryAt - tail.readUInt32LE(end + 16);
  if (directoryAt < 0 || shift < 0) throw new Error('the directory of the archive is not where it says');
  return members(file, readExactly(file, directoryAt, size), count, shift);
}

function members(file: ByteSource, directory: Buffer, count: number, shift: number): ZipMember[] {
  const found: ZipMember[] = [];
  for (let i = 0, at = 0; i < count; i++) {
    if (directory.readUInt32LE(at) !== ENTRY) throw new Error('the directory of the archive is damaged');
    const nameLength = directory.readUInt16LE(at + 28);
    const method = directory.readUInt16LE(at + 10);
    const packed = directory.readUInt32LE(at + 20);
    const size = directory.readUInt32LE(at + 24);
    const offset = shift + directory.readUInt32LE(at + 42);
    const name = directory.toString('utf8', at + 46, at + 46 + nameLength);
    found.push({ name, size, read: (maxBytes) => content(file, { name, method, packed, size, offset }, maxBytes) });
    at += 46 + nameLength + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  return found;
}

interface Entry {
  readonly name: string;
  readonly method: number;
  readonly packed: number;
  readonly size: number;
  readonly offset: number;
}

function content(file: ByteSource, entry: Entry, maxBytes: number): Buffer {
  if (entry.size > maxBytes || entry.packed > maxBytes) throw new Error(`${entry.name} in it is larger than is read`);
  const local = readExactly(file, entry.offset, 30);
  if (local.readUInt32LE(0) !== LOCAL) throw new Error(`${entry.name} in it is damaged`);
  const start = entry.offset + 30 + local.readUInt16LE(26) + local.readUInt16LE(28);
  const bytes = readExactly(file, start, entry.packed);
  if (entry.method === 0) return bytes;
  if (entry.method !== 8) throw new Error(`${entry.name} in it is compressed in an unknown way`);
  return inflateRawSync(bytes, { maxOutputLength: maxBytes });
}
