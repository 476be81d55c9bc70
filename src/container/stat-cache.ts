/**
 * Remembers the hash of file content by what stat says of it, so that a build context nobody touched is walked and
 * stat-ed but not read. A file is found by device, inode, size, mtime and ctime, all to the nanosecond; its path plays
 * no part, since a rename changes ctime and hard links share content.
 *
 * The file is an array of fixed records that is searched as it lies: 50,000 of them load in milliseconds.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ContentMemory, KnownContent } from '../rootfs/copy-tree.ts';
import type { FileStat } from '../sys/libc.ts';
import { makeDirectories } from '../sys/make-directories.ts';
import { isSettled, STAT_KEY_WORDS, writeStatKey } from './stat-key.ts';

const FILE_NAME = 'stat-cache-v1';
const MAGIC = 'slipway stat cache 1\n';
const HEADER_BYTES = 32;

/** Words of 32 bits per record: 11 of key, 1 day of last use, 1 flags, 8 of SHA-256, 3 spare. */
const WORDS = 24;
const DAY = STAT_KEY_WORDS;
const FLAGS = 12;
const SHA256 = 13;
const HAS_XATTRS = 1;

const UNUSED_DAYS = 30;
/** 96 MB at most; the longest unused go first. */
const MOST_RECORDS = 1_000_000;
const DAY_MS = 86_400_000;

export interface StatCacheOptions {
  /** Milliseconds since 1970; for tests. */
  readonly now?: () => number;
}

export class StatCache implements ContentMemory {
  readonly #path: string;
  readonly #now: () => number;
  #records: Uint32Array;
  #count: number;
  /** Open addressing: record number + 1, 0 for free. */
  #slots: Int32Array;
  #isChanged = false;
  readonly #key = new Uint32Array(STAT_KEY_WORDS);

  private constructor(path: string, records: Uint32Array, now: () => number) {
    this.#path = path;
    this.#now = now;
    this.#records = records;
    this.#count = records.length / WORDS;
    this.#slots = this.#index();
  }

  /** Opens the cache in `directory`; a missing, foreign or damaged file is an empty cache. */
  static open(directory: string, options: StatCacheOptions = {}): StatCache {
    const path = join(directory, FILE_NAME);
    return new StatCache(path, readRecords(path), options.now ?? Date.now);
  }

  /** Number of files remembered. */
  get size(): number {
    return this.#count;
  }

