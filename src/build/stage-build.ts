/**
 * Building one stage: look each step up, run it if need be, go on. Instructions that only
 * change the config never touch a filesystem.
 */
import type { Engine } from '../container/engine.ts';
import type { ImageTimes } from '../container/image-times.ts';
import type { StepResult } from '../container/step-result.ts';
import type { WorkingContainer } from '../container/working-container.ts';
import type { EvaluatedStage, EvaluatedStep } from '../dockerfile/evaluate-plan.ts';
import type { StageState } from '../dockerfile/stage-state.ts';
import type { ContentSummary, Step } from '../dockerfile/step.ts';
import { serializeConfig } from '../image/serialize-config.ts';
import { BuilderError, isBuilderError, located } from '../report/builder-error.ts';
import { usageBetween } from '../report/resource-usage.ts';
import type { PhaseName, StepOutcome } from '../report/step-phase.ts';
import { chainIdOf, digestOf, hexOf } from '../spec/digest.ts';
import type { HistoryEntry, ImageConfig } from '../spec/image-config.ts';
import type { ImageFormat } from '../spec/media-type.ts';
import { resourceUsage } from '../sys/resource-usage.ts';
import type { BuildCache, KeyedStep, Lookup, Resolved } from './build-cache.ts';
import type { BuildTrace } from './build-trace.ts';
import type { TravellingStep } from './cache-bundle.ts';
import { explainMiss } from './explain-miss.ts';
import { layOver, makeLinkedLayer } from './linked-layer.ts';
import { inPhase } from './phase.ts';
import type { KeptContainer, PostMortem } from './post-mortem.ts';
import type { PreparedStep } from './prepared-step.ts';
import type { LayerState, StageRoot } from './stage-root.ts';
import type { StepActions } from './step-actions.ts';
import { configInputs, type FileStep, isFileStep, isLinked, timeInputs } from './step-inputs.ts';

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
  /** What can be remembered elsewhere; none without `--layers`. */
  readonly steps: readonly TravellingStep[];
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
  readonly trace: BuildTrace;
  /** Of what the stage stands on. */
  readonly history: readonly HistoryEntry[];
  /** `FROM name` in history comments; undefined for scratch. */
  readonly baseName: string | undefined;
  /** Other stages stand on it, or every step is committed: it gets an image of its own. */
  readonly isBase: boolean;
  /** The image at the bottom of the stage; undefined for scratch. */
  readonly base: WorkingContainer['base'];
  /** Tell what each step used of the machine. */
  readonly usage: boolean;
  /** What to do with a step that fails. */
  readonly postMortem: PostMortem | undefined;
  readonly root: StageRoot;
  readonly actions: StepActions;
  /** Id of the image a config would be, when this stage ends there. */
  readonly identify: (config: ImageConfig) => string;
  /** Told before the stage commits: COMMIT line of the last stage. */
  readonly onCommit: (() => void) | undefined;
}

