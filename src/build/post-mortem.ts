/**
 * What can be done with the root filesystem of a step that failed, before it is thrown away: look around in a shell, or
 * keep it as a working container. Only the first step that fails is looked at; what else fails meanwhile waits.
 */
import { containerStem, createContainer } from '../container/container-store.ts';
import type { Engine } from '../container/engine.ts';
import { nowNanoseconds } from '../container/image-times.ts';
import { type ProcessRequest, runProcess } from '../container/run-process.ts';
import { shellQuote } from '../container/shell-words.ts';
import type { BuildOptions } from '../container/verb-options.ts';
import type { WorkingContainer } from '../container/working-container.ts';
import { BuilderError } from '../report/builder-error.ts';
import type { SnapshotId } from '../rootfs/snapshotter.ts';
import type { ImageConfig } from '../spec/image-config.ts';
import { defaultStoreRoots } from '../store/store-paths.ts';
import type { LayerState } from './stage-root.ts';

/** A stage as it was when one of its steps failed. */
export interface FailedStage {
  /** Key of the active snapshot the step worked in, not mounted. */
  readonly key: string;
  /** What is sealed below. */
  readonly layers: LayerState;
  /** With history and layers. */
  readonly config: ImageConfig;
  readonly base: WorkingContainer['base'];
}

export interface KeptContainer {
  readonly name: string;
  /** A line for a shell that enters it. */
  readonly enter: string;
}

const DEFAULT_SHELL = '/bin/sh';

export class PostMortem {
  readonly #engine: Engine;
  readonly #o: BuildOptions;
  /** The first failure; whoever fails later waits until it has been dealt with. */
  #first: { readonly stage: string; readonly isOver: Promise<void> } | undefined;
  #isKept = false;

  /**
   * @param engine whose signal is not that of the build: the first failure ends other steps, not the shell
   * @throws `usage.invalid` when a shell is wanted and there is no terminal, or options contradict each other
   */
  constructor(engine: Engine, o: BuildOptions) {
    this.#engine = engine;
    this.#o = o;
    if (o.debugShell === true) requireTerminal();
    if (o.keepFailed === true && o.forceRm === true) {
      throw new BuilderError('usage.invalid', '--keep-failed and --force-rm contradict each other');
    }
  }

  get keeps(): boolean {
    return this.#o.keepFailed === true;
  }

  /**
   * Does a part of the build. When it fails while a shell is open for another stage, that is told only afterwards: the
   * build ends with the failure that opened the shell.
   */
  async guard(stage: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (this.#first !== undefined && this.#first.stage !== stage) await this.#first.isOver;
      throw error;
    }
  }

  /**
   * Opens a shell where a command failed, with all it had, and waits for its end. Never throws.
   * @param request of the command
   * @param step its id
   * @param words `exit status 7`
   * @param shell the stage's SHELL, if it has one
   */
  async openShell(request: ProcessRequest, step: string, words: string, shell: readonly string[]): Promise<void> {
    if (this.#o.debugShell !== true || this.#first !== undefined) return;
    const run = this.#runShell(request, step, words, shell[0] ?? DEFAULT_SHELL);
    // Those who wait go on after the failure that opened the shell has been thrown.
    const isOver = run.then(() => new Promise<void>((resolve) => setTimeout(resolve)));
    this.#first = { stage: step.replace(/\.\d+$/, ''), isOver };
    await run;
  }

  async #runShell(request: ProcessRequest, step: string, words: string, shell: string): Promise<void> {
    const { emit } = this.#engine;
    const command = request.args.map(shellQuote).join(' ');
    const text = `${words}: ${command}\nthis is ${shell} in its root filesystem; the build fails when it ends`;
    emit({ type: 'debug-shell', step, state: 'opened', text });
    let problem: unknown;
    try {
      const io = { stdin: 'inherit', stdout: 'inherit', stderr: 'inherit' } as const;
      await runProcess(this.#engine, { ...request, args: [shell], terminal: true, io, expectsMore: false });
    } catch (error) {
      problem = error;
    }
    emit({ type: 'debug-shell', step, state: 'closed' });
    if (problem === undefined) return;
    const why = problem instanceof Error ? problem.message : String(problem);
    emit({ type: 'warning', text: `the shell cannot be opened: ${why}` });
  }

  /**
   * Makes a working container of the first stage that failed: nothing is copied. Its changes are those of the step, and
   * without --layers those of the steps before it in the stage.
   */
  async keep(failed: FailedStage): Promise<KeptContainer | undefined> {
    if (!this.keeps || this.#isKept) return undefined;
    this.#isKept = true;
    const { snapshots } = this.#engine;
    const { key, layers, base } = failed;
    const snapshot: SnapshotId = await snapshots.seal(key);
    const stem = base === undefined ? 'scratch' : containerStem(base.name, base.id);
    const { created: _, history: __, ...config } = failed.config;
    const container = await createContainer(this.#engine, { stem, suffix: 'failed' }, (id, name) => ({
      version: 1,
      id,
      name,
      created: nowNanoseconds(),
      base,
      baseLayers: layers.layers,
      baseSnapshot: layers.snapshot,
      baseConfig: failed.config,
      config,
      annotations: {},
      format: this.#o.format ?? 'oci',
      historyBefore: [],
      historyAfter: [],
      createdBy: undefined,
      historyComment: undefined,
      run: this.#o.run ?? {},
      mountPoint: undefined,
    }));
    await snapshots.prepare(container.id, snapshot);
    const shell = config.config?.Shell?.[0] ?? 'sh';
    return { name: container.name, enter: `slipway ${this.#storeFlags()}run ${container.name} -- ${shell}` };
  }

  /** What finds this store again from anywhere. */
  #storeFlags(): string {
    const { env, callerUid, store } = this.#engine;
    const { root, runroot, imageStore, isTransient } = store.paths;
    const usual = defaultStoreRoots(env, callerUid);
    return [
      ...(root === usual.root ? [] : [`--root ${shellQuote(root)} `]),
      ...(runroot === usual.runroot ? [] : [`--runroot ${shellQuote(runroot)} `]),
      ...(imageStore === undefined ? [] : [`--imagestore ${shellQuote(imageStore)} `]),
      ...(isTransient === true ? ['--transient-store '] : []),
    ].join('');
  }
}

function requireTerminal(): void {
  const missing = !process.stdin.isTTY ? 'standard input' : !process.stdout.isTTY ? 'standard output' : undefined;
  if (missing === undefined) return;
  throw new BuilderError('usage.invalid', `--debug-shell needs a terminal, and ${missing} is none`, {
    hint: '--keep-failed leaves a working container that can be entered later',
  });
}
