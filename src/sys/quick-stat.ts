/**
 * `lstatat` for walks over very many files: no buffer per call, no big integers, times decoded when asked for. Half
 * the cost of the general call, which is what a build context nobody touched spends its time on.
 */
import { createRequire } from 'node:module';
import type { Timestamp } from '../spec/timestamp.ts';
import { AT_SYMLINK_NOFOLLOW, type FileStat, lstatat } from './libc.ts';

type Statx = (dirFd: number, name: Buffer, flags: number, mask: number, out: Buffer) => number;

const STATX_BASIC_STATS = 0x7ff;
const TWO_32 = 2 ** 32;
const LONGEST_NAME = 255;

const OUT = Buffer.from(new ArrayBuffer(256));
const WORDS = new Uint32Array(OUT.buffer);
const SIGNED = new Int32Array(OUT.buffer);
const NAME = Buffer.alloc(LONGEST_NAME + 1);

let statx: Statx | undefined;

function bind(): Statx {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  return koffi.load(null).func('int statx(int, const void*, int, uint32_t, void*)') as unknown as Statx;
}

let lastMajor = -1;
let lastMinor = -1;
let lastDevice = '';

/** Files of one tree share their device; the text is made once. */
function deviceText(major: number, minor: number): string {
  if (major !== lastMajor || minor !== lastMinor) {
    lastMajor = major;
    lastMinor = minor;
    lastDevice = `${major}:${minor}`;
  }
  return lastDevice;
}

/** A 64-bit value as a number; small ones, nearly all, stay small integers, which cost no memory of their own. */
function wide(low: number, high: number): number {
  return high === 0 && low < 0x40000000 ? low : low + high * TWO_32;
}

/** Seconds since 1970: until 2038 a small integer. */
function secondsOf(low: number, high: number): number {
  return high === 0 && low < 0x80000000 ? low | 0 : low + high * TWO_32;
}

/** The struct statx of the last call. Walks hold hundreds of thousands of these. @see statx(2) */
class QuickStat implements FileStat {
  readonly nlink = WORDS[4]!;
  readonly uid = WORDS[5]!;
  readonly gid = WORDS[6]!;
  readonly mode = WORDS[7]! & 0xffff;
  readonly size = wide(WORDS[10]!, WORDS[11]!);
  readonly blocks = wide(WORDS[12]!, WORDS[13]!);
  readonly rdevMajor = WORDS[32]!;
  readonly rdevMinor = WORDS[33]!;
  readonly dev = deviceText(WORDS[34]!, WORDS[35]!);
  readonly #inodeLow = WORDS[8]!;
  readonly #inodeHigh = WORDS[9]!;
  readonly #ctime = secondsOf(WORDS[24]!, SIGNED[25]!);
  readonly #ctimeNs = WORDS[26]!;
  readonly #mtime = secondsOf(WORDS[28]!, SIGNED[29]!);
  readonly #mtimeNs = WORDS[30]!;

  get ino(): string {
    return inodeText(this.#inodeLow, this.#inodeHigh);
  }
  get ctime(): Timestamp {
    return { seconds: this.#ctime, nanoseconds: this.#ctimeNs };
  }
  get mtime(): Timestamp {
    return { seconds: this.#mtime, nanoseconds: this.#mtimeNs };
  }
}

function inodeText(low: number, high: number): string {
  if (high < 0x200000) return String(low + high * TWO_32);
  return ((BigInt(high) << 32n) | BigInt(low)).toString();
}

/**
 * Stat of `name`, one character per byte (latin1), in the directory open as `dirFd`; links are not followed.
 * @throws `sys.call-failed` as `lstatat` does
 */
export function quickStat(dirFd: number, name: string): FileStat {
  if (name.length > 0 && name.length <= LONGEST_NAME) {
    NAME[NAME.write(name, 'latin1')] = 0;
    statx ??= bind();
    if (statx(dirFd, NAME, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, OUT) === 0) return new QuickStat();
  }
  // The general call tells what went wrong.
  return lstatat(dirFd, Buffer.from(name, 'latin1'));
}
