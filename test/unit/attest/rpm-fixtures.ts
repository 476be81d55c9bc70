/** Databases of rpm, made by hand: a header as rpm stores it, and the three kinds of file that hold such headers. */

const STRING = 6;
const INT32 = 4;
const I18N = 9;

/** A header blob of these tags. */
export function rpmHeader(tags: Readonly<Record<number, string | number>>): Buffer {
  const index: Buffer[] = [];
  const data: Buffer[] = [];
  let at = 0;
  for (const [tag, value] of Object.entries(tags)) {
    const isText = typeof value === 'string';
    const padding = isText ? 0 : -at & 3;
    const bytes = isText ? Buffer.from(`${value}\0`) : Buffer.alloc(4);
    if (!isText) bytes.writeUInt32BE(value);
    const entry = Buffer.alloc(16);
    entry.writeUInt32BE(Number(tag), 0);
    entry.writeUInt32BE(isText ? (tag === '1004' ? I18N : STRING) : INT32, 4);
    entry.writeUInt32BE(at + padding, 8);
    entry.writeUInt32BE(1, 12);
    index.push(entry);
    data.push(Buffer.alloc(padding), bytes);
    at += padding + bytes.length;
  }
  const head = Buffer.alloc(8);
  head.writeUInt32BE(index.length, 0);
  head.writeUInt32BE(at, 4);
  return Buffer.concat([head, ...index, ...data]);
}

/** A database of the ndb kind: one page of slots, then blobs at blocks of 16 bytes. */
export function ndbFile(blobs: readonly Buffer[]): Buffer {
  const slots = Buffer.alloc(4096);
  for (let at = 32; at < slots.length; at += 16) slots.write('Slot', at);
  slots.write('RpmP', 0);
  slots.writeUInt32LE(1, 12);
  const parts: Buffer[] = [slots];
  let at = slots.length;
  for (const [i, blob] of blobs.entries()) {
    const head = Buffer.alloc(16);
    head.write('BlbS', 0);
    head.writeUInt32LE(i + 1, 4);
    head.writeUInt32LE(blob.length, 12);
    const whole = Buffer.concat([head, blob, Buffer.alloc(-blob.length & 15)]);
    slots.writeUInt32LE(i + 1, 32 + 16 * i + 4);
    slots.writeUInt32LE(at / 16, 32 + 16 * i + 8);
    slots.writeUInt32LE(whole.length / 16, 32 + 16 * i + 12);
    parts.push(whole);
    at += whole.length;
  }
  return Buffer.concat(parts);
}

/** A Berkeley DB hash file of pages of 512 bytes: one hash page, and overflow pages for every value. */
export function berkeleyFile(values: readonly Buffer[]): Buffer {
  const size = 512;
  const meta = Buffer.alloc(size);
  const hash = Buffer.alloc(size);
  const pages: Buffer[] = [meta, hash];
  hash[25] = 13;
  hash.writeUInt16LE(values.length * 2, 20);
  let end = size;
  for (const [i, value] of values.entries()) {
    end -= 5;
    hash[end] = 1;
    hash.writeUInt32LE(i, end + 1);
    hash.writeUInt16LE(end, 26 + 4 * i);
    end -= 12;
    hash[end] = 3;
    hash.writeUInt32LE(pages.length, end + 4);
    hash.writeUInt32LE(value.length, end + 8);
    hash.writeUInt16LE(end, 26 + 4 * i + 2);
    for (let at = 0; at < value.length; at += size - 26) {
      const page = Buffer.alloc(size);
      const here = value.subarray(at, at + size - 26);
      page[25] = 7;
      page.writeUInt16LE(here.length, 22);
      page.writeUInt32LE(at + here.length < value.length ? pages.length + 1 : 0, 16);
      here.copy(page, 26);
      pages.push(page);
    }
  }
  meta.writeUInt32LE(0x061561, 12);
  meta.writeUInt32LE(size, 20);
  meta.writeUInt32LE(pages.length - 1, 32);
  return Buffer.concat(pages);
}

/**
 * An SQLite database with the table `Packages`: pages of 512 bytes, an interior page over leaves of one row each, rows
 * on overflow pages where they are long. Tells the pages apart so that a log can replace them.
 */
