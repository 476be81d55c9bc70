/**
 * Starting processes from the calling thread. `spawnHere` is posix_spawn(3): the child takes over namespaces, root,
 * directory, credentials and seccomp filter of the *thread* that calls, it does not copy this program's memory map, and
 * a failing exec is an errno instead of a silent exit. `runHelper` is the ordinary way to ask another program something.
 *
 * @see posix_spawn(3), waitpid(2), pipe2(2)
 */
import { spawnSync } from 'node:child_process';
import { constants as osConstants } from 'node:os';
import { addressOf, callError, check, cString, lastErrno, lazy, O_CLOEXEC, rawSyscall } from './libc.ts';

const cSpawn = lazy(
  'int posix_spawn(int32_t*, const uint8_t*, const uint8_t*, const uint8_t*, const uint8_t*, const uint8_t*)',
);
const cActionsInit = lazy('int posix_spawn_file_actions_init(uint8_t*)');
const cActionsDup2 = lazy('int posix_spawn_file_actions_adddup2(uint8_t*, int, int)');
const cActionsOpen = lazy('int posix_spawn_file_actions_addopen(uint8_t*, int, const uint8_t*, int, uint32_t)');
const cActionsClose = lazy('int posix_spawn_file_actions_addclose(uint8_t*, int)');
const cActionsDestroy = lazy('int posix_spawn_file_actions_destroy(uint8_t*)');
const cAttrInit = lazy('int posix_spawnattr_init(uint8_t*)');
const cAttrFlags = lazy('int posix_spawnattr_setflags(uint8_t*, int16_t)');
const cAttrMask = lazy('int posix_spawnattr_setsigmask(uint8_t*, const uint8_t*)');
const cAttrDefault = lazy('int posix_spawnattr_setsigdefault(uint8_t*, const uint8_t*)');
const cAttrDestroy = lazy('int posix_spawnattr_destroy(uint8_t*)');
const cWaitpid = lazy('int waitpid(int, int32_t*, int)');
const cPipe2 = lazy('int pipe2(int32_t*, int)');

/** Larger than either structure in glibc (336 and 80 bytes) and musl. */
const OPAQUE_BYTES = 1024;
/** Every signal; sigset_t is 128 bytes in glibc and musl. libc drops the ones it keeps for itself. */
const ALL_SIGNALS = Buffer.alloc(128, 0xff);
const NO_SIGNALS = Buffer.alloc(128);
const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSIGMASK = 0x08;
const POSIX_SPAWN_SETSID = 0x80;
const SYS_CLOSE_RANGE = 436;
const CLOSE_RANGE_CLOEXEC = 4;
const O_RDWR = 2;
const LAST_FD = 0xffffffff;

export interface SpawnRequest {
  /** The program, resolved by the caller: there is no PATH search. */
  readonly path: string;
  readonly args: readonly string[];
  /** The whole environment, `K=V`. */
  readonly env: readonly string[];
  /** Our descriptors that become 0, 1, 2, …; everything else stays out of the child. */
  readonly fds: readonly number[];
  /** Starts a session; with `terminal` that device is opened as 0, 1 and 2 and becomes the controlling terminal. */
  readonly newSession?: boolean;
  readonly terminal?: string;
  /** A FIFO the child opens for reading, and closes, before it runs: that waits until somebody opens it for writing. */
  readonly gate?: string;
}

/** errno name of a failed start, or the process id as this thread's process sees it. */
export type SpawnResult = { readonly pid: number } | { readonly errno: string };

const ERRNO_NAMES = new Map(Object.entries(osConstants.errno).map(([name, value]) => [value as number, name]));

/** A `char *[]` ending in NULL; `held` keeps the strings alive as long as the array is in use. */
function pointerArray(values: readonly string[]): { readonly array: Buffer; readonly held: readonly Buffer[] } {
  const held = values.map((value) => Buffer.from(cString(value)));
  const array = Buffer.alloc((held.length + 1) * 8);
  held.forEach((text, i) => {
    array.writeBigUInt64LE(addressOf(text), i * 8);
  });
  return { array, held };
}

function ok(result: number, operation: string): void {
  if (result !== 0) throw callError(operation, undefined, ERRNO_NAMES.get(result) ?? `errno ${result}`);
}

/** Marks every descriptor from 3 up close-on-exec, whatever library opened it. Kernels before 5.11: no change. */
export function sealDescriptors(): void {
  try {
    rawSyscall(SYS_CLOSE_RANGE, 3, LAST_FD, CLOSE_RANGE_CLOEXEC);
  } catch {
    // Older kernel: node and this program open everything O_CLOEXEC themselves.
  }
}

