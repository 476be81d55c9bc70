/**
 * Isolations `oci` and `rootless`: an OCI runtime (crun, runc, runsc) runs the process from a bundle in a private
 * directory. The two differ in what the machine allows, not in what is done: see `RuntimeConditions`.
 *
 * A runtime's container outlives whoever started it, so a watchdog waits on a pipe that only this program holds: should
 * we die, it deletes the container and the directory.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import type { ExitStatus, Isolation, ProcessSpec } from '../spec/process-spec.ts';
import type { Cancellable } from '../spec/target.ts';
import { CleanupStack } from '../sys/dispose.ts';
import { writeFile } from '../sys/file-write.ts';
import { errnoOf, MS, mountCall } from '../sys/libc.ts';
import { makeDirectories } from '../sys/make-directories.ts';
import { unmount } from '../sys/mount.ts';
import { TRUSTED_PATH } from '../sys/spawn.ts';
import { currentNamespace, idMapCovers } from '../sys/user-namespace.ts';
import type { Executor, ProcessIo } from './executor.ts';
import { prepareMountPoints } from './mount-points.ts';
import { ProcessStreams } from './process-streams.ts';
import { type RuntimeConditions, runtimeSpec } from './runtime-spec.ts';
import { RuntimeTerminal } from './runtime-terminal.ts';
import { runtimeSeccomp } from './seccomp.ts';
import { sweepCgroups } from './stale-cgroups.ts';

/** Between the polite and the final signal when a run is cancelled. */
const KILL_AFTER_MS = 2000;
const TTY_GROUP = 5;

export type CgroupManager = 'cgroupfs' | 'systemd';

export interface RuntimeOptions {
  /** Passed to the runtime before its command. */
  readonly flags?: readonly string[];
  readonly noPivot?: boolean;
  /** Who makes cgroups; the runtime's own way when absent. */
  readonly cgroupManager?: CgroupManager | undefined;
  /** Folder for bundles, swept by its owner after a crash; the system's temporary folder unless told. */
  readonly temporary?: string | undefined;
}

export class RuntimeExecutor implements Executor {
  readonly isolation: Isolation;
  readonly runtime: string;
  readonly #options: RuntimeOptions;

  constructor(isolation: 'oci' | 'rootless', runtime: string, options: RuntimeOptions = {}) {
    this.isolation = isolation;
    this.runtime = runtime;
    this.#options = options;
  }

