/**
 * Building one stage: look each step up, run it if need be, go on. Instructions that only
 * change the config never touch a filesystem.
 */
import type { Engine } from '../container/engine.ts';
import type { ImageTimes } from '../container/image-times.ts';
import type { EvaluatedStage, EvaluatedStep } from '../dockerfile/evaluate-plan.ts';
import type { StageState } from '../dockerfile/stage-state.ts';
import type { Step } from '../dockerfile/step.ts';
import { serializeConfig } from '../image/serialize-config.ts';
import { isBuilderError, located } from '../report/builder-error.ts';
import type { PhaseName, StepOutcome } from '../report/step-phase.ts';
import { chainIdOf, digestOf, hexOf } from '../spec/digest.ts';
import type { HistoryEntry, ImageConfig } from '../spec/image-config.ts';
import type { ImageFormat } from '../spec/media-type.ts';
import type { StepInput } from '../store/step-table.ts';
import type { BuildCache, StepKey } from './build-cache.ts';
import { layOver, makeLinkedLayer } from './linked-layer.ts';
import { inPhase } from './phase.ts';
import type { LayerState, StageRoot } from './stage-root.ts';
import type { FileStep, StepActions } from './step-actions.ts';
import { configInputs, stepKey } from './step-inputs.ts';

/** What a stage came to. */
export interface StageResult {
  readonly state: StageState;
  readonly root: LayerState;
  /** Config with history and layers. */
  readonly config: ImageConfig;
  /** 64 hex digits: id of the image the stage stands for. */
  readonly imageId: string;
  /** Every step came from the cache. */
  readonly isCached: boolean;
}

export interface StageBuildOptions {
  readonly engine: Engine;
  readonly evaluated: EvaluatedStage;
  /** What lines begin with: platform and stage, where there are several. */
  readonly prefix: string;
  /** In events. */
  readonly id: string;
  readonly layers: boolean;
  readonly format: ImageFormat;
  readonly times: ImageTimes;
  readonly cache: BuildCache;
  /** Of what the stage stands on. */
  readonly history: readonly HistoryEntry[];
  /** `FROM name` in history comments; undefined for scratch. */
  readonly baseName: string | undefined;
  /** Other stages stand on it, or every step is committed: it gets an image of its own. */
  readonly isBase: boolean;
  readonly root: StageRoot;
  readonly actions: StepActions;
  /** Id of the image a config would be, when this stage ends there. */
  readonly identify: (config: ImageConfig) => string;
  /** Told before the stage commits: COMMIT line of the last stage. */
  readonly onCommit: (() => void) | undefined;
}

interface Progress {
  state: StageState;
  history: HistoryEntry[];
  /** Something ran that belongs into a layer. */
  isTouched: boolean;
  isCached: boolean;
  lastId: string | undefined;
}

/** Steps are given one after another, in order; then `end`. */
export class StageBuild {
  readonly #o: StageBuildOptions;
  readonly #progress: Progress;
  /** Of the step that runs; undefined while it is not known, and for steps that are not remembered. */
  #key: StepKey | undefined;

  constructor(o: StageBuildOptions) {
    this.#o = o;
    const state = o.evaluated.initial;
    this.#progress = { state, history: [...o.history], isTouched: false, isCached: true, lastId: undefined };
  }

