/**
 * XXH64 with seed 0: the checksum of zstd frames, for the decoder that does not check it itself. 64-bit numbers are
 * kept as two halves; multiplication with BigInt would be ten times slower.
 * @see xxHash specification, "XXH64 Algorithm Description"
 */

/** The five primes as pairs: high, low. */
const P1 = [0x9e3779b1, 0x85ebca87] as const;
const P2 = [0xc2b2ae3d, 0x27d4eb4f] as const;
const P3 = [0x165667b1, 0x9e3779f9] as const;
const P4 = [0x85ebca77, 0xc2b2ae63] as const;
const P5 = [0x27d4eb2f, 0x165667c5] as const;
const [P1_HIGH, P1_LOW] = P1;
const [P2_HIGH, P2_LOW] = P2;
type Prime = readonly [number, number];

/** The register all operations work on. */
let high = 0;
let low = 0;

function multiply([primeHigh, primeLow]: Prime): void {
  high = (upperHalf(low, primeLow) + Math.imul(low, primeHigh) + Math.imul(high, primeLow)) | 0;
  low = Math.imul(low, primeLow);
}

/** The high 32 bits of the product of two unsigned 32-bit numbers, from products of 16 bits, in integers throughout. */
function upperHalf(x: number, y: number): number {
  const xHigh = x >>> 16;
  const xLow = x & 0xffff;
  const yHigh = y >>> 16;
  const yLow = y & 0xffff;
  const first = (Math.imul(xHigh, yLow) + (Math.imul(xLow, yLow) >>> 16)) | 0;
  const second = (Math.imul(xLow, yHigh) + (first & 0xffff)) | 0;
  return (Math.imul(xHigh, yHigh) + (first >>> 16) + (second >>> 16)) | 0;
}

function add(addHigh: number, addLow: number): void {
  const sum = (low >>> 0) + (addLow >>> 0);
  high = (high + addHigh + (sum > 0xffffffff ? 1 : 0)) | 0;
  low = sum | 0;
}

/** @param count 1 … 31 */
function rotate(count: number): void {
  const before = high;
  high = (high << count) | (low >>> (32 - count));
  low = (low << count) | (before >>> (32 - count));
}

/** Exclusive or with itself shifted right. */
function shiftMix(count: number): void {
  if (count >= 32) low ^= high >>> (count - 32);
  else {
    low ^= (low >>> count) | (high << (32 - count));
    high ^= high >>> count;
  }
}

/** One step of a lane: the input times P2 is added, the sum rotated and multiplied. */
function round(laneHigh: number, laneLow: number, inputHigh: number, inputLow: number): void {
  high = inputHigh;
  low = inputLow;
  multiply(P2);
  add(laneHigh, laneLow);
  rotate(31);
  multiply(P1);
}

export class Xxh64 {
  /** Four lanes: high, low each. */
  readonly #lanes = Int32Array.of(0x60ea27ee, 0xadc0b5d6, P2[0], P2[1], 0, 0, 0x61c8864e, 0x7a143579);
  readonly #stripe = Buffer.alloc(32);
  #filled = 0;
  #total = 0;

  update(bytes: Uint8Array): void {
    const input = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#total += input.length;
    let at = 0;
    if (this.#filled > 0) {
      at = input.copy(this.#stripe, this.#filled);
      this.#filled += at;
      if (this.#filled < 32) return;
      this.#take(this.#stripe, 0);
      this.#filled = 0;
    }
    for (; at + 32 <= input.length; at += 32) this.#take(input, at);
    this.#filled = input.copy(this.#stripe, 0, at);
  }

  /** The low 32 bits, which is what zstd keeps. */
  low32(): number {
    if (this.#total < 32) {
      [high, low] = P5;
    } else this.#merge();
    add(Math.floor(this.#total / 2 ** 32), this.#total | 0);
    this.#tail();
    shiftMix(33);
    multiply(P2);
    shiftMix(29);
    multiply(P3);
    shiftMix(32);
    return low >>> 0;
  }

  /** `round` for each lane, written out with local variables: the rest of the file is not worth it. */
  #take(input: Buffer, at: number): void {
    const lanes = this.#lanes;
    for (let i = 0; i < 8; i += 2) {
      const inputLow = int32(input, at + i * 4);
      const inputHigh = int32(input, at + i * 4 + 4);
      const laneLow = lanes[i + 1]!;
      const addedLow = Math.imul(inputLow, P2_LOW);
      const sumLow = (laneLow + addedLow) | 0;
      const carry = sumLow >>> 0 < addedLow >>> 0 ? 1 : 0;
      const addedHigh = (upperHalf(inputLow, P2_LOW) + Math.imul(inputLow, P2_HIGH) + Math.imul(inputHigh, P2_LOW)) | 0;
      const sumHigh = (lanes[i]! + addedHigh + carry) | 0;
      const turnedHigh = (sumHigh << 31) | (sumLow >>> 1);
      const turnedLow = (sumLow << 31) | (sumHigh >>> 1);
      lanes[i] = upperHalf(turnedLow, P1_LOW) + Math.imul(turnedLow, P1_HIGH) + Math.imul(turnedHigh, P1_LOW);
      lanes[i + 1] = Math.imul(turnedLow, P1_LOW);
    }
  }

  #merge(): void {
    const lanes = this.#lanes;
    let sumHigh = 0;
    let sumLow = 0;
    for (const [i, count] of [1, 7, 12, 18].entries()) {
      high = lanes[2 * i]!;
      low = lanes[2 * i + 1]!;
      rotate(count);
      add(sumHigh, sumLow);
      sumHigh = high;
      sumLow = low;
    }
    for (let i = 0; i < 8; i += 2) {
      round(0, 0, lanes[i]!, lanes[i + 1]!);
      high ^= sumHigh;
      low ^= sumLow;
      multiply(P1);
      add(P4[0], P4[1]);
      sumHigh = high;
      sumLow = low;
    }
  }

  /** The bytes after the last whole stripe. */
  #tail(): void {
    let at = 0;
    for (; at + 8 <= this.#filled; at += 8) {
      const hashHigh = high;
      const hashLow = low;
      round(0, 0, int32(this.#stripe, at + 4), int32(this.#stripe, at));
      high ^= hashHigh;
      low ^= hashLow;
      rotate(27);
      multiply(P1);
      add(P4[0], P4[1]);
    }
    if (at + 4 <= this.#filled) {
      this.#mixIn(int32(this.#stripe, at), P1);
      rotate(23);
      multiply(P2);
      add(P3[0], P3[1]);
      at += 4;
    }
    for (; at < this.#filled; at++) {
      this.#mixIn(this.#stripe[at]!, P5);
      rotate(11);
      multiply(P1);
    }
  }

  #mixIn(value: number, prime: Prime): void {
    const hashHigh = high;
    const hashLow = low;
    high = 0;
    low = value;
    multiply(prime);
    high ^= hashHigh;
    low ^= hashLow;
  }
}

function int32(bytes: Buffer, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}