export function sqlitePages(blobs: readonly Buffer[]): Buffer[] {
  const size = 512;
  const pages: Buffer[] = [Buffer.alloc(size), Buffer.alloc(size)];
  const leaves = blobs.map((blob, i) => {
    const leaf = Buffer.alloc(size);
    pages.push(leaf);
    const number = pages.length;
    const payload = record([null, blob]);
    const most = size - 35;
    const least = Math.trunc(((size - 12) * 32) / 255) - 23;
    const fitting = least + ((payload.length - least) % (size - 4));
    const local = payload.length <= most ? payload.length : fitting <= most ? fitting : least;
    const cell = [varint(payload.length), varint(i + 1), payload.subarray(0, local)];
    for (let at = local, first = true; at < payload.length; first = false) {
      if (first) cell.push(word(pages.length + 1));
      const page = Buffer.alloc(size);
      const here = payload.subarray(at, at + size - 4);
      at += here.length;
      pages.push(page);
      if (at < payload.length) page.writeUInt32BE(pages.length + 1, 0);
      here.copy(page, 4);
    }
    put(leaf, 0, 0x0d, [Buffer.concat(cell)]);
    return number;
  });
  const last = leaves.at(-1) ?? 2;
  const cells = leaves.slice(0, -1).map((number, i) => Buffer.concat([word(number), varint(i + 1)]));
  if (leaves.length === 0) put(pages[1]!, 0, 0x0d, []);
  else put(pages[1]!, 0, 0x05, cells, last);
  const schema = record(['table', 'Packages', 'Packages', 2, 'CREATE TABLE Packages (hnum, blob)']);
  put(pages[0]!, 100, 0x0d, [Buffer.concat([varint(schema.length), varint(1), schema])]);
  pages[0]!.write('SQLite format 3\0', 'latin1');
  pages[0]!.writeUInt16BE(size, 16);
  pages[0]!.set([2, 2, 0, 64, 32, 32], 18);
  return pages;
}

/** A write-ahead log of transactions, each a list of page numbers and contents. Salts and checksums as SQLite has them. */
export function walFile(transactions: readonly (readonly (readonly [number: number, page: Buffer])[])[]): Buffer {
  const head = Buffer.alloc(32);
  head.writeUInt32BE(0x377f0683, 0);
  head.writeUInt32BE(3007000, 4);
  head.writeUInt32BE(512, 8);
  head.write('saltsalt', 16);
  let sum = sumOf(head.subarray(0, 24), [0, 0]);
  head.writeUInt32BE(sum[0], 24);
  head.writeUInt32BE(sum[1], 28);
  const frames: Buffer[] = [head];
  for (const pages of transactions) {
    for (const [i, [number, page]] of pages.entries()) {
      const frame = Buffer.alloc(24);
      frame.writeUInt32BE(number, 0);
      frame.writeUInt32BE(i === pages.length - 1 ? 100 : 0, 4);
      frame.write('saltsalt', 8);
      sum = sumOf(page, sumOf(frame.subarray(0, 8), sum));
      frame.writeUInt32BE(sum[0], 16);
      frame.writeUInt32BE(sum[1], 20);
      frames.push(frame, page);
    }
  }
  return Buffer.concat(frames);
}

function sumOf(bytes: Buffer, [a, b]: readonly [number, number]): [number, number] {
  let first = a;
  let second = b;
  for (let i = 0; i < bytes.length; i += 8) {
    first = (first + bytes.readUInt32BE(i) + second) >>> 0;
    second = (second + bytes.readUInt32BE(i + 4) + first) >>> 0;
  }
  return [first, second];
}

function put(page: Buffer, start: number, type: number, cells: readonly Buffer[], right?: number): void {
  page[start] = type;
  page.writeUInt16BE(cells.length, start + 3);
  if (right !== undefined) page.writeUInt32BE(right, start + 8);
  let end = page.length;
  for (const [i, cell] of cells.entries()) {
    end -= cell.length;
    cell.copy(page, end);
    page.writeUInt16BE(end, start + (right === undefined ? 8 : 12) + 2 * i);
  }
}

function record(values: readonly (null | number | string | Buffer)[]): Buffer {
  const types = values.map((value) =>
    value === null
      ? 0
      : typeof value === 'number'
        ? 1
        : 12 + 2 * Buffer.byteLength(value) + (typeof value === 'string' ? 1 : 0),
  );
  const header = Buffer.concat(types.map(varint));
  const bodies = values.map((value) =>
    value === null ? Buffer.alloc(0) : typeof value === 'number' ? Buffer.from([value]) : Buffer.from(value as string),
  );
  return Buffer.concat([varint(header.length + 1), header, ...bodies]);
}

function varint(value: number): Buffer {
  const bytes = [value & 0x7f];
  for (let left = value >>> 7; left > 0; left >>>= 7) bytes.unshift((left & 0x7f) | 0x80);
  return Buffer.from(bytes);
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
