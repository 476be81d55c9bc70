/**
 * A set of paths that keeps a 64-bit fingerprint of each instead of the path: 10 million of them fit 128 MiB. The hash
 * is keyed anew for each set, so nobody can prepare two paths that collide; by chance that happens once in 10¹² sets of
 * a million paths.
 */
import { randomBytes } from 'node:crypto';
import type { ByteString } from './copy-walk.ts';

const FIRST_SLOTS = 1024;
const FULL = 0.7;

export class PathSet {
  #slots = new Uint32Array(FIRST_SLOTS * 2);
  #mask = FIRST_SLOTS - 1;
  #size = 0;
  readonly #seedLow: number;
  readonly #seedHigh: number;
  #low = 0;
  #high = 0;

  constructor() {
    const seed = randomBytes(8);
    this.#seedLow = seed.readUInt32LE(0);
    this.#seedHigh = seed.readUInt32LE(4);
  }

  get size(): number {
    return this.#size;
  }

  has(path: ByteString): boolean {
    this.#fingerprint(path);
    return this.#slots[this.#find(this.#low, this.#high) + 1] !== 0;
  }

  /** True when it was not in the set before. */
  add(path: ByteString): boolean {
    this.#fingerprint(path);
    const slot = this.#find(this.#low, this.#high);
    if (this.#slots[slot + 1] !== 0) return false;
    this.#slots[slot] = this.#low;
    this.#slots[slot + 1] = this.#high;
    this.#size += 1;
    if (this.#size > FULL * (this.#mask + 1)) this.#grow();
    return true;
  }

  /** Two multiplicative hashes with different keys; the second is never 0, which marks a free slot. */
  #fingerprint(path: ByteString): void {
    let low = this.#seedLow;
    let high = this.#seedHigh;
    for (let i = 0; i < path.length; i++) {
      const byte = path.charCodeAt(i);
      low = Math.imul(low ^ byte, 0x9e3779b1);
      low ^= low >>> 15;
      high = Math.imul(high ^ byte, 0x85ebca6b) + low;
      high ^= high >>> 13;
    }
    this.#low = Math.imul(low ^ (high >>> 16), 0xc2b2ae35) >>> 0;
    this.#high = (Math.imul(high ^ (low >>> 16), 0x27d4eb2f) | 1) >>> 0;
  }

  /** Index of the slot holding the fingerprint, or of the free one where it belongs. */
  #find(low: number, high: number): number {
    for (let at = low & this.#mask; ; at = (at + 1) & this.#mask) {
      const slot = at * 2;
      if (this.#slots[slot + 1] === 0) return slot;
      if (this.#slots[slot] === low && this.#slots[slot + 1] === high) return slot;
    }
  }

  #grow(): void {
    const old = this.#slots;
    this.#mask = this.#mask * 2 + 1;
    this.#slots = new Uint32Array((this.#mask + 1) * 2);
    for (let slot = 0; slot < old.length; slot += 2) {
      if (old[slot + 1] === 0) continue;
      const free = this.#find(old[slot]!, old[slot + 1]!);
      this.#slots[free] = old[slot]!;
      this.#slots[free + 1] = old[slot + 1]!;
    }
  }
}