  async run(root: string, process: ProcessSpec, io: ProcessIo, o: Cancellable = {}): Promise<ExitStatus> {
    refuseCancelled(o.signal);
    this.#refuse(process);
    await using cleanup = new CleanupStack();
    const directory = mkdtempSync(join(this.#options.temporary ?? tmpdir(), 'slipway-run-'));
    cleanup.defer(() => rmSync(directory, { recursive: true, force: true }));
    const bundle = mountBundle(directory, cleanup);
    const terminal = process.terminal && io.stdin === 'inherit' && globalThis.process.stdin.isTTY === true;
    const spec = terminal === process.terminal ? process : { ...process, terminal };
    const id = `slipway-${randomBytes(6).toString('hex')}`;
    this.#writeBundle(bundle, { directory, root, process: spec, id }, cleanup);
    prepareMountPoints(root, spec, cleanup);
    const isOurs = terminal && this.#name.startsWith('crun');
    const streams = cleanup.use(isOurs ? new RuntimeTerminal(join(bundle, 'console'), io) : new ProcessStreams(io));
    const container = new RuntimeContainer(id, this.runtime, this.#globalFlags(bundle, process), bundle);
    cleanup.defer(() => container.delete());
    const ended = container.run(streams, o.signal, this.#options.noPivot === true);
    // Beside the run: nobody waits for it.
    if (this.isolation === 'oci') sweepOnce();
    return await ended;
  }

  /** @throws `run.isolation-unavailable` for what this runtime cannot do with the rights there are */
  #refuse(process: ProcessSpec): void {
    if (this.isolation === 'rootless' && process.resources !== undefined) {
      throw new BuilderError(
        'run.isolation-unavailable',
        'cannot limit CPU or memory without root: control groups belong to the system',
        { hint: 'run the whole program below limits: systemd-run --user --scope -p MemoryMax=1G slipway …' },
      );
    }
    if (process.keepGroups === true && !this.#name.startsWith('crun')) {
      throw new BuilderError('run.isolation-unavailable', `${this.#name} cannot keep groups of the caller`, {
        hint: 'use --runtime crun',
      });
    }
  }

  get #name(): string {
    return this.runtime.split('/').at(-1) ?? '';
  }

  #globalFlags(bundle: string, process: ProcessSpec): string[] {
    const name = this.#name;
    const flags = [...(this.#options.flags ?? []), '--root', join(bundle, 'state'), '--log', join(bundle, 'log')];
    if (name.startsWith('runc') || name.startsWith('crun')) flags.push('--log-format', 'json');
    if (this.isolation === 'rootless' && name.startsWith('crun')) flags.push('--cgroup-manager', 'disabled');
    else flags.push(...this.#cgroupFlags(name));
    if (this.isolation === 'rootless' && name.startsWith('runsc')) flags.push('--ignore-cgroups');
    // Else runsc takes the interfaces of the namespace over, which needs more rights than there are. "host" means the
    // network stack of the namespace it runs in.
    if (name.startsWith('runsc') && !flags.some(isNetworkFlag)) {
      flags.push(`--network=${process.network === 'none' ? 'none' : 'host'}`);
    }
    return flags;
  }

  #cgroupFlags(name: string): string[] {
    const { cgroupManager } = this.#options;
    if (cgroupManager === undefined || this.isolation === 'rootless') return [];
    if (name.startsWith('crun')) return ['--cgroup-manager', cgroupManager];
    return cgroupManager === 'systemd' ? ['--systemd-cgroup'] : [];
  }

  #cgroupsPath({ resources }: ProcessSpec, id: string): { readonly cgroupsPath?: string } {
    const parent = resources?.cgroupParent;
    if (parent === undefined) return {};
    if (this.#options.cgroupManager === 'systemd') return { cgroupsPath: `${parent}:${id.replace('-', ':')}` };
    return { cgroupsPath: join('/', parent, id) };
  }

  #writeBundle(
    bundle: string,
    of: { readonly directory: string; readonly root: string; readonly process: ProcessSpec; readonly id: string },
    cleanup: CleanupStack,
  ): void {
    const { directory, root, process, id } = of;
    const rootless = this.isolation === 'rootless';
    const scratchFor = (index: number): string => join(directory, 'scratch', String(index));
    process.mounts.forEach((mount, index) => {
      if (mount.type === 'overlay') mountThrowaway(mount.source, scratchFor(index), cleanup);
    });
    const spec = runtimeSpec(process, {
      root,
      rootless,
      hasTtyGroup: idMapCovers(TTY_GROUP, currentNamespace().gidMap),
      cgroupNamespace: !rootless && existsSync('/proc/self/ns/cgroup'),
      seccomp: runtimeSeccomp(process),
      scratchFor,
      ...(process.terminal ? terminalSize() : {}),
      ...this.#cgroupsPath(process, id),
    });
    writeFile(join(bundle, 'config.json'), JSON.stringify(spec), { mode: 0o600 });
  }
}

/** Looking at standard output opens it, so only who needs the size does. */
function terminalSize(): Pick<RuntimeConditions, 'terminalSize'> {
  const { isTTY, rows, columns } = globalThis.process.stdout;
  return isTTY ? { terminalSize: { rows, columns } } : {};
}

let hasSwept = false;

/** Once for each program: what is found does not change while it runs. */
function sweepOnce(): void {
  if (hasSwept) return;
  hasSwept = true;
  sweepCgroups();
}

function refuseCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true)
    throw new BuilderError('sys.cancelled', 'the run was cancelled', { cause: signal.reason });
}

/**
 * A place in memory for what the runtime reads and writes: its config holds the environment, and secrets may be among
 * the variables. Layers of throwaway mounts stay on disk beside it.
 */
function mountBundle(directory: string, cleanup: CleanupStack): string {
  const bundle = join(directory, 'bundle');
  mkdirSync(bundle);
  mountCall('tmpfs', bundle, 'tmpfs', MS.NOSUID | MS.NODEV, 'mode=0700');
  cleanup.defer(() => unmount(bundle));
  return bundle;
}

function isNetworkFlag(flag: string): boolean {
  return /^--?network(=|$)/.test(flag);
}

/** An overlay whose upper layer is forgotten with the bundle. */
function mountThrowaway(source: string, scratch: string, cleanup: CleanupStack): void {
  const stat = statSync(source);
  if (!stat.isDirectory()) {
    throw new BuilderError('run.start-failed', `a throwaway mount needs a directory: ${JSON.stringify(source)}`);
  }
  for (const name of ['upper', 'work', 'merged']) makeDirectories(join(scratch, name));
  chownSync(join(scratch, 'upper'), stat.uid, stat.gid);
  chmodSync(join(scratch, 'upper'), stat.mode & 0o7777);
  const escaped = source.replace(/[\\:,]/g, '\\$&');
  const options = `lowerdir=${escaped},upperdir=${scratch}/upper,workdir=${scratch}/work`;
  try {
    mountCall('overlay', join(scratch, 'merged'), 'overlay', 0, options);
  } catch (error) {
    if (errnoOf(error) !== 'EPERM') throw error;
    mountCall('overlay', join(scratch, 'merged'), 'overlay', 0, `${options},userxattr`);
  }
  cleanup.defer(() => unmount(join(scratch, 'merged')));
}

