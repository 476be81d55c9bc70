/** Durations as Go writes them: `1m30s`, `500ms`, `1.5h`. */

const UNITS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};
const PART = /(\d+\.?\d*|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/g;
const MAX_NANOSECONDS = 2 ** 63;

/** Nanoseconds, or undefined when `text` is no duration or one beyond 292 years. */
export function parseGoDuration(text: string): number | undefined {
  const sign = text.startsWith('-') ? -1 : 1;
  const body = text.replace(/^[+-]/, '');
  if (body === '0') return 0;
  let total = 0;
  let length = 0;
  for (const match of body.matchAll(PART)) {
    if (match.index !== length) return undefined;
    length += match[0].length;
    total += Number(match[1]) * UNITS[match[2]!]!;
  }
  if (length === 0 || length !== body.length || total >= MAX_NANOSECONDS) return undefined;
  return sign * Math.round(total);
}