/** Starts a process with default signal dispositions and an empty signal mask. Reap it with `waitForExit`. */
export function spawnHere(request: SpawnRequest): SpawnResult {
  const actions = Buffer.alloc(OPAQUE_BYTES);
  const attributes = Buffer.alloc(OPAQUE_BYTES);
  ok(cActionsInit(actions), 'prepare a process');
  ok(cAttrInit(attributes), 'prepare a process');
  try {
    if (request.gate !== undefined) {
      // Any number will do that is not wanted below: this happens in the child's own table.
      const fd = Math.max(2, ...request.fds) + 1;
      ok(cActionsOpen(actions, fd, cString(request.gate), 0, 0), 'prepare a process');
      ok(cActionsClose(actions, fd), 'prepare a process');
    }
    if (request.terminal === undefined) {
      request.fds.forEach((fd, target) => {
        ok(cActionsDup2(actions, fd, target), 'prepare a process');
      });
    } else {
      // O_RDWR without O_NOCTTY by a session leader: the terminal becomes its controlling one. @see open(2)
      ok(cActionsOpen(actions, 0, cString(request.terminal), O_RDWR, 0), 'prepare a process');
      ok(cActionsDup2(actions, 0, 1), 'prepare a process');
      ok(cActionsDup2(actions, 0, 2), 'prepare a process');
    }
    const session = request.newSession === true ? POSIX_SPAWN_SETSID : 0;
    ok(cAttrFlags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | session), 'prepare a process');
    ok(cAttrMask(attributes, NO_SIGNALS), 'prepare a process');
    ok(cAttrDefault(attributes, ALL_SIGNALS), 'prepare a process');
    sealDescriptors();
    const pid = Buffer.alloc(4);
    const args = pointerArray(request.args);
    const env = pointerArray(request.env);
    const failed = cSpawn(pid, cString(request.path), actions, attributes, args.array, env.array);
    return failed === 0 ? { pid: pid.readInt32LE(0) } : { errno: ERRNO_NAMES.get(failed) ?? `errno ${failed}` };
  } finally {
    cActionsDestroy(actions);
    cAttrDestroy(attributes);
  }
}

export type WaitResult =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signaled'; readonly signal: string };

const SIGNAL_NAMES = new Map(Object.entries(osConstants.signals).map(([name, value]) => [value as number, name]));
// node lists two names for some numbers; these are the ones people know.
for (const name of ['SIGABRT', 'SIGIO', 'SIGCHLD'] as const) SIGNAL_NAMES.set(osConstants.signals[name], name);

/** Blocks this thread until the child ends and reaps it. Never call it on the main thread. @see waitpid(2) */
export function waitForExit(pid: number): WaitResult {
  const status = Buffer.alloc(4);
  while (cWaitpid(pid, status, 0) < 0) {
    const errno = lastErrno();
    if (errno !== 'EINTR') throw callError('wait for a process', undefined, errno);
  }
  const word = status.readInt32LE(0);
  const signal = word & 0x7f;
  if (signal === 0) return { kind: 'exited', code: (word >> 8) & 0xff };
  return { kind: 'signaled', signal: SIGNAL_NAMES.get(signal) ?? `SIG${signal}` };
}

/** A close-on-exec pipe, both ends blocking. @see pipe2(2) */
export function openPipe(): { readonly read: number; readonly write: number } {
  const pair = Buffer.alloc(8);
  check(cPipe2(pair, O_CLOEXEC), 'open a pipe');
  return { read: pair.readInt32LE(0), write: pair.readInt32LE(4) };
}

export interface HelperResult {
  /** Exit code; undefined when it could not be started or was killed. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

const HELPER_TIMEOUT_MS = 10_000;

/** Runs a host program to its end with a minimal environment and returns what it said. For short questions only. */
export function runHelper(
  path: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): HelperResult {
  const result = spawnSync(path, args, {
    env: { PATH: TRUSTED_PATH, LC_ALL: 'C', ...env },
    encoding: 'utf8',
    timeout: HELPER_TIMEOUT_MS,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return {
    code: result.error === undefined && result.status !== null ? result.status : undefined,
    stdout: result.stdout ?? '',
    stderr: result.stderr ?? '',
  };
}

/** Where helper programs are looked for: never in the directory of a build, whatever the caller's PATH says. */
export const TRUSTED_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Same directory list as `TRUSTED_PATH`, split. */
export function trustedDirectories(): readonly string[] {
  return TRUSTED_PATH.split(':');
}