/**
 * `$0` runtime, `$1` bundle, `$2` container, the rest the runtime's flags. Ends at once when told "done". It unmounts for
 * programs that have no mount namespace of their own.
 */
const WATCHDOG = `read -r word; [ "$word" = done ] && exit
runtime=$0 bundle=$1 id=$2; shift 2
for wait in 0 1; do sleep $wait; "$runtime" "$@" delete --force "$id"; done
parent=\${bundle%/*}
for mount in "$bundle" "$parent"/scratch/*/merged; do umount -l "$mount"; done
exec rm -rf --one-file-system "$parent"`;

/** One container of an OCI runtime, from `run` to `delete`. */
class RuntimeContainer {
  readonly #runtime: string;
  readonly #flags: readonly string[];
  readonly #directory: string;
  readonly #id: string;
  readonly #env = { PATH: TRUSTED_PATH, ...xdg() };
  #ended = false;

  constructor(id: string, runtime: string, flags: readonly string[], directory: string) {
    this.#id = id;
    this.#runtime = runtime;
    this.#flags = flags;
    this.#directory = directory;
  }

  async run(
    streams: ProcessStreams | RuntimeTerminal,
    signal: AbortSignal | undefined,
    noPivot: boolean,
  ): Promise<ExitStatus> {
    const watchdog = this.#startWatchdog();
    const options = [
      ...(noPivot ? ['--no-pivot'] : []),
      ...(streams instanceof RuntimeTerminal ? ['--console-socket', streams.path] : []),
    ];
    const args = [...this.#flags, 'run', ...options, '--bundle', this.#directory, this.#id];
    const child = spawn(this.#runtime, args, { env: this.#env, cwd: '/', stdio: [...streams.fds] });
    streams.closeTheirs();
    let forced: NodeJS.Timeout | undefined;
    const cancel = (): void => {
      child.kill('SIGTERM');
      forced = setTimeout(() => this.#command('kill', this.#id, 'KILL'), KILL_AFTER_MS);
    };
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      const code = await exitOf(child, this.#runtime);
      this.#ended = true;
      refuseCancelled(signal);
      const complaint = code === 0 ? undefined : this.#complaint();
      if (complaint !== undefined) throw new BuilderError('run.start-failed', `cannot run: ${complaint}`);
      await streams.drained();
      return { kind: 'exited', code };
    } finally {
      signal?.removeEventListener('abort', cancel);
      clearTimeout(forced);
      watchdog.stdin?.end('done\n');
    }
  }

  #startWatchdog(): ChildProcess {
    const args = ['-c', WATCHDOG, this.#runtime, this.#directory, this.#id, ...this.#flags];
    const watchdog = spawn('/bin/sh', args, {
      env: this.#env,
      cwd: '/',
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    watchdog.on('error', () => {});
    watchdog.stdin?.on('error', () => {});
    watchdog.unref();
    return watchdog;
  }

  /** What the runtime itself had to say: then the code is its own, not the process's. */
  #complaint(): string | undefined {
    const log = join(this.#directory, 'log');
    if (!existsSync(log)) return undefined;
    for (const line of readFileSync(log, 'utf8').split('\n').reverse()) {
      const entry = parseLog(line);
      if (entry?.level === 'error' || entry?.level === 'fatal') return entry.msg ?? 'the runtime gives no reason';
    }
    return undefined;
  }

  #command(...args: readonly string[]): ChildProcess {
    const child = spawn(this.#runtime, [...this.#flags, ...args], { env: this.#env, cwd: '/', stdio: 'ignore' });
    child.on('error', () => {});
    return child;
  }

  /** Nothing is left to delete after a run that ended by itself: `run` deletes. */
  async delete(): Promise<void> {
    if (this.#ended && !existsSync(join(this.#directory, 'state', this.#id))) return;
    await exitOf(this.#command('delete', '--force', this.#id), this.#runtime).catch(() => undefined);
  }
}

function parseLog(line: string): { readonly level?: string; readonly msg?: string } | undefined {
  try {
    return JSON.parse(line) as { level?: string; msg?: string };
  } catch {
    return undefined;
  }
}

/** Rootless runtimes look for their run-time directory here. */
function xdg(): Record<string, string> {
  const directory = process.env['XDG_RUNTIME_DIR'];
  return directory === undefined ? {} : { XDG_RUNTIME_DIR: directory };
}

/** 128 + n for a runtime ended by signal n, as runtimes report their processes too. */
function exitOf(child: ChildProcess, runtime: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', (cause) => {
      reject(new BuilderError('run.start-failed', `cannot start the runtime ${runtime}`, { cause }));
    });
    child.once('exit', (code) => resolve(code ?? 137));
  });
}
