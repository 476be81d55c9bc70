/** Limits of another process. @see prlimit(2) */
import { BuilderError } from '../report/builder-error.ts';
import { check, lazy } from './libc.ts';

const cPrlimit = lazy('int prlimit(int, int, const uint8_t*, uint8_t*)');
const UNLIMITED = 0xffffffffffffffffn;

/** Numbers of the generic ABI, which x86-64 and arm64 share. @see asm-generic/resource.h */
const RESOURCES: Readonly<Record<string, number>> = {
  cpu: 0,
  fsize: 1,
  data: 2,
  stack: 3,
  core: 4,
  rss: 5,
  nproc: 6,
  nofile: 7,
  memlock: 8,
  as: 9,
  locks: 10,
  sigpending: 11,
  msgqueue: 12,
  nice: 13,
  rtprio: 14,
  rttime: 15,
};

/** Number of a limit's name as in prlimit(1). @throws `usage.invalid` for an unknown one */
function resourceNumber(name: string): number {
  const number = RESOURCES[name];
  if (number === undefined) throw new BuilderError('usage.invalid', `unknown resource limit ${JSON.stringify(name)}`);
  return number;
}

/** Sets soft and hard limit; -1 is unlimited. Raising a hard limit needs CAP_SYS_RESOURCE on the host. */
export function setLimitOf(pid: number, name: string, soft: number, hard: number): void {
  const pair = Buffer.alloc(16);
  pair.writeBigUInt64LE(soft === -1 ? UNLIMITED : BigInt(soft), 0);
  pair.writeBigUInt64LE(hard === -1 ? UNLIMITED : BigInt(hard), 8);
  check(cPrlimit(pid, resourceNumber(name), pair, null), `set the limit ${name} to ${soft}:${hard}`);
}
