/** Random numbers that a seed repeats: a failed run names its seed, `SLIPWAY_TEST_SEED` runs it again. */
import { randomInt } from 'node:crypto';

export const seed = Number(process.env['SLIPWAY_TEST_SEED'] ?? randomInt(2 ** 31));

/** Numbers from 0 up to 1, the same for the same seed (mulberry32). */
export function randomNumbers(from: number): () => number {
  let state = from >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
