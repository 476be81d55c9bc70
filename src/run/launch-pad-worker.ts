/**
 * The launch pad: a thread that leaves the world it was started in, step by step, and starts one process from there.
 * Namespaces, root directory, credentials and seccomp filters belong to threads in Linux, so the rest of the program
 * notices nothing. A pad is used once: what it has given up cannot be taken back.
 *
 * Two phases. *Warming* needs no plan: new mount, pid, uts and ipc namespaces, and the keeper as pid 1 with a fresh
 * /proc. *Launching*: the plan's mounts, the new root, the loss of privileges, the process. In between the thread waits.
 *
 * The keeper (`cat`) does nothing but read a pipe whose other end only this program holds. When it ends, be it that we
 * close the pipe or that we are killed, the kernel kills the whole pid namespace. It ignores SIGCHLD, which makes the
 * kernel reap orphans by itself, and it is what mounts /proc, since a proc file system shows the namespace of the
 * process that mounts it.
 *
 * @see namespaces(7), pid_namespaces(7), pivot_root(2)
 */
import { closeSync, openSync, readlinkSync, readSync, writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import {
  AT_FDCWD,
  CLONE,
  chdirCall,
  errnoOf,
  MS,
  mknodat,
  mountCall,
  O_PATH,
  openat,
  S_IFIFO,
  setHostName,
  setnsCall,
  unlinkat,
  unshareCall,
} from '../sys/libc.ts';
import { bringLoopbackUp } from '../sys/loopback.ts';
import { cloneMountTree, enterRoot } from '../sys/mount-tree.ts';
import {
  forbidNewPrivileges,
  installSeccompFilter,
  joinFreshKeyring,
  limitBoundingSet,
  setCapabilities,
  setIdentity,
  setUmask,
} from '../sys/privilege.ts';
import { openPipe, type SpawnResult, spawnHere, TRUSTED_PATH, waitForExit } from '../sys/spawn.ts';
import { openTerminal } from '../sys/terminal.ts';
import { findCommand } from './command-lookup.ts';
import { buildScenery, hideKernelFiles, openWorkshop } from './container-mounts.ts';
import { type LaunchPlan, PAD_STATE, type PadMessage, type PadSettings } from './launch-plan.ts';

const settings = workerData as PadSettings;
const port = parentPort!;
const state = new Int32Array(settings.state);
let step = 'prepare';
let keeper = 0;
let hostSys = -1;

// Looking for source maps would read files inside the container.
process.setSourceMapsEnabled(false);

function tell(message: PadMessage): void {
  port.postMessage(message);
}

function fail(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  tell({ type: 'failed', step, message, errno: errnoOf(error) });
  port.close();
}

/**
 * `$0` is where /proc goes. A shell of the host, an empty environment, no descriptors but the pipes. It is ready when
 * `cat` echoes what we write: before that it still needs programs of the host, which the pad is about to leave.
 *
 * Shells do not let SIGCHLD be ignored, GNU env does. Without it the shell stays pid 1: waiting for `cat` it reaps what
 * is left to it, but then a step that kills everything it sees kills `cat` and so itself.
 */
const MOUNT_PROC = 'mount -t proc -o nosuid,nodev,noexec proc "$0" 2>&1';
const KEEPER = settings.envIgnoresSignals
  ? `${MOUNT_PROC} && exec env --ignore-signal=CHLD cat`
  : `${MOUNT_PROC} && cat; exit`;
const PROBE = '=';

function startKeeper(freshProc: string): void {
  step = 'start the keeper of the process namespace';
  const said = openPipe();
  const quiet = openSync('/dev/null', 'w');
  try {
    const started = spawnHere({
      path: '/bin/sh',
      args: ['sh', '-c', KEEPER, freshProc],
      env: [`PATH=${TRUSTED_PATH}`],
      fds: [settings.keeperReadFd, said.write, quiet],
      newSession: true,
    });
    closeSync(said.write);
    if ('errno' in started) throw new Error(`/bin/sh: ${started.errno}`);
    keeper = started.pid;
    writeSync(settings.keeperWriteFd, PROBE);
    const answer = Buffer.alloc(4096);
    const text = answer.toString('utf8', 0, readSync(said.read, answer)).trim();
    if (text !== PROBE) throw new Error(text === '' ? 'it ended at once' : text);
  } finally {
    closeSync(said.read);
    closeSync(quiet);
    closeSync(settings.keeperReadFd);
  }
}

/** Namespaces that a process may share. */
const SHARABLE = { uts: CLONE.NEWUTS, ipc: CLONE.NEWIPC, cgroup: CLONE.NEWCGROUP } as const;

function warm(): void {
  step = 'make namespaces';
  const threadId = Number(readlinkSync('/proc/thread-self').split('/').at(-1));
  const unlessKept = (kind: keyof typeof SHARABLE): number => (settings.kept.includes(kind) ? 0 : SHARABLE[kind]);
  unshareCall(CLONE.FS | CLONE.NEWNS | CLONE.NEWPID | unlessKept('uts') | unlessKept('ipc'));
  try {
    unshareCall(unlessKept('cgroup'));
  } catch {
    // Kernels without cgroup namespaces show the host's cgroup path; nothing can be changed through it.
  }
  // The keeper must not keep a directory of the host as its own: pivot_root exchanges "/", and only that.
  chdirCall('/');
  setUmask(0o022);
  step = 'prepare mounts';
  mountCall(undefined, '/', undefined, MS.REC | MS.SLAVE);
  hostSys = cloneMountTree('/sys', true);
  const freshProc = openWorkshop(settings.workshop, settings.ttyGroup);
  startKeeper(freshProc);
  // Leaves the host's mounts now: a copy of them would keep busy what the main thread unmounts while this pad waits.
  step = 'leave the host';
  enterRoot(settings.workshop);
  hideKernelFiles(settings);
  tell({ type: 'ready', threadId, keeperPid: keeper });
}

/** Order matters: the filter needs CAP_SYS_ADMIN to be installed, the identity CAP_SETUID, and both go last. */
function dropPrivileges(plan: LaunchPlan): void {
  step = 'give up privileges';
  const keep = new Set(plan.capabilities);
  joinFreshKeyring();
  limitBoundingSet(keep);
  if (plan.noNewPrivileges) forbidNewPrivileges();
  if (plan.seccomp !== undefined) installSeccompFilter(Buffer.from(plan.seccomp));
  setIdentity(plan.uid, plan.gid, plan.groups);
  setCapabilities(plan.uid === 0 ? keep : new Set());
}

/**
 * A FIFO that the process opens before it runs; that open waits until the main thread, which meanwhile sets the limits,
 * opens the other end. Limits belong to a whole process, so the pad cannot set them on itself.
 */
function makeGate(): number {
  const path = '/dev/.gate';
  mknodat(AT_FDCWD, path, S_IFIFO | 0o644);
  const fd = openat(AT_FDCWD, path, O_PATH);
  unlinkat(AT_FDCWD, path);
  return fd;
}

function launch(plan: LaunchPlan): void {
  if (plan.newNetwork) {
    step = 'make a network namespace';
    unshareCall(CLONE.NEWNET);
    bringLoopbackUp();
  } else if (plan.networkFd !== undefined) {
    step = 'enter the network namespace';
    setnsCall(plan.networkFd, CLONE.NEWNET);
  }
  for (const { fd, kind } of plan.enter) {
    step = `enter the ${kind} namespace`;
    setnsCall(fd, SHARABLE[kind]);
  }
  const top = buildScenery(plan, hostSys, settings, (next) => {
    step = next;
  });
  closeSync(hostSys);
  if (plan.hostname !== undefined) {
    step = 'set the host name';
    setHostName(plan.hostname);
  }
  step = 'enter the root filesystem';
  enterRoot(top, plan.noPivot);
  const terminal = plan.terminal ? openTerminal('/dev/pts/ptmx') : undefined;
  const gateFd = plan.holdForLimits ? makeGate() : undefined;
  dropPrivileges(plan);
  step = `change to the working directory ${JSON.stringify(plan.cwd)}`;
  chdirCall(plan.cwd);
  step = `start ${JSON.stringify(plan.args[0] ?? '')}`;
  const path = findCommand(plan.args[0] ?? '', plan.env);
  if (gateFd !== undefined) tell({ type: 'hold', gateFd });
  const started: SpawnResult = spawnHere({
    path,
    args: plan.args,
    env: plan.env,
    fds: plan.fds,
    newSession: true,
    ...(terminal === undefined ? {} : { terminal: `/dev/pts/${terminal.number}` }),
    ...(gateFd === undefined ? {} : { gate: `/proc/self/fd/${gateFd}` }),
  });
  if ('errno' in started) throw Object.assign(new Error(`${path}: ${started.errno}`), { code: started.errno });
  step = 'wait for the process';
  tell({ type: 'started', pid: started.pid, terminalFd: terminal?.fd });
  const status = waitForExit(started.pid);
  // Only the main thread closes the pipe, so that its number is never closed twice; that ends the keeper.
  tell({ type: 'exited' });
  waitForExit(keeper);
  tell({ type: 'ended', status });
  port.close();
}

/** Runs `body` unless the program is about to exit; see `PAD_STATE`. */
function whileBusy(body: () => void): void {
  if (Atomics.compareExchange(state, 0, PAD_STATE.idle, PAD_STATE.busy) !== PAD_STATE.idle) return;
  try {
    body();
  } catch (error) {
    fail(error);
  } finally {
    Atomics.store(state, 0, PAD_STATE.idle);
    Atomics.notify(state, 0);
  }
}

port.once('message', (plan: LaunchPlan) => whileBusy(() => launch(plan)));
whileBusy(warm);
