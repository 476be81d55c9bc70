/**
 * Decompression of bzip2, for archives that ADD unpacks. Written here because the packages for it either do not check
 * CRCs or are unmaintained, and the format is small.
 * Several streams in a row are one, as bzip2(1) reads them.
 */
import { BuilderError } from '../report/builder-error.ts';
import type { Bytes } from '../spec/target.ts';
import { ByteReader } from './byte-blocks.ts';

const BLOCK_MAGIC = 0x314159265359;
const END_MAGIC = 0x177245385090;
const RUN_A = 0;
const RUN_B = 1;
/** Symbols per Huffman table choice. */
const GROUP_SIZE = 50;
const MAX_CODE_LENGTH = 20;
/** Codes up to this length, nearly all, are decoded by one look into a table. */
const FAST_BITS = 10;

function invalid(why: string): BuilderError {
  return new BuilderError('compression.invalid', `cannot decompress bzip2: ${why}`);
}

/**
 * The uncompressed bytes, a block (up to 900 kB before the expansion of runs) at a time.
 * @throws BuilderError `compression.invalid` on damage, a wrong CRC, truncation or trailing bytes
 */
export async function* bunzip2(bytes: Bytes): Bytes {
  const bits = new BitReader(bytes);
  try {
    do yield* stream(bits);
    while (await bits.hasMore());
  } finally {
    await bits.close();
  }
}

async function* stream(bits: BitReader): Bytes {
  await bits.fill();
  const magic = bits.read(24);
  const level = bits.read(8) - 0x30;
  if (magic !== 0x425a68 || level < 1 || level > 9) throw invalid('something that is not bzip2 follows its end');
  const block = new Uint32Array(level * 100_000);
  let streamCrc = 0;
  for (;;) {
    await bits.fill();
    const blockMagic = bits.read(24) * 2 ** 24 + bits.read(24);
    const crc = bits.read32();
    if (blockMagic === END_MAGIC) {
      if (crc !== streamCrc) throw invalid('its checksum is wrong');
      bits.alignToByte();
      return;
    }
    if (blockMagic !== BLOCK_MAGIC) throw invalid('a block does not start where it should');
    const { length, origin } = readBlock(bits, block);
    const run = new RunExpander();
    yield* expandBlock(block, length, origin, run);
    if (run.crc !== crc) throw invalid('the checksum of a block is wrong');
    streamCrc = (((streamCrc << 1) | (streamCrc >>> 31)) ^ crc) >>> 0;
  }
}

/** Reads a block's symbols into the low bytes of `block`, undoing move-to-front and zero runs. */
function readBlock(bits: BitReader, block: Uint32Array): { readonly length: number; readonly origin: number } {
  if (bits.read(1) === 1) throw invalid('it uses block randomisation, which bzip2 gave up in 1997');
  const origin = bits.read(24);
  const symbols = readSymbolsUsed(bits);
  const alphabetSize = symbols.length + 2;
  const selectors = readSelectors(bits);
  const tables = Array.from({ length: selectors.tableCount }, () => readTable(bits, alphabetSize));
  const endOfBlock = alphabetSize - 1;
  let length = 0;
  let run = 0;
  let runWeight = 1;
  let group = -1;
  let left = 0;
  let table = tables[0]!;
  for (;;) {
    if (left === 0) {
      group += 1;
      if (group >= selectors.choices.length) throw invalid('a block is damaged');
      table = tables[selectors.choices[group]!]!;
      left = GROUP_SIZE;
    }
    left -= 1;
    const symbol = table.decode(bits);
    if (symbol === RUN_A || symbol === RUN_B) {
      run += symbol === RUN_A ? runWeight : 2 * runWeight;
      runWeight *= 2;
      if (run > block.length) throw invalid('a block is longer than its level allows');
      continue;
    }
    if (run > 0) {
      if (length + run > block.length) throw invalid('a block is longer than its level allows');
      block.fill(symbols[0]!, length, length + run);
      length += run;
      run = 0;
      runWeight = 1;
    }
    if (symbol === endOfBlock) break;
    if (length >= block.length) throw invalid('a block is longer than its level allows');
    // Index 0 is said by runs, so symbols start at index 1.
    const byte = symbols[symbol - 1]!;
    symbols.copyWithin(1, 0, symbol - 1);
    symbols[0] = byte;
    block[length++] = byte;
  }
  if (length === 0 || origin >= length) throw invalid('a block is damaged');
  return { length, origin };
}

