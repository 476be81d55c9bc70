/** "Did you mean": the nearest of some candidates by edit distance. */

/** Damerau-Levenshtein distance (adjacent swaps count one), stopping early once it exceeds `limit`. */
export function editDistance(a: string, b: string, limit = Number.POSITIVE_INFINITY): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    let smallest = i;
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let distance = Math.min(previous[j]! + 1, current[j - 1]! + 1, substitution);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        distance = Math.min(distance, beforePrevious[j - 2]! + 1);
      }
      current.push(distance);
      smallest = Math.min(smallest, distance);
    }
    if (smallest > limit) return limit + 1;
    beforePrevious = previous;
    previous = current;
  }
  return previous[b.length]!;
}

/**
 * The candidate nearest to `word`, at distance 2 at most, 3 for words over 8 letters, 1 for those under 4. Case counts
 * only between candidates that are equally near, and then letters left out of the word beat letters too many.
 */
export function suggest(word: string, candidates: Iterable<string>): string | undefined {
  const limit = word.length > 8 ? 3 : word.length > 3 ? 2 : 1;
  const lower = word.toLowerCase();
  let best: { readonly candidate: string; readonly rank: readonly number[] } | undefined;
  for (const candidate of candidates) {
    if (candidate === word) return undefined;
    const distance = editDistance(lower, candidate.toLowerCase(), limit);
    if (distance > limit) continue;
    const rank = [distance, editDistance(word, candidate), -candidate.length];
    if (best === undefined || isBefore(rank, best.rank)) best = { candidate, rank };
  }
  return best?.candidate;
}

function isBefore(a: readonly number[], b: readonly number[]): boolean {
  const i = a.findIndex((value, k) => value !== b[k]);
  return i >= 0 && a[i]! < b[i]!;
}