  #line(number: number, total: number, text: string): void {
    this.#say(`${this.#o.prefix}STEP ${number}/${total}: ${text}`);
  }

  #say(text: string): void {
    this.#o.engine.emit({ type: 'step-line', step: this.#o.id, text });
  }

  #sayId(imageId: string): void {
    this.#say(`--> ${imageId.slice(0, 12)}`);
  }

  /** Runs the step, or takes its result from the cache. @param index counted from 0 */
  async step(index: number, { step, after }: EvaluatedStep): Promise<void> {
    const { engine, evaluated, layers } = this.#o;
    engine.signal?.throwIfAborted();
    const number = index + 2;
    const total = evaluated.steps.length + 1;
    const isLast = number === total;
    const id = `${this.#o.id}.${number}`;
    this.#line(number, total, step.stepText);
    engine.emit({ type: 'step-started', step: id, name: step.stepText, at: Date.now() });
    let outcome: StepOutcome = 'failed';
    this.#key = undefined;
    try {
      outcome = await (layers ? this.#remembered(step, after, id, isLast) : this.#plain(step, after, id, isLast));
    } catch (error) {
      // What ends because another step failed has not failed itself.
      if (engine.signal?.aborted === true) outcome = 'canceled';
      throw stepFailure(error, step);
    } finally {
      engine.emit({ type: 'step-finished', step: id, outcome, at: Date.now(), ...this.#keyFacts(outcome) });
    }
  }

  /** One layer for the whole stage: steps change the same snapshot. */
  async #plain(step: Step, next: StageState, id: string, isLast: boolean): Promise<'ran'> {
    const { actions, root } = this.#o;
    let text: string;
    switch (step.kind) {
      case 'run':
      case 'copy':
      case 'add': {
        const act = (await this.#prepare(step, id, false)).act;
        text = isLinked(step) ? await this.#layOver(act) : await act(await this.#writable(id));
        this.#progress.isTouched = true;
        break;
      }
      case 'workdir':
        await actions.makeWorkdir(step, root);
        text = step.createdBy;
        break;
      default:
        text = step.createdBy;
    }
    this.#progress.state = next;
    this.#progress.history.push(this.#entry(text, true, isLast));
    return 'ran';
  }

  /** A linked copy is made apart all the same: what is below must not steer it. */
  async #layOver(act: (rootPath: string) => Promise<string>): Promise<string> {
    const { engine, root, times } = this.#o;
    const { layer, text } = await makeLinkedLayer(engine, times.layer, act);
    await layOver(engine, layer.diffId, await root.writable());
    return text;
  }

  /** A layer for each step that touches files, each looked up before it is run. */
  async #remembered(step: Step, next: StageState, id: string, isLast: boolean): Promise<'ran' | 'cached'> {
    const outcome =
      step.kind === 'run' || step.kind === 'copy' || step.kind === 'add' || step.kind === 'workdir'
        ? await this.#rememberedLayer(step, next, id)
        : await this.#rememberedConfig(step, next);
    if (outcome === 'ran') this.#progress.isCached = false;
    const imageId = isLast ? this.#o.identify(this.#config()) : this.#imageId();
    this.#progress.lastId = imageId;
    if (outcome === 'cached') this.#say(`--> Using cache ${imageId}`);
    if (!isLast) this.#sayId(imageId);
    return outcome;
  }

  async #rememberedConfig(
    step: Exclude<Step, { kind: 'run' | 'copy' | 'add' | 'workdir' }>,
    next: StageState,
  ): Promise<'ran' | 'cached'> {
    const { cache, root } = this.#o;
    const key = stepKey([
      ...configInputs(this.#progress.state.config, root.state.chain),
      { name: 'instruction', value: step.createdBy },
      ...this.#timeInputs(),
    ]);
    this.#key = key;
    const { result, isFresh } = await cache.resolve(key, async () => ({
      layer: undefined,
      snapshot: undefined,
      chain: undefined,
      history: this.#entry(step.createdBy, true, true),
    }));
    this.#progress.state = next;
    this.#progress.history.push(result.history);
    return isFresh ? 'ran' : 'cached';
  }

  async #rememberedLayer(step: FileStep, next: StageState, id: string): Promise<'ran' | 'cached'> {
    const { cache, root } = this.#o;
    const { inputs, act } = await this.#prepare(step, id, true);
    const key: StepKey = stepKey([...inputs, ...this.#timeInputs()]);
    this.#key = key;
    if (isLinked(step)) return this.#rememberedLink(key, act, next);
    const { result, isFresh } = await cache.resolve(key, async () => {
      const text = await act(await this.#writable(id));
      const layer = await this.#phase('seal', id, () => root.seal(step.kind !== 'workdir'));
      const { snapshot, chain } = root.state;
      return { layer, snapshot, chain, history: this.#entry(text, layer === undefined, true) };
    });
    if (!isFresh && result.layer !== undefined) root.adopt(result.layer, result.snapshot as never, result.chain);
    // Which directory is made is in the key, how the line is written is not.
    const own = step.kind === 'workdir' ? { created_by: step.createdBy } : {};
    this.#progress.history.push({ ...result.history, ...own });
    this.#progress.state = next;
    return isFresh ? 'ran' : 'cached';
  }

  /** The layer is the same on every base; it is unpacked on this one only if something reads it there. */
  async #rememberedLink(
    key: StepKey,
    act: (rootPath: string) => Promise<string>,
    next: StageState,
  ): Promise<'ran' | 'cached'> {
    const { engine, cache, root, times } = this.#o;
    const { result, isFresh } = await cache.resolve(key, async () => {
      const { text, ...made } = await makeLinkedLayer(engine, times.layer, act);
      return { ...made, history: this.#entry(text, false, false) };
    });
    const { comment: _, ...made } = result.history;
    const comment = this.#comment(this.#o.baseName);
    root.adopt(result.layer!, undefined, chainIdOf(root.state.chain, result.layer!.diffId));
    this.#progress.history.push({ ...made, ...(comment === undefined ? {} : { comment }) });
    this.#progress.state = next;
    return isFresh ? 'ran' : 'cached';
  }

  /** Finds what the step reads. Its `act` tells how long it took. */
  async #prepare(
    step: FileStep,
    id: string,
    keyed: boolean,
  ): Promise<{ readonly inputs: readonly StepInput[]; readonly act: (rootPath: string) => Promise<string> }> {
    const { actions, root } = this.#o;
    const { inputs, act } = await this.#phase('prepare', id, () => actions.prepare(step, root, keyed));
    const phase = step.kind === 'run' ? 'run' : 'copy';
    return { inputs, act: (rootPath) => this.#phase(phase, id, () => act(rootPath, id)) };
  }

  async #writable(id: string): Promise<string> {
    const { root } = this.#o;
    await this.#phase('unpack', id, () => root.snapshot());
    return await this.#phase('mount', id, () => root.writable());
  }

  #phase<T>(phase: PhaseName, id: string, work: () => Promise<T>): Promise<T> {
    return inPhase(this.#o.engine.emit, phase, id, work);
  }

  /** What a display wants to know of the step's key. */
  #keyFacts(outcome: StepOutcome): { readonly key?: string; readonly missed?: string } {
    if (this.#key === undefined) return {};
    const missed = outcome === 'cached' ? undefined : this.#o.cache.explainMiss(this.#key);
    return { key: this.#key.digest, ...(missed === undefined ? {} : { missed }) };
  }

  /** Forced times are part of a layer's bytes and of history. */
  #timeInputs(): { name: string; value: string }[] {
    const { times } = this.#o;
    return times.fixed ? [{ name: 'time', value: JSON.stringify([times.now(), times.layer]) }] : [];
  }

  #entry(text: string, isEmpty: boolean, commented: boolean): HistoryEntry {
    const { times, baseName } = this.#o;
    const comment = commented ? this.#comment(baseName) : undefined;
    const author = this.#progress.state.config.author;
    return {
      created: times.now(),
      created_by: text,
      ...(author === undefined || author === '' ? {} : { author }),
      ...(comment === undefined ? {} : { comment }),
      ...(isEmpty ? { empty_layer: true } : {}),
    };
  }

  /** With a commit for each step, every entry says what it stands on. */
  #comment(baseName: string | undefined): string | undefined {
    const below = this.#o.layers && this.#progress.lastId !== undefined ? this.#progress.lastId.slice(0, 12) : baseName;
    return below === undefined ? undefined : `FROM ${below}`;
  }

  #config(): ImageConfig {
    const { state, history } = this.#progress;
    return { ...state.config, rootfs: { type: 'layers', diff_ids: this.#o.root.state.diffIds }, history };
  }

  #imageId(): string {
    return hexOf(digestOf(serializeConfig(this.#config(), this.#o.format)));
  }

  /** Seals what is open. */
  async end(): Promise<StageResult> {
    const { root, layers, evaluated } = this.#o;
    const progress = this.#progress;
    this.#o.onCommit?.();
    if (!layers && root.isTouched) {
      const lastStep = `${this.#o.id}.${evaluated.steps.length + 1}`;
      const layer = await this.#phase('seal', lastStep, () => root.seal(progress.isTouched));
      const last = progress.history.at(-1);
      if (layer !== undefined && last !== undefined && evaluated.steps.length > 0) {
        const { empty_layer: _, ...entry } = last;
        progress.history[progress.history.length - 1] = entry;
      }
    }
    const imageId = this.#imageId();
    // The target's id is said once it is written.
    if (this.#o.onCommit === undefined && this.#o.isBase) this.#sayId(imageId);
    return { state: progress.state, root: root.state, config: this.#config(), imageId, isCached: progress.isCached };
  }
}

function isLinked(step: Step): boolean {
  return (step.kind === 'copy' || step.kind === 'add') && step.link;
}

/** Says which step it was; the first line is the one Buildah's users know. */
function stepFailure(error: unknown, step: Step): unknown {
  if (!isBuilderError(error) || error.code === 'sys.cancelled' || error.code.startsWith('dockerfile.')) return error;
  return located(error, step.span, `building at STEP ${JSON.stringify(step.stepText)}: `);
}