function readSymbolsUsed(bits: BitReader): Uint8Array {
  const rows = bits.read(16);
  const used: number[] = [];
  for (let row = 0; row < 16; row++) {
    if ((rows & (0x8000 >> row)) === 0) continue;
    const columns = bits.read(16);
    for (let column = 0; column < 16; column++) if ((columns & (0x8000 >> column)) !== 0) used.push(row * 16 + column);
  }
  if (used.length === 0) throw invalid('a block is damaged');
  return Uint8Array.from(used);
}

function readSelectors(bits: BitReader): { readonly tableCount: number; readonly choices: Uint8Array } {
  const tableCount = bits.read(3);
  const count = bits.read(15);
  if (tableCount < 2 || tableCount > 6 || count === 0) throw invalid('a block is damaged');
  const recent = [0, 1, 2, 3, 4, 5];
  const choices = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    let position = 0;
    while (bits.read(1) === 1) if (++position >= tableCount) throw invalid('a block is damaged');
    const [choice] = recent.splice(position, 1);
    recent.unshift(choice!);
    choices[i] = choice!;
  }
  return { tableCount, choices };
}

function readTable(bits: BitReader, alphabetSize: number): HuffmanTable {
  const lengths = new Uint8Array(alphabetSize);
  let length = bits.read(5);
  for (let symbol = 0; symbol < alphabetSize; symbol++) {
    for (;;) {
      if (length < 1 || length > MAX_CODE_LENGTH) throw invalid('a block is damaged');
      if (bits.read(1) === 0) break;
      length += bits.read(1) === 0 ? 1 : -1;
    }
    lengths[symbol] = length;
  }
  return new HuffmanTable(lengths);
}

/** Canonical Huffman code: per length, the first code and where its symbols start. */
class HuffmanTable {
  readonly #symbols: Uint16Array;
  /** One past the last code of each length, and what to subtract from a code for its place in `#symbols`. */
  readonly #limits = new Int32Array(MAX_CODE_LENGTH + 1);
  readonly #bases = new Int32Array(MAX_CODE_LENGTH + 1);
  /** By the next bits: symbol and code length, or 0 where the code is longer. */
  readonly #fast = new Uint16Array(1 << FAST_BITS);

  constructor(lengths: Uint8Array) {
    const counts = new Uint16Array(MAX_CODE_LENGTH + 1);
    for (const length of lengths) counts[length]!++;
    const starts = new Uint16Array(MAX_CODE_LENGTH + 2);
    let code = 0;
    for (let length = 1; length <= MAX_CODE_LENGTH; length++) {
      starts[length + 1] = starts[length]! + counts[length]!;
      this.#bases[length] = code - starts[length]!;
      code += counts[length]!;
      this.#limits[length] = code;
      code <<= 1;
    }
    this.#symbols = new Uint16Array(lengths.length);
    for (let symbol = 0; symbol < lengths.length; symbol++) this.#symbols[starts[lengths[symbol]!]!++] = symbol;
    this.#fillFast();
  }

  #fillFast(): void {
    let code = 0;
    for (let length = 1; length <= FAST_BITS; length++, code <<= 1) {
      const width = 1 << (FAST_BITS - length);
      for (; code < this.#limits[length]!; code++) {
        const symbol = this.#symbols[code - this.#bases[length]!]!;
        // An over-full code of a damaged block runs past the table, where writes are lost; checksums tell later.
        this.#fast.fill((symbol << 5) | length, code * width, (code + 1) * width);
      }
    }
  }

  decode(bits: BitReader): number {
    const fast = this.#fast[bits.peek(FAST_BITS)]!;
    if (fast !== 0) {
      bits.skip(fast & 31);
      return fast >> 5;
    }
    let code = bits.read(FAST_BITS);
    for (let length = FAST_BITS + 1; length <= MAX_CODE_LENGTH; length++) {
      code = (code << 1) | bits.read(1);
      if (code < this.#limits[length]!) {
        const symbol = this.#symbols[code - this.#bases[length]!];
        if (symbol !== undefined) return symbol;
        break;
      }
    }
    throw invalid('a block is damaged');
  }
}