  lookup(stat: FileStat): KnownContent | undefined {
    const slot = this.#find(stat);
    const number = this.#slots[slot]!;
    if (number === 0) return undefined;
    const at = (number - 1) * WORDS;
    const today = this.#today();
    if (this.#records[at + DAY] !== today) {
      this.#records[at + DAY] = today;
      this.#isChanged = true;
    }
    const bytes = Buffer.from(this.#records.buffer, this.#records.byteOffset + (at + SHA256) * 4, 32);
    return { sha256: bytes.toString('hex'), hasXattrs: (this.#records[at + FLAGS]! & HAS_XATTRS) !== 0 };
  }

  remember(stat: FileStat, content: KnownContent): void {
    if (!isSettled(stat, this.#now())) return;
    let slot = this.#find(stat);
    if (this.#slots[slot] === 0) {
      if ((this.#count + 1) * 2 > this.#slots.length || (this.#count + 1) * WORDS > this.#records.length) {
        this.#grow();
        slot = this.#find(stat);
      }
      this.#count += 1;
      this.#slots[slot] = this.#count;
    }
    const at = (this.#slots[slot]! - 1) * WORDS;
    this.#records.set(this.#key, at);
    this.#records[at + DAY] = this.#today();
    this.#records[at + FLAGS] = content.hasXattrs ? HAS_XATTRS : 0;
    const bytes = Buffer.from(this.#records.buffer, this.#records.byteOffset + (at + SHA256) * 4, 32);
    bytes.write(content.sha256, 'hex');
    this.#isChanged = true;
  }

  /**
   * Writes the file if anything changed: a new one, renamed into place. Entries unused for 30 days are dropped. What
   * two builds write at the same time is not merged: the later one wins, which costs a hash and nothing else.
   */
  save(): void {
    if (!this.#isChanged) return;
    const kept = this.#prune();
    const header = Buffer.alloc(HEADER_BYTES);
    header.write(MAGIC);
    header.writeUInt32LE(kept.length / WORDS, HEADER_BYTES - 4);
    const partial = `${this.#path}.${randomBytes(6).toString('hex')}`;
    try {
      makeDirectories(join(this.#path, '..'), 0o700);
      writeFileSync(partial, Buffer.concat([header, Buffer.from(kept.buffer, kept.byteOffset, kept.byteLength)]), {
        mode: 0o600,
        flag: 'wx',
      });
      renameSync(partial, this.#path);
    } catch (error) {
      rmSync(partial, { force: true });
      // What cannot be remembered is read again next time; no build fails for it.
      if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    }
    this.#isChanged = false;
  }

  #prune(): Uint32Array {
    const oldest = this.#today() - UNUSED_DAYS;
    const days = Array.from({ length: this.#count }, (_, i) => this.#records[i * WORDS + DAY]!);
    let limit = oldest;
    if (this.#count > MOST_RECORDS) limit = Math.max(limit, days.slice().sort((a, b) => b - a)[MOST_RECORDS]! + 1);
    if (days.every((day) => day >= limit)) return this.#records.subarray(0, this.#count * WORDS);
    const kept = new Uint32Array(days.filter((day) => day >= limit).length * WORDS);
    let next = 0;
    for (const [i, day] of days.entries()) {
      if (day < limit) continue;
      kept.set(this.#records.subarray(i * WORDS, (i + 1) * WORDS), next);
      next += WORDS;
    }
    return kept;
  }

  #today(): number {
    return Math.floor(this.#now() / DAY_MS);
  }

  #grow(): void {
    const larger = new Uint32Array(Math.max(1024 * WORDS, this.#records.length * 2));
    larger.set(this.#records.subarray(0, this.#count * WORDS));
    this.#records = larger;
    this.#slots = this.#index();
  }

  #index(): Int32Array {
    let size = 1024;
    while (size < (this.#records.length / WORDS) * 2 + 2) size *= 2;
    const slots = new Int32Array(size);
    for (let i = 0; i < this.#count; i++) {
      let slot = slotOf(this.#records, i * WORDS, size);
      while (slots[slot] !== 0) slot = (slot + 1) & (size - 1);
      slots[slot] = i + 1;
    }
    return slots;
  }

  /** Slot that holds the record of `stat`, or the free one where it belongs. Leaves the key in `#key`. */
  #find(stat: FileStat): number {
    writeStatKey(this.#key, 0, stat);
    const mask = this.#slots.length - 1;
    let slot = slotOf(this.#key, 0, this.#slots.length);
    for (let number = this.#slots[slot]!; number !== 0; number = this.#slots[slot]!) {
      if (this.#isAt((number - 1) * WORDS)) break;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #isAt(at: number): boolean {
    for (let i = 0; i < STAT_KEY_WORDS; i++) if (this.#records[at + i] !== this.#key[i]) return false;
    return true;
  }
}

function slotOf(words: Uint32Array, at: number, size: number): number {
  let h = Math.imul(words[at]! ^ Math.imul(words[at + 1]!, 0x9e3779b1), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 15) ^ words[at + 3]! ^ words[at + 10]!, 0xc2b2ae35);
  return (h ^ (h >>> 13)) & (size - 1);
}

function readRecords(path: string): Uint32Array {
  let file: Buffer;
  try {
    file = readFileSync(path);
  } catch {
    return new Uint32Array(0);
  }
  const count = file.length >= HEADER_BYTES ? file.readUInt32LE(HEADER_BYTES - 4) : 0;
  const isOurs = file.subarray(0, MAGIC.length).toString('latin1') === MAGIC;
  if (!isOurs || file.length !== HEADER_BYTES + count * WORDS * 4) return new Uint32Array(0);
  if (file.byteOffset % 4 === 0) return new Uint32Array(file.buffer, file.byteOffset + HEADER_BYTES, count * WORDS);
  return new Uint32Array(file.buffer.slice(file.byteOffset + HEADER_BYTES, file.byteOffset + file.length));
}
