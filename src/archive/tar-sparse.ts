/**
 * Maps of sparse files, in the four spellings of GNU tar: old GNU (type S), PAX 0.0, 0.1 and 1.0.
 * A map is a flat list: offset, length, offset, length … of the regions that have data; the rest reads as zeros.
 * @see GNU tar manual, "Storing Sparse Files"
 */
import { decimal } from './pax-record.ts';
import { BLOCK_SIZE, decodeNumber, tarInvalid } from './tar-header.ts';

export type SparseMap = readonly number[];

/** The four regions in an old GNU header and the 21 in each of its continuation blocks. */
const OLD_GNU_HEADER = { at: 386, regions: 4, continuedAt: 482 };
const OLD_GNU_CONTINUATION = { at: 0, regions: 21, continuedAt: 504 };
const REAL_SIZE_AT = 483;

/** Collects the regions of one file while its headers are read. */
export class SparseMapReader {
  readonly #map: number[] = [];
  readonly #maxRegions: number;

  constructor(maxRegions: number) {
    this.#maxRegions = maxRegions;
  }

  /** The regions so far, in order. */
  get map(): SparseMap {
    return this.#map;
  }

  /** Takes one more number: an offset if the count so far is even, else a length. */
  add(value: number | undefined): void {
    if (value === undefined || value < 0) throw tarInvalid('a sparse map holds something other than a size');
    if (this.#map.length >= 2 * this.#maxRegions) {
      throw tarInvalid(`a sparse file has more than ${this.#maxRegions} regions`);
    }
    this.#map.push(value);
  }

  /** Reads the regions of an old GNU block; true when a continuation block follows. */
  addOldGnuBlock(block: Buffer, offset: number, isHeader: boolean): boolean {
    const layout = isHeader ? OLD_GNU_HEADER : OLD_GNU_CONTINUATION;
    for (let i = 0; i < layout.regions; i++) {
      const at = offset + layout.at + i * 24;
      if (block[at] === 0) break;
      this.add(decodeNumber(block, at, 12));
      this.add(decodeNumber(block, at + 12, 12));
    }
    return block[offset + layout.continuedAt] !== 0;
  }

  /** Reads the value of `GNU.sparse.map`: numbers between commas. */
  addCommaList(value: Buffer): void {
    let at = 0;
    while (at <= value.length) {
      let end = value.indexOf(0x2c, at);
      if (end === -1) end = value.length;
      this.add(decimal(value.subarray(at, end)));
      at = end + 1;
    }
  }
}

/** Size after expansion as an old GNU header states it. */
export function oldGnuRealSize(block: Buffer, offset: number): number {
  const size = decodeNumber(block, offset + REAL_SIZE_AT, 12);
  if (size === undefined || size < 0) throw tarInvalid('a sparse header states a malformed size');
  return size;
}

/** Reader of a PAX 1.0 map: decimal lines (count, then offset and length each) in whole blocks before the data. */
export class SparseTextReader {
  readonly #regions: SparseMapReader;
  #expected: number | undefined;
  #digits: number[] = [];

  constructor(maxRegions: number) {
    this.#regions = new SparseMapReader(maxRegions);
  }

  get map(): SparseMap {
    return this.#regions.map;
  }

  /** Reads one block; true when the map is complete, and the rest of the block is padding. */
  addBlock(block: Buffer, offset: number): boolean {
    for (let i = offset; i < offset + BLOCK_SIZE; i++) {
      const byte = block[i]!;
      if (byte !== 0x0a) {
        this.#digits.push(byte);
        if (this.#digits.length > 20) throw tarInvalid('a sparse map holds something other than a size');
        continue;
      }
      this.#addLine(decimal(Uint8Array.from(this.#digits)));
      this.#digits = [];
      if (this.#regions.map.length === this.#expected) return true;
    }
    return false;
  }

  #addLine(value: number | undefined): void {
    if (this.#expected !== undefined) this.#regions.add(value);
    else if (value !== undefined) this.#expected = 2 * value;
    else throw tarInvalid('a sparse map does not start with the number of its regions');
  }
}

/**
 * Checks a map against the file's sizes.
 * @param realSize bytes after expansion
 * @param dataSize bytes of content in the archive
 * @throws BuilderError `tar.invalid` when regions overlap, go backwards or past the end, or do not add up to `dataSize`
 */
export function requireSoundMap(map: SparseMap, realSize: number, dataSize: number): void {
  if (map.length % 2 !== 0) throw tarInvalid('a sparse map ends within a region');
  let end = 0;
  let total = 0;
  for (let i = 0; i < map.length; i += 2) {
    if (map[i]! < end) throw tarInvalid('the regions of a sparse file overlap or are out of order');
    end = map[i]! + map[i + 1]!;
    total += map[i + 1]!;
    if (end > realSize) throw tarInvalid('a region of a sparse file lies beyond its end');
  }
  if (total !== dataSize) throw tarInvalid('the regions of a sparse file do not add up to its content');
}
