/**
 * Isolation `chroot`: no container runtime, no helper program. Own mount, process, host name and IPC namespaces, a
 * seccomp filter and a bounding set, all set up on a launch pad's thread (see `launch-pad-worker.ts`), which also enters
 * the network namespace when that is not the caller's.
 *
 * Compared with Buildah's isolation of that name this one adds a process namespace (what a step starts dies with it)
 * and a /proc of its own.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { BuilderError } from '../report/builder-error.ts';
import type { ExitStatus, NamespaceKind, ProcessSpec } from '../spec/process-spec.ts';
import type { Cancellable } from '../spec/target.ts';
import { CleanupStack } from '../sys/dispose.ts';
import { hasLimit, setLimitOf } from '../sys/resource-limit.ts';
import { planLaunch } from './chroot-plan.ts';
import type { Executor, ProcessIo } from './executor.ts';
import { type LaunchPad, launchError, takeLaunchPad, warmLaunchPad } from './launch-pad.ts';
import type { LaunchPlan, PadMessage } from './launch-plan.ts';
import { prepareMountPoints } from './mount-points.ts';
import { ProcessStreams } from './process-streams.ts';
import { TerminalRelay } from './terminal-relay.ts';

/** Between the polite and the final signal when a run is cancelled. */
const KILL_AFTER_MS = 2000;

export interface ChrootOptions {
  /** Move the root instead of pivoting, for hosts whose root is a ramdisk. */
  readonly noPivot?: boolean;
  /** Folder for throwaway uppers, swept by its owner after a crash; the system's temporary folder unless told. */
  readonly temporary?: string | undefined;
  /** Start the next launch pad as soon as one is taken: for whoever runs many steps. */
  readonly keepWarm?: boolean;
}

export class ChrootExecutor implements Executor {
  readonly isolation = 'chroot';
  readonly runtime = undefined;
  readonly #options: ChrootOptions;

  constructor(options: ChrootOptions = {}) {
    this.#options = options;
  }

  async run(root: string, process: ProcessSpec, io: ProcessIo, o: Cancellable = {}): Promise<ExitStatus> {
    refuseCancelled(o.signal);
    refuseForeign(process);
    await using cleanup = new CleanupStack();
    const pad = takeLaunchPad(keptNamespaces(process));
    cleanup.defer(() => pad.dismiss());
    if (this.#options.keepWarm === true) warmLaunchPad();
    prepareMountPoints(root, process, cleanup);
    const streams = process.terminal ? undefined : cleanup.use(new ProcessStreams(io));
    const plan = planLaunch(root, process, streams?.fds ?? [], this.#options, cleanup);
    return await new Launch(pad, process, io, streams).run(plan, o.signal);
  }
}

function refuseCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true)
    throw new BuilderError('sys.cancelled', 'the run was cancelled', { cause: signal.reason });
}

/** What belongs to a runtime's stages of creating a container, or to the system. @throws `run.isolation-unavailable` */
function refuseForeign({ hooks = [], resources, namespaces, keepGroups }: ProcessSpec): void {
  const refuse = (what: string): never => {
    throw new BuilderError('run.isolation-unavailable', `isolation chroot cannot ${what}`, {
      hint: 'use --isolation oci with runc or crun',
    });
  };
  if (hooks[0] !== undefined) refuse(`run the hook ${hooks[0].path}`);
  if (resources !== undefined) refuse('limit CPU or memory: it makes no control groups');
  if (keepGroups === true) refuse('keep groups of the caller');
  // The process namespace is what ends everything a step has started.
  if (namespaces?.pid !== undefined) refuse('share a process namespace');
}

/** Namespaces that the pad must not make; those with a file are entered from its own. */
function keptNamespaces({ namespaces }: ProcessSpec): readonly NamespaceKind[] {
  const kinds: readonly NamespaceKind[] = ['cgroup', 'ipc', 'uts'];
  return kinds.filter((kind) => namespaces?.[kind] === 'host');
}

/** One process on its pad, from the plan to its end. */
class Launch {
  readonly #pad: LaunchPad;
  readonly #process: ProcessSpec;
  readonly #io: ProcessIo;
  readonly #streams: ProcessStreams | undefined;
  #relay: TerminalRelay | undefined;
  #pid: number | undefined;
  #limitError: unknown;

  constructor(pad: LaunchPad, process: ProcessSpec, io: ProcessIo, streams: ProcessStreams | undefined) {
    this.#pad = pad;
    this.#process = process;
    this.#io = io;
    this.#streams = streams;
  }

  async run(plan: LaunchPlan, signal: AbortSignal | undefined): Promise<ExitStatus> {
    let forced: NodeJS.Timeout | undefined;
    const cancel = (): void => {
      if (this.#pid === undefined) {
        this.#pad.kill();
        return;
      }
      endProcess(this.#pid);
      forced = setTimeout(() => this.#pad.kill(), KILL_AFTER_MS);
    };
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      const last = await this.#pad.launch(plan, (message) => this.#on(message));
      refuseCancelled(signal);
      if (this.#limitError !== undefined) throw this.#limitError;
      if (last.type === 'failed') throw launchError(last);
      this.#streams?.closeTheirs();
      await this.#streams?.drained();
      await this.#relay?.drained();
      return last.status;
    } finally {
      signal?.removeEventListener('abort', cancel);
      clearTimeout(forced);
      this.#relay?.[Symbol.dispose]();
    }
  }

  #on(message: PadMessage): void {
    if (message.type === 'hold') this.#setLimits(message.gateFd);
    if (message.type === 'exited') this.#pid = undefined;
    if (message.type !== 'started') return;
    this.#pid = message.pid;
    this.#streams?.closeTheirs();
    if (message.terminalFd !== undefined) this.#relay = new TerminalRelay(message.terminalFd, this.#io);
  }

  /** The process waits at its gate: sets its limits, then opens the gate. A limit that cannot be set ends the run. */
  #setLimits(gateFd: number): void {
    const retry = (tries: number): void => {
      const pid = this.#pad.heldProcess();
      if (pid === undefined && tries > 0) {
        setTimeout(retry, 1, tries - 1);
        return;
      }
      try {
        if (pid === undefined) throw new BuilderError('run.start-failed', 'the process to limit was not found');
        const { limits, user } = this.#process;
        for (const { name, soft, hard } of limits) {
          if (!hasLimit(name, soft, hard)) setLimitOf(pid, name, soft, hard, user);
        }
      } catch (error) {
        this.#limitError = error;
        this.#pad.kill();
      }
      openGate(gateFd);
    };
    retry(1000);
  }
}

/** Read and write, so that it opens without waiting for, and stays open until, the reader's open has returned. */
function openGate(gateFd: number): void {
  const fd = openSync(`/proc/self/fd/${gateFd}`, constants.O_RDWR | constants.O_NONBLOCK);
  setTimeout(() => {
    closeSync(fd);
    closeSync(gateFd);
  }, 100).unref();
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch {
    // Gone already.
  }
}
