/**
 * Reads one table of an SQLite database, as much of the format as rpm's database needs: b-trees of tables, overflow
 * pages, and the write-ahead log, in which rpm leaves its last transactions. A wasm build of SQLite takes 30 MB to
 * install and does not see that log.
 *
 * @see SQLite, "Database File Format" 1.3, 1.5, 1.6, 2.1, 4
 */
import { type ByteSource, readExactly } from '../byte-source.ts';
import { readWal } from './sqlite-wal.ts';

/** A column of a row: numbers beyond 2^53 lose precision. */
export type SqliteValue = null | number | string | Buffer;

const MAGIC = 'SQLite format 3\0';
const LEAF = 0x0d;
const INTERIOR = 0x05;
/** A b-tree of 2^31 pages is far less deep. */
const MAX_DEPTH = 32;
/** Largest row taken; an rpm header is limited to 256 MB, real ones have some 100 kB. */
const MAX_ROW = 64 * 1024 * 1024;

export class SqliteDatabase {
  readonly #file: ByteSource;
  readonly #pageSize: number;
  /** Bytes of a page that hold content. */
  readonly #usable: number;
  readonly #logged: ReadonlyMap<number, Buffer>;

  /** @throws Error when it is no SQLite database of format 1 or 2 */
  constructor(file: ByteSource, wal?: ByteSource) {
    this.#file = file;
    const header = readExactly(file, 0, 100);
    if (header.toString('latin1', 0, 16) !== MAGIC) throw new Error('it is not an SQLite database');
    const size = header.readUInt16BE(16);
    this.#pageSize = size === 1 ? 65536 : size;
    if (this.#pageSize < 512 || (this.#pageSize & (this.#pageSize - 1)) !== 0)
      throw new Error(`an SQLite page cannot have ${this.#pageSize} bytes`);
    this.#usable = this.#pageSize - header[20]!;
    if (this.#usable < 480) throw new Error('the SQLite header reserves too much of each page');
    this.#logged = wal === undefined ? new Map() : readWal(wal, this.#pageSize);
  }

  /** The rows of a table in the order of their ids. @throws Error when there is no such table, or a page is damaged */
  *rows(table: string): Generator<readonly SqliteValue[]> {
    for (const [type, name, , root] of this.#tree(1)) {
      if (type === 'table' && name === table && typeof root === 'number') {
        yield* this.#tree(root);
        return;
      }
    }
    throw new Error(`the database has no table ${JSON.stringify(table)}`);
  }

  *#tree(root: number): Generator<readonly SqliteValue[]> {
    const seen = new Set<number>();
    const visit = function* (this: SqliteDatabase, number: number, depth: number): Generator<readonly SqliteValue[]> {
      if (seen.has(number) || depth > MAX_DEPTH) throw new Error(`page ${number} is part of a loop`);
      seen.add(number);
      const page = this.#page(number);
      const start = number === 1 ? 100 : 0;
      const type = page[start];
      const cells = page.readUInt16BE(start + 3);
      const pointers = start + (type === INTERIOR ? 12 : 8);
      if (type !== LEAF && type !== INTERIOR) throw new Error(`page ${number} is no part of a table`);
      for (let i = 0; i < cells; i++) {
        const at = page.readUInt16BE(pointers + 2 * i);
        if (type === INTERIOR) yield* visit.call(this, page.readUInt32BE(at), depth + 1);
        else yield this.#row(page, at);
      }
      if (type === INTERIOR) yield* visit.call(this, page.readUInt32BE(start + 8), depth + 1);
    };
    yield* visit.call(this, root, 0);
  }

  #page(number: number): Buffer {
    if (number < 1) throw new Error(`page ${number} does not exist`);
    return this.#logged.get(number) ?? readExactly(this.#file, (number - 1) * this.#pageSize, this.#pageSize);
  }

  #row(page: Buffer, at: number): SqliteValue[] {
    const length = varint(page, at);
    const rowId = varint(page, length.end);
    if (length.value > MAX_ROW) throw new Error(`a row of ${length.value} bytes is larger than is read`);
    return parseRecord(this.#payload(page, rowId.end, length.value));
  }

  /** What does not fit on the page goes on in a chain of overflow pages. */
  #payload(page: Buffer, at: number, length: number): Buffer {
    const most = this.#usable - 35;
    if (length <= most) return slice(page, at, length);
    const least = Math.trunc(((this.#usable - 12) * 32) / 255) - 23;
    const fitting = least + ((length - least) % (this.#usable - 4));
    const local = fitting <= most ? fitting : least;
    const parts = [slice(page, at, local)];
    let next = page.readUInt32BE(at + local);
    for (let left = length - local; left > 0; ) {
      // Every page brings bytes, so a loop of pages ends with the row's length.
      const overflow = this.#page(next);
      const here = Math.min(left, this.#usable - 4);
      parts.push(slice(overflow, 4, here));
      left -= here;
      next = overflow.readUInt32BE(0);
    }
    return Buffer.concat(parts);
  }
}

function slice(bytes: Buffer, at: number, length: number): Buffer {
  if (at + length > bytes.length) throw new RangeError('a row goes beyond its page');
  return bytes.subarray(at, at + length);
}

function varint(bytes: Buffer, at: number): { readonly value: number; readonly end: number } {
  let value = 0;
  for (let i = 0; i < 9; i++) {
    const byte = bytes.readUInt8(at + i);
    if (i === 8) return { value: value * 256 + byte, end: at + 9 };
    value = value * 128 + (byte & 0x7f);
    if (byte < 0x80) return { value, end: at + i + 1 };
  }
  throw new RangeError('a number does not end');
}

const INTEGER_BYTES = [0, 1, 2, 3, 4, 6, 8];

function parseRecord(record: Buffer): SqliteValue[] {
  const header = varint(record, 0);
  const values: SqliteValue[] = [];
  let at = header.value;
  for (let i = header.end; i < header.value; ) {
    const { value: type, end } = varint(record, i);
    i = end;
    const length = type >= 12 ? Math.trunc((type - 12) / 2) : type === 7 ? 8 : (INTEGER_BYTES[type] ?? 0);
    values.push(columnValue(type, slice(record, at, length)));
    at += length;
  }
  return values;
}

function columnValue(type: number, bytes: Buffer): SqliteValue {
  if (type === 0) return null;
  if (type === 7) return bytes.readDoubleBE(0);
  if (type === 8 || type === 9) return type - 8;
  if (type === 10 || type === 11) throw new Error('a column has a reserved type');
  if (type >= 12) return type % 2 === 0 ? bytes : bytes.toString('utf8');
  return type === 6 ? Number(bytes.readBigInt64BE(0)) : bytes.readIntBE(0, bytes.length);
}
