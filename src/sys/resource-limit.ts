/** Limits of another process. @see prlimit(2) */
import { BuilderError } from '../report/builder-error.ts';
import { check, errnoOf, lazy } from './libc.ts';
import { borrowIdentity } from './privilege.ts';

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

const value = (limit: number): bigint => (limit === -1 ? UNLIMITED : BigInt(limit));

/** Whether this process, and so whatever it starts, already has that limit. */
export function hasLimit(name: string, soft: number, hard: number): boolean {
  const pair = Buffer.alloc(16);
  check(cPrlimit(0, resourceNumber(name), null, pair), `read the limit ${name}`);
  return pair.readBigUInt64LE(0) === value(soft) && pair.readBigUInt64LE(8) === value(hard);
}

/**
 * Sets soft and hard limit of a child that runs as `owner`; -1 is unlimited. Raising a hard limit needs
 * CAP_SYS_RESOURCE on the host.
 */
export function setLimitOf(
  pid: number,
  name: string,
  soft: number,
  hard: number,
  owner: { readonly uid: number; readonly gid: number },
): void {
  const pair = Buffer.alloc(16);
  pair.writeBigUInt64LE(value(soft), 0);
  pair.writeBigUInt64LE(value(hard), 8);
  const set = (): void => {
    check(cPrlimit(pid, resourceNumber(name), pair, null), `set the limit ${name} to ${soft}:${hard}`);
  };
  try {
    set();
  } catch (error) {
    if (errnoOf(error) !== 'EPERM' || owner.uid === 0) throw error;
    // Root without CAP_SYS_RESOURCE may not, but whoever has the process's own ids may.
    borrowIdentity(owner.uid, owner.gid, set);
  }
}
