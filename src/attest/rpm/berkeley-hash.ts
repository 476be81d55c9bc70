/**
 * Values of a Berkeley DB hash file, in which rpm kept packages until version 4.16. Only what that file holds is read:
 * pairs on hash pages, large values on chains of overflow pages.
 *
 * @see Berkeley DB 5.3, dbinc/db_page.h
 */
import { type ByteSource, readExactly } from '../byte-source.ts';

const HASH_MAGIC = 0x061561;
const PAGE_HEADER = 26;
const HASH_PAGES = new Set([2, 13]);
const OVERFLOW_PAGE = 7;
const ON_PAGE = 1;
const OFF_PAGE = 3;
const MAX_VALUE = 64 * 1024 * 1024;

/** Every value, whatever its key. @throws Error when the file is no such database, or damaged */
export function* berkeleyValues(file: ByteSource): Generator<Buffer> {
  const reader = openHash(file);
  for (let number = 1; number <= reader.lastPage; number++) {
    const page = reader.page(number);
    if (HASH_PAGES.has(page[25]!)) yield* valuesOf(reader, page);
  }
}

interface Reader {
  readonly lastPage: number;
  readonly page: (number: number) => Buffer;
  readonly u16: (bytes: Buffer, at: number) => number;
  readonly u32: (bytes: Buffer, at: number) => number;
}

/** The byte order is that of the machine that wrote the file. */
function openHash(file: ByteSource): Reader {
  const meta = readExactly(file, 0, 72);
  const isLittle = meta.readUInt32LE(12) === HASH_MAGIC;
  if (!isLittle && meta.readUInt32BE(12) !== HASH_MAGIC) throw new Error('it is not a Berkeley DB hash file');
  const u16 = (bytes: Buffer, at: number): number => (isLittle ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at));
  const u32 = (bytes: Buffer, at: number): number => (isLittle ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));
  const pageSize = u32(meta, 20);
  if (pageSize < 512 || pageSize > 65536 || (pageSize & (pageSize - 1)) !== 0)
    throw new Error(`a Berkeley DB page cannot have ${pageSize} bytes`);
  if (meta[24] !== 0) throw new Error('the database is encrypted');
  return {
    lastPage: Math.min(u32(meta, 32), Math.floor(file.size / pageSize) - 1),
    page: (number) => readExactly(file, number * pageSize, pageSize),
    u16,
    u32,
  };
}

/** Entries come in pairs, key then value; each ends where the one before it begins, the first at the page's end. */
function* valuesOf(reader: Reader, page: Buffer): Generator<Buffer> {
  const count = reader.u16(page, 20);
  const offset = (i: number): number => reader.u16(page, PAGE_HEADER + 2 * i);
  for (let i = 1; i < count; i += 2) {
    const start = offset(i);
    const type = page.readUInt8(start);
    if (type === ON_PAGE) yield page.subarray(start + 1, offset(i - 1));
    else if (type === OFF_PAGE) yield overflow(reader, reader.u32(page, start + 4), reader.u32(page, start + 8));
  }
}

function overflow(reader: Reader, first: number, length: number): Buffer {
  if (length > MAX_VALUE) throw new Error(`a value of ${length} bytes is larger than is read`);
  const parts: Buffer[] = [];
  let number = first;
  for (let left = length; left > 0; ) {
    const page = reader.page(number);
    const here = reader.u16(page, 22);
    if (page[25] !== OVERFLOW_PAGE || here === 0) throw new Error(`page ${number} does not go on with its value`);
    parts.push(page.subarray(PAGE_HEADER, PAGE_HEADER + Math.min(here, left)));
    left -= here;
    number = reader.u32(page, 16);
  }
  return Buffer.concat(parts);
}
