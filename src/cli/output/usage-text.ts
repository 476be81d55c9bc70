/** What a step used of the machine, in Buildah's words: `4ms(system) 31ms(user) 1.21s(elapsed) 0B input 8.192kB output`. */
import type { ResourceUsage } from '../../index.ts';
import { durationText } from './go-time.ts';

export function usageText({ systemMs, userMs, elapsedMs, readBytes, writtenBytes }: ResourceUsage): string {
  const time = (milliseconds: number): string => durationText(Math.round(milliseconds) * 1e6);
  return `${time(systemMs)}(system) ${time(userMs)}(user) ${time(elapsedMs)}(elapsed) ${size(readBytes)} input ${size(writtenBytes)} output`;
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

/** Decimal units and four significant digits, without a space: other than the sizes of images. */
function size(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${Number(value.toPrecision(4))}${UNITS[unit]}`;
}
