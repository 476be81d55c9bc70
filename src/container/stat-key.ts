/** What stat says of a file, as numbers: equal only for a file that nobody touched, whatever its path. */
import type { FileStat } from '../sys/libc.ts';

/** Device, inode, size, mtime and ctime to the nanosecond, in words of 32 bits. */
export const STAT_KEY_WORDS = 11;

const RACY_MS = 2000;
const TWO_32 = 2 ** 32;

/** Writes the key of `stat` into `words`, from `at` on. */
export function writeStatKey(words: Uint32Array, at: number, stat: FileStat): void {
  const { mtime, ctime } = stat;
  const ino = stat.ino.length < 16 ? Number(stat.ino) : undefined;
  words[at] = deviceWord(stat.dev);
  words[at + 1] = ino === undefined ? Number(BigInt(stat.ino) & 0xffffffffn) : ino >>> 0;
  words[at + 2] = ino === undefined ? Number(BigInt(stat.ino) >> 32n) : ino / TWO_32;
  words[at + 3] = stat.size >>> 0;
  words[at + 4] = stat.size / TWO_32;
  words[at + 5] = mtime.seconds >>> 0;
  words[at + 6] = Math.floor(mtime.seconds / TWO_32);
  words[at + 7] = mtime.nanoseconds;
  words[at + 8] = ctime.seconds >>> 0;
  words[at + 9] = Math.floor(ctime.seconds / TWO_32);
  words[at + 10] = ctime.nanoseconds;
}

/**
 * Whether the key may be remembered. Not that of a file changed within two seconds before `now`: another change in the
 * same tick of the file system clock would leave its stat as it is (git calls such entries racily clean). Nor one whose
 * ctime has no fraction: file systems made as images carry the same whole-second times in every edition.
 * @param now ms since 1970
 */
export function isSettled({ mtime, ctime }: FileStat, now: number): boolean {
  const latest = now - RACY_MS;
  return ctime.nanoseconds !== 0 && milliseconds(ctime) <= latest && milliseconds(mtime) <= latest;
}

function milliseconds(time: FileStat['mtime']): number {
  return time.seconds * 1000 + time.nanoseconds / 1e6;
}

let lastDevice = '';
let lastDeviceWord = 0;

/** 12 bits of major and 20 of minor number, as Linux itself limits them; the same text comes many times in a row. */
function deviceWord(dev: string): number {
  if (dev === lastDevice) return lastDeviceWord;
  const [major, minor] = dev.split(':');
  lastDevice = dev;
  lastDeviceWord = ((Number(major) << 20) | Number(minor)) >>> 0;
  return lastDeviceWord;
}