/** Does the work of a step in a mounted root filesystem. */
type Act = (rootPath: string) => Promise<ContentSummary | undefined>;

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
  readonly #steps: TravellingStep[] = [];

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
    const id = this.#stepId(index);
    this.#line(number, total, step.stepText);
    engine.emit({ type: 'step-started', step: id, name: step.stepText, at: Date.now() });
    const before = this.#o.usage ? resourceUsage() : undefined;
    let outcome: StepOutcome = 'failed';
    try {
      outcome = await (layers ? this.#remembered(step, after, index, isLast) : this.#plain(step, after, id, isLast));
    } catch (error) {
      // What ends because another step failed has not failed itself.
      if (engine.signal?.aborted === true) outcome = 'canceled';
      throw stepFailure(error, step, outcome === 'failed' ? await this.#keep() : undefined);
    } finally {
      const usage = before === undefined ? {} : { usage: usageBetween(before, resourceUsage()) };
      engine.emit({ type: 'step-finished', step: id, outcome, at: Date.now(), ...this.#keyFacts(index), ...usage });
    }
  }

  /** Keeps what the failed step left, if that is wanted; what goes wrong with it does not hide the failure. */
  async #keep(): Promise<KeptContainer | undefined> {
    const { engine, root, postMortem, base } = this.#o;
    if (postMortem?.keeps !== true) return undefined;
    try {
      const key = await root.release();
      if (key === undefined) return undefined;
      return await postMortem.keep({ key, layers: root.state, config: this.#config(), base });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      engine.emit({ type: 'warning', text: `the failed root filesystem cannot be kept: ${why}` });
      return undefined;
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
        const { act } = await this.#prepare(step, id);
        text = historyText(step, await (isLinked(step) ? this.#layOver(act) : act(await this.#writable(id))));
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
  async #layOver(act: Act): Promise<ContentSummary | undefined> {
    const { engine, root, times } = this.#o;
    const { layer, content } = await makeLinkedLayer(engine, times.layer, act);
    await layOver(engine, layer.diffId, await root.writable());
    return content;
  }

  /** A layer for each step that touches files, each looked up before it is run. */
  async #remembered(step: Step, next: StageState, index: number, isLast: boolean): Promise<'ran' | 'cached'> {
    const { root } = this.#o;
    const resolved = isFileStep(step)
      ? await this.#rememberedLayer(step, index)
      : await this.#rememberedConfig(step, index);
    const { result, isFresh } = resolved;
    const { layer } = result;
    if (layer !== undefined && isLinked(step)) {
      // The same layer on every base; it is unpacked on this one only if something reads it there.
      root.adopt(layer, undefined, chainIdOf(root.state.chain, layer.diffId));
    } else if (layer !== undefined && !isFresh) {
      root.adopt(layer, result.snapshot as never, result.chain);
    }
    const text = historyText(step, result.content);
    this.#progress.history.push(this.#entry(text, layer === undefined, true, result.created));
    this.#progress.state = next;
    if (isFresh) this.#progress.isCached = false;
    const imageId = isLast ? this.#o.identify(this.#config()) : this.#imageId();
    this.#progress.lastId = imageId;
    if (resolved.from !== undefined) this.#say(`--> Cache pulled from remote ${resolved.from}:${hexOf(resolved.key)}`);
    else if (!isFresh) this.#say(`--> Using cache ${imageId}`);
    if (!isLast) this.#sayId(imageId);
    return isFresh ? 'ran' : 'cached';
  }

  #rememberedConfig(step: Exclude<Step, FileStep>, index: number): Promise<Resolved> {
    const inputs = configInputs(this.#progress.state.config, this.#o.root.state.chain, step.createdBy);
    const keyed: KeyedStep = {
      text: step.stepText,
      chain: undefined,
      quick: undefined,
      reads: async () => ({ inputs: [...inputs, ...timeInputs(this.#o.times)], lists: [] }),
    };
    return this.#resolve(keyed, index, async () => ({
      layer: undefined,
      snapshot: undefined,
      chain: undefined,
      created: this.#o.times.now(),
    }));
  }

  async #rememberedLayer(step: FileStep, index: number): Promise<Resolved> {
    const { engine, root, times } = this.#o;
    const id = this.#stepId(index);
    const { prepared, act } = await this.#prepare(step, id);
    const keyed: KeyedStep = {
      text: step.stepText,
      chain: isLinked(step) ? undefined : root.state.chain,
      isOnce: prepared.isOnce === true,
      quick: prepared.quick === undefined ? undefined : [...prepared.quick, ...timeInputs(times)],
      reads: async () => {
        const { inputs, lists } = await this.#phase('prepare', id, () => prepared.reads());
        return { inputs: [...inputs, ...timeInputs(times)], lists };
      },
    };
    return this.#resolve(keyed, index, async () => {
      if (isLinked(step)) {
        const { content, ...made } = await makeLinkedLayer(engine, times.layer, act);
        return { ...made, created: times.now(), ...(content === undefined ? {} : { content }) };
      }
      const content = await act(await this.#writable(id));
      const layer = await this.#phase('seal', id, () => root.seal(step.kind !== 'workdir'));
      const { snapshot, chain } = root.state;
      return { layer, snapshot, chain, created: times.now(), ...(content === undefined ? {} : { content }) };
    });
  }

  /** Looks a step up, runs it if need be, and notes for the trace what came of it and why. */
  async #resolve(keyed: KeyedStep, index: number, make: () => Promise<StepResult>): Promise<Resolved> {
    const { engine, cache, trace, evaluated } = this.#o;
    const stage = evaluated.stage.index;
    const missed = (found: Lookup): void => {
      // Until it ends it counts as failed: what fails tells nobody.
      const causes = explainMiss(engine, trace, stage, index, found);
      trace.note(stage, index, { outcome: 'failed', key: found.key, causes });
    };
    let resolved: Resolved;
    try {
      resolved = await cache.resolve(keyed, make, missed);
    } catch (error) {
      if (engine.signal?.aborted === true) trace.forget(stage, index);
      throw error;
    }
    const { key, isFresh, savedAt, result } = resolved;
    const { layer, created, content } = result;
    if (keyed.isOnce !== true) {
      const made = { key, savedAt: savedAt ?? Date.now(), created, layer };
      this.#steps.push({ ...made, ...(content === undefined ? {} : { content }) });
    }
    const causes = trace.outcome(stage, index)?.causes ?? [];
    trace.note(stage, index, isFresh ? { outcome: 'ran', key, causes } : { outcome: 'hit', key, causes: [], savedAt });
    return resolved;
  }

  #stepId(index: number): string {
    return `${this.#o.id}.${index + 2}`;
  }

  /** Finds out what the step reads. `act` tells how long it took. */
  async #prepare(step: FileStep, id: string): Promise<{ readonly prepared: PreparedStep; readonly act: Act }> {
    const { actions, root } = this.#o;
    const below = { chain: root.state.chain, snapshot: () => root.snapshot() };
    const prepared = await this.#phase('prepare', id, () => actions.prepare(step, below));
    const phase = step.kind === 'run' ? 'run' : 'copy';
    return { prepared, act: (rootPath) => this.#phase(phase, id, () => prepared.act(rootPath, id)) };
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
  #keyFacts(index: number): { readonly key?: string; readonly missed?: string } {
    const { outcome, key, causes } = this.#o.trace.outcome(this.#o.evaluated.stage.index, index) ?? {};
    const missed = outcome === 'hit' ? undefined : causes?.[0]?.text;
    return { ...(key === undefined ? {} : { key }), ...(missed === undefined ? {} : { missed }) };
  }

  #entry(text: string, isEmpty: boolean, commented: boolean, created = this.#o.times.now()): HistoryEntry {
    const { baseName } = this.#o;
    const comment = commented ? this.#comment(baseName) : undefined;
    const author = this.#progress.state.config.author;
    return {
      created,
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
    return {
      state: progress.state,
      root: root.state,
      config: this.#config(),
      imageId,
      isCached: progress.isCached,
      steps: this.#steps,
    };
  }
}

/** Text of the history entry. @param content what a COPY or ADD copied */
function historyText(step: Step, content: ContentSummary | undefined): string {
  switch (step.kind) {
    case 'run':
      return step.createdBy();
    case 'copy':
    case 'add':
      return step.createdBy(content ?? { kind: 'empty', hex: '' });
    default:
      return step.createdBy;
  }
}

/** Says which step it was; the first line is the one Buildah's users know. */
function stepFailure(error: unknown, step: Step, kept?: KeptContainer): unknown {
  if (!isBuilderError(error) || error.code === 'sys.cancelled' || error.code.startsWith('dockerfile.')) return error;
  const told = located(error, step.span, `building at STEP ${JSON.stringify(step.stepText)}: `);
  if (kept === undefined || !isBuilderError(told)) return told;
  return new BuilderError(told.code, told.message, {
    cause: told.cause,
    hint: `enter its root filesystem with: ${kept.enter}`,
    ...(told.span === undefined ? {} : { span: told.span }),
    facts: { ...told.facts, container: kept.name },
  });
}
