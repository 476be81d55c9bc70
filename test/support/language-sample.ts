import type { LanguageCase } from './language-case.ts';

/** One case in so many. */
const EVERY = 4;

/**
 * The cases that another builder is asked about: those whose names hold `CASES`, all of them when it is empty, every
 * fourth when it is not set. What other builders do changes only with their version, and Slipway is held to every case
 * elsewhere, so a sample keeps the lists of differences honest in a quarter of the time.
 */
export function sampleCases(cases: readonly LanguageCase[]): readonly LanguageCase[] {
  const wanted = process.env['CASES'];
  if (wanted === undefined) return cases.filter((_, i) => i % EVERY === 0);
  return cases.filter(({ name }) => name.includes(wanted));
}
