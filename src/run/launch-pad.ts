/**
 * The main thread's side of a launch pad: starting its thread ahead of need, handing it a plan, hearing how it went.
 *
 * A pad takes longer to warm (a thread with its own JavaScript world, namespaces, a keeper) than to launch, so one is
 * kept warm in reserve: `warmLaunchPad()` starts it, `takeLaunchPad()` takes it. An unused one ends with the program.
 */
import { closeSync, existsSync, readFileSync, statSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { BuilderError } from '../report/builder-error.ts';
import type { NamespaceKind } from '../spec/process-spec.ts';
import { findProgram } from '../sys/host.ts';
import { openPipe } from '../sys/spawn.ts';
import { currentNamespace, idMapCovers } from '../sys/user-namespace.ts';
import { maskedPaths, readOnlyPaths } from './hidden-paths.ts';
import { type LaunchPlan, PAD_STATE, type PadMessage, type PadSettings } from './launch-plan.ts';

/** Directories the pad may cover for itself; every Linux system has one of them. */
const WORKSHOPS = ['/tmp', '/var/tmp', '/run', '/mnt'];
/** The group of terminals on every distribution. */
const TTY_GROUP = 5;

type Message<T extends PadMessage['type']> = Extract<PadMessage, { type: T }>;
type Handler = (message: PadMessage) => void;

const isInProc = (path: string): boolean => path.startsWith('/proc/');

let gnuEnv: boolean | undefined;

/** coreutils 8.31. Looking for the option's name in the program costs less than starting it. */
function envIgnoresSignals(): boolean {
  const path = findProgram('env');
  gnuEnv ??= path !== undefined && readFileSync(path).includes('ignore-signal');
  return gnuEnv;
}

/** Longest wait for a thread at exit. Warming takes a tenth of it. */
const SETTLE_MS = 1000;

const livePads = new Set<LaunchPad>();

process.on('exit', () => {
  for (const pad of livePads) pad.settle();
});

/** One pad, good for one launch. */
export class LaunchPad {
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  readonly #state: Int32Array;
  #keeperWriteFd: number | undefined;
  #handler: Handler | undefined;
  readonly #queue: PadMessage[] = [];
  #threadId = 0;
  #keeperPid = 0;
  #launched = false;

  /** @param kept namespaces of the caller that it stays in */
  constructor(kept: readonly NamespaceKind[] = []) {
    const pipe = openPipe();
    this.#keeperWriteFd = pipe.write;
    const workshop = WORKSHOPS.find((path) => existsSync(path) && statSync(path).isDirectory());
    const state = new SharedArrayBuffer(4);
    this.#state = new Int32Array(state);
    const settings: PadSettings = {
      state,
      kept,
      maskPaths: maskedPaths({}).filter(isInProc),
      readOnlyPaths: readOnlyPaths({}).filter(isInProc),
      workshop: workshop ?? '/mnt',
      ttyGroup: idMapCovers(TTY_GROUP, currentNamespace().gidMap) ? TTY_GROUP : undefined,
      envIgnoresSignals: envIgnoresSignals(),
      keeperReadFd: pipe.read,
      keeperWriteFd: pipe.write,
    };
    this.#worker = new Worker(new URL('./launch-pad-worker.js', import.meta.url), {
      workerData: settings,
      env: {},
      execArgv: [],
      // Descriptors cross between the threads on purpose.
      trackUnmanagedFds: false,
    });
    this.#worker.unref();
    livePads.add(this);
    this.#worker.on('message', (message: PadMessage) => this.#deliver(message));
    this.#worker.on('error', (error) =>
      this.#deliver({ type: 'failed', step: 'start the launch pad', message: error.message, errno: undefined }),
    );
    this.#exited = new Promise((resolve) => {
      this.#worker.once('exit', () => {
        livePads.delete(this);
        resolve();
      });
    });
  }

  #deliver(message: PadMessage): void {
    if (message.type === 'exited' || message.type === 'failed') this.kill();
    if (this.#handler === undefined) this.#queue.push(message);
    else this.#handler(message);
  }

  /** Launches and passes on every message after `ready`, the last being `ended` or `failed`. */
  async launch(plan: LaunchPlan, onMessage: Handler): Promise<Message<'ended'> | Message<'failed'>> {
    this.#worker.ref();
    this.#launched = true;
    const last = await new Promise<Message<'ended'> | Message<'failed'>>((resolve) => {
      const handle: Handler = (message) => {
        if (message.type === 'ready') {
          this.#threadId = message.threadId;
          this.#keeperPid = message.keeperPid;
          this.#worker.postMessage(plan);
        } else if (message.type === 'ended' || message.type === 'failed') resolve(message);
        else onMessage(message);
      };
      this.#handler = handle;
      for (const message of this.#queue.splice(0)) handle(message);
    });
    this.kill();
    await this.#gone();
    return last;
  }

  /** For a program that exits: ends what runs and waits until the thread can be ended. Blocks, though not for long. */
  settle(): void {
    this.kill();
    if (Atomics.compareExchange(this.#state, 0, PAD_STATE.idle, PAD_STATE.stopped) === PAD_STATE.busy) {
      Atomics.wait(this.#state, 0, PAD_STATE.busy, SETTLE_MS);
    }
  }

  /** Ends a pad that was perhaps never launched. */
  async dismiss(): Promise<void> {
    this.kill();
    if (!this.#launched) {
      this.settle();
      await this.#worker.terminate();
    }
    await this.#gone();
  }

  /** Process id of the one child of the pad's thread that is not the keeper, while it is being started. */
  heldProcess(): number | undefined {
    const list = `/proc/self/task/${this.#threadId}/children`;
    if (!existsSync(list)) return undefined;
    const children = readFileSync(list, 'utf8').trim().split(' ').map(Number);
    return children.find((pid) => pid > 0 && pid !== this.#keeperPid);
  }

  /** Ends everything in the pad's pid namespace, at once and without appeal. */
  kill(): void {
    if (this.#keeperWriteFd === undefined) return;
    closeSync(this.#keeperWriteFd);
    this.#keeperWriteFd = undefined;
  }

  /**
   * Waits until the kernel has let go of the thread, and with it of the mounts: node reports the end of a thread a
   * moment before that, and a mount that is still alive is in the way of whoever uses the root filesystem next.
   */
  async #gone(): Promise<void> {
    await this.#exited;
    const task = `/proc/self/task/${this.#threadId}`;
    for (let tries = 0; this.#threadId !== 0 && existsSync(task) && tries < 200; tries++) await pause(1);
  }
}

let reserve: LaunchPad | undefined;

/** Starts a pad for the next `takeLaunchPad`, unless one is waiting. Returns at once. */
export function warmLaunchPad(): void {
  reserve ??= new LaunchPad();
}

/** The one in reserve makes every namespace; a pad that is to keep some is started now. */
export function takeLaunchPad(kept: readonly NamespaceKind[] = []): LaunchPad {
  if (kept.length > 0) return new LaunchPad(kept);
  const pad = reserve ?? new LaunchPad();
  reserve = undefined;
  return pad;
}

/** The error of a failed launch. */
export function launchError(failed: Message<'failed'>): BuilderError {
  const early = /keeper|namespaces|prepare mounts|leave the host|launch pad/.test(failed.step);
  return new BuilderError(
    early ? 'run.isolation-unavailable' : 'run.start-failed',
    `cannot ${failed.step}: ${failed.message}`,
    {
      facts: failed.errno === undefined ? {} : { errno: failed.errno },
      ...(failed.errno === 'ENOEXEC' ? { hint: FOREIGN_PROGRAM } : {}),
    },
  );
}

const FOREIGN_PROGRAM =
  'the program is made for another kind of machine, or is a script without a #! line; for the former: apt-get install qemu-user-static binfmt-support';
