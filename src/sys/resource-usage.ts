/** What this process and those it has started and waited for have used so far. @see getrusage(2) */
import { performance } from 'node:perf_hooks';
import type { ResourceUsage } from '../report/resource-usage.ts';
import { check, lazy } from './libc.ts';

const cGetrusage = lazy('int getrusage(int, uint8_t*)');
const SELF = 0;
const CHILDREN = -1;

/** Of `struct rusage` on 64-bit machines: two `timeval`s, then fourteen `long`s. */
const USAGE_BYTES = 144;
const USER_AT = 0;
const SYSTEM_AT = 16;
const INBLOCK_AT = 88;
const OUBLOCK_AT = 96;
/** The kernel counts what it reads and writes in sectors, whatever the disk's blocks are. */
const SECTOR_BYTES = 512;

/** Counters since this process began; `elapsedMs` since some moment before. */
export function resourceUsage(): ResourceUsage {
  const [self, children] = [usageOf(SELF), usageOf(CHILDREN)];
  return {
    userMs: self.userMs + children.userMs,
    systemMs: self.systemMs + children.systemMs,
    elapsedMs: performance.now(),
    readBytes: self.readBytes + children.readBytes,
    writtenBytes: self.writtenBytes + children.writtenBytes,
  };
}

function usageOf(whose: number): Omit<ResourceUsage, 'elapsedMs'> {
  const usage = Buffer.alloc(USAGE_BYTES);
  check(cGetrusage(whose, usage), 'read the resource usage');
  const milliseconds = (at: number): number =>
    Number(usage.readBigInt64LE(at)) * 1000 + Number(usage.readBigInt64LE(at + 8)) / 1000;
  return {
    userMs: milliseconds(USER_AT),
    systemMs: milliseconds(SYSTEM_AT),
    readBytes: Number(usage.readBigInt64LE(INBLOCK_AT)) * SECTOR_BYTES,
    writtenBytes: Number(usage.readBigInt64LE(OUBLOCK_AT)) * SECTOR_BYTES,
  };
}
