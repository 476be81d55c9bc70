/** Durations and sizes as Go programs take them on the command line. */
import { UsageError } from './usage-error.ts';

const NANOSECONDS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 6e10,
  h: 3.6e12,
};

/** `1h30m`, `1.5s`, `300ms`, `0` in nanoseconds. @throws UsageError naming `flag` */
export function parseDuration(text: string, flag: string): number {
  const match = /^([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h))+|0)$/.exec(text);
  if (match === null) throw new UsageError(`invalid duration "${text}" for ${flag}: expected a form like 30s or 1m30s`);
  let total = 0;
  for (const [, number, unit] of match[2]!.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/g)) {
    total += Number(number) * NANOSECONDS[unit!]!;
  }
  return Math.round(match[1] === '-' ? -total : total);
}

const BYTES: Readonly<Record<string, number>> = { '': 1, b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** `65536k`, `64m`, `1g`; powers of 1024. @throws UsageError naming `flag` */
export function parseSize(text: string, flag: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([bkmgt]?)(?:i?b)?$/i.exec(text);
  if (match === null) throw new UsageError(`invalid size "${text}" for ${flag}: expected a form like 64m`);
  return Math.floor(Number(match[1]) * BYTES[match[2]!.toLowerCase()]!);
}
