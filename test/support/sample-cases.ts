/**
 * The cases that another builder is asked about: those whose names hold `CASES`, all of them when it is empty, every
 * `every`th when it is not set. What other builders do changes only with their version, and Slipway is held to every case
 * elsewhere, so a sample keeps the lists of differences honest in a fraction of the time.
 */
export function sampleCases<T extends { readonly name: string }>(cases: readonly T[], every: number): readonly T[] {
  const wanted = process.env['CASES'];
  if (wanted === undefined) return cases.filter((_, i) => i % every === 0);
  return cases.filter(({ name }) => name.includes(wanted));
}
