/**
 * Giving up privileges, for the calling thread only: the C library's own wrappers would change every thread of this
 * program, so identities go through raw system calls. Everything started from the thread afterwards inherits the loss.
 *
 * @see capabilities(7), credentials(7), seccomp(2)
 */
import { BuilderError } from '../report/builder-error.ts';
import { addressOf, check, errnoOf, lazy, prctl, prctlPointer, rawSyscall } from './libc.ts';

const cUmask = lazy('uint32_t umask(uint32_t)');
const cCapset = lazy('int64_t syscall(int64_t, const uint8_t*, const uint8_t*)');
const cSetgroups = lazy('int64_t syscall(int64_t, int64_t, const uint8_t*)');

/** Numbers of the calls used here. @see asm/unistd_64.h, asm-generic/unistd.h */
const CALLS: Readonly<Record<string, { readonly [name: string]: number }>> = {
  x64: { setgroups: 116, setresuid: 117, setresgid: 119, capset: 126, keyctl: 250, pivot_root: 155 },
  arm64: { setgroups: 159, setresuid: 147, setresgid: 149, capset: 91, keyctl: 219, pivot_root: 41 },
};

/** Number of a system call on this machine. @throws `sys.not-permitted` on an architecture without a table */
export function callNumber(name: 'setgroups' | 'setresuid' | 'setresgid' | 'capset' | 'keyctl' | 'pivot_root'): number {
  const number = CALLS[process.arch]?.[name];
  if (number === undefined) {
    throw new BuilderError('sys.not-permitted', `cannot isolate processes on ${process.arch}: system calls not known`, {
      hint: 'install runc or crun and use --isolation oci',
    });
  }
  return number;
}

const PR_CAPBSET_DROP = 24;
const PR_SET_SECCOMP = 22;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_CLEAR_ALL = 4;
const SECCOMP_MODE_FILTER = 2;
const LINUX_CAPABILITY_VERSION_3 = 0x20080522;
const KEYCTL_JOIN_SESSION_KEYRING = 1;
/** Above the last capability any kernel knows; dropping stops at the first unknown one. */
const CAPABILITY_LIMIT = 64;

/** Takes everything but `keep` (capability numbers) out of the bounding set. */
export function limitBoundingSet(keep: ReadonlySet<number>): void {
  for (let capability = 0; capability < CAPABILITY_LIMIT; capability++) {
    if (keep.has(capability)) continue;
    try {
      prctl(PR_CAPBSET_DROP, capability);
    } catch (error) {
      if (errnoOf(error) === 'EINVAL') return;
      throw error;
    }
  }
}

/** Sets permitted and effective to `keep`, inheritable and ambient to nothing. */
export function setCapabilities(keep: ReadonlySet<number>): void {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(LINUX_CAPABILITY_VERSION_3, 0);
  const sets = Buffer.alloc(24);
  let bits = 0n;
  for (const capability of keep) bits |= 1n << BigInt(capability);
  for (const [word, shift] of [0n, 32n].entries()) {
    const half = Number((bits >> shift) & 0xffffffffn);
    sets.writeUInt32LE(half, word * 12);
    sets.writeUInt32LE(half, word * 12 + 4);
  }
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL);
  check(Number(cCapset(callNumber('capset'), header, sets)), 'set capabilities');
}

/** Becomes that user for good. */
export function setIdentity(uid: number, gid: number, groups: readonly number[]): void {
  const list = Buffer.alloc(Math.max(4, groups.length * 4));
  groups.forEach((group, i) => {
    list.writeUInt32LE(group, i * 4);
  });
  try {
    check(Number(cSetgroups(callNumber('setgroups'), groups.length, list)), 'set groups');
  } catch (error) {
    // A user namespace with a single mapped id has setgroups denied; there is then no group to leak but our own.
    if (errnoOf(error) !== 'EPERM' || groups.some((group) => group !== gid)) throw error;
  }
  rawSyscall(callNumber('setresgid'), gid, gid, gid);
  rawSyscall(callNumber('setresuid'), uid, uid, uid);
}

const KEEP = -1;
const PR_SET_DUMPABLE = 4;

/** Runs `body` with this thread's real and effective ids changed, and changes them back. Nothing else may run meanwhile. */
export function borrowIdentity(uid: number, gid: number, body: () => void): void {
  rawSyscall(callNumber('setresgid'), gid, gid, KEEP);
  try {
    rawSyscall(callNumber('setresuid'), uid, uid, KEEP);
    try {
      body();
    } finally {
      rawSyscall(callNumber('setresuid'), 0, 0, KEEP);
    }
  } finally {
    rawSyscall(callNumber('setresgid'), 0, 0, KEEP);
    // A change of identity makes the kernel hide /proc/self from us.
    prctl(PR_SET_DUMPABLE, 1);
  }
}

/** No program started from here on gains rights by setuid bits or file capabilities. */
export function forbidNewPrivileges(): void {
  prctl(PR_SET_NO_NEW_PRIVS, 1);
}

/** Leaves the caller's session keyring, so that its keys are not readable from inside. Missing support is no loss. */
export function joinFreshKeyring(): void {
  try {
    rawSyscall(callNumber('keyctl'), KEYCTL_JOIN_SESSION_KEYRING, 0);
  } catch {
    // Kernels without keyrings have none to leak.
  }
}

/** Installs a classic BPF program (8 bytes an instruction) for this thread. Needs CAP_SYS_ADMIN or no-new-privileges. */
export function installSeccompFilter(program: Buffer): void {
  // struct sock_fprog { unsigned short len; struct sock_filter *filter; } holds a pointer, hence the address of the copy.
  const held = Buffer.from(program);
  const fprog = Buffer.alloc(16);
  fprog.writeUInt16LE(held.length / 8, 0);
  fprog.writeBigUInt64LE(addressOf(held), 8);
  prctlPointer(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, fprog);
}

export function setUmask(mask: number): void {
  cUmask(mask);
}