/** Undoes the Burrows-Wheeler transform and hands the bytes to the run expander. */
function* expandBlock(block: Uint32Array, length: number, origin: number, run: RunExpander): Iterable<Buffer> {
  const starts = new Uint32Array(256);
  for (let i = 0; i < length; i++) starts[block[i]! & 0xff]!++;
  let sum = 0;
  for (let byte = 0; byte < 256; byte++) {
    const count = starts[byte]!;
    starts[byte] = sum;
    sum += count;
  }
  // The byte stays in the low bits; above it goes the index of the byte that follows.
  for (let i = 0; i < length; i++) block[starts[block[i]! & 0xff]!++]! |= i << 8;
  let next = block[origin]! >>> 8;
  for (let i = 0; i < length; i++) {
    const value = block[next]!;
    if (run.add(value & 0xff)) yield run.take();
    next = value >>> 8;
  }
  yield run.take();
}

/** Undoes the outer run coding (four equal bytes, then a count of more) and sums up the CRC. */
class RunExpander {
  // Room for one more run than the size at which the buffer is handed on.
  #buffer = Buffer.allocUnsafeSlow(OUTPUT_BYTES + 256);
  #length = 0;
  #last = -1;
  #equal = 0;
  #crc = 0xffffffff;

  get crc(): number {
    return ~this.#crc >>> 0;
  }

  /** True when the buffer should be taken. */
  add(byte: number): boolean {
    if (this.#equal === 4) {
      for (let i = 0; i < byte; i++) this.#put(this.#last);
      this.#equal = 0;
      this.#last = -1;
      return this.#length >= OUTPUT_BYTES;
    }
    this.#equal = byte === this.#last ? this.#equal + 1 : 1;
    this.#last = byte;
    this.#put(byte);
    return this.#length >= OUTPUT_BYTES;
  }

  take(): Buffer {
    const taken = this.#buffer.subarray(0, this.#length);
    this.#buffer = Buffer.allocUnsafeSlow(OUTPUT_BYTES + 256);
    this.#length = 0;
    return taken;
  }

  #put(byte: number): void {
    this.#buffer[this.#length++] = byte;
    this.#crc = (this.#crc << 8) ^ CRC_TABLE[((this.#crc >>> 24) ^ byte) & 0xff]!;
  }
}

const OUTPUT_BYTES = 256 * 1024;

/** CRC-32 with the most significant bit first, other than zlib's. */
const CRC_TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24;
  for (let bit = 0; bit < 8; bit++) crc = crc < 0 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  return crc;
});

/** The most a block of level 9 can take in compressed form, with its tables: read before each, so that bits are sync. */
const MAX_BLOCK_BYTES = 2_500_000;

class BitReader {
  readonly #reader: ByteReader;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #bits = 0;
  #bitCount = 0;

  constructor(bytes: Bytes) {
    this.#reader = new ByteReader(bytes);
  }

  /** Makes sure that a whole block is here, if there is one. */
  async fill(): Promise<void> {
    const left = this.#bytes.length - this.#at;
    if (left >= MAX_BLOCK_BYTES) return;
    const more = await this.#reader.read(2 * MAX_BLOCK_BYTES - left);
    this.#bytes = Buffer.concat([this.#bytes.subarray(this.#at), more]);
    this.#at = 0;
  }

  async hasMore(): Promise<boolean> {
    await this.fill();
    return this.#at < this.#bytes.length;
  }

  /** Gives whole bytes that were taken ahead back and drops the rest of the last one, which is padding. */
  alignToByte(): void {
    this.#at -= this.#bitCount >> 3;
    this.#bitCount = 0;
    this.#bits = 0;
    if (this.#at > this.#bytes.length) throw invalid('it is truncated');
  }

  /** 1 … 24 bits, most significant first. */
  read(count: number): number {
    const value = this.peek(count);
    this.#bitCount -= count;
    return value;
  }

  /** The same without taking them. A little beyond the end there are zeros. */
  peek(count: number): number {
    while (this.#bitCount < count) {
      this.#bits = (this.#bits << 8) | (this.#bytes[this.#at++] ?? this.#beyondEnd());
      this.#bitCount += 8;
    }
    return (this.#bits >>> (this.#bitCount - count)) & ((1 << count) - 1);
  }

  skip(count: number): void {
    this.#bitCount -= count;
  }

  #beyondEnd(): number {
    // Codes are looked at before their length is known; more than four bytes too far is no such look.
    if (this.#at > this.#bytes.length + 4) throw invalid('it is truncated');
    return 0;
  }

  read32(): number {
    return this.read(16) * 65536 + this.read(16);
  }

  close(): Promise<void> {
    return this.#reader.close();
  }
}
