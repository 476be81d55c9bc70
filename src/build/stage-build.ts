/**
 * Building one stage: evaluate an instruction, look its step up, run it if need be, go on. Instructions that only
 * change the config never touch a filesystem.
 */
import type { Engine } from '../container/engine.ts';
import type { ImageTimes } from '../container/image-times.ts';
import { beginStage, evaluateInstruction, type StageState } from '../dockerfile/evaluate.ts';
import type { StageInstruction } from '../dockerfile/instructions.ts';
import type { Stage, StagePlan } from '../dockerfile/stages.ts';
import type { Step } from '../dockerfile/step.ts';
import { serializeConfig } from '../image/serialize-config.ts';
import { BuilderError, isBuilderError } from '../report/builder-error.ts';
import { digestOf, hexOf } from '../spec/digest.ts';
import type { HistoryEntry, ImageConfig } from '../spec/image-config.ts';
import type { ImageFormat } from '../spec/media-type.ts';
import type { BuildCache, StepKey } from './build-cache.ts';
import type { LayerState, StageRoot } from './stage-root.ts';
import type { StepActions } from './step-actions.ts';
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
  readonly plan: StagePlan;
  readonly stage: Stage;
  /** `[2/3] ` when there is more than one stage to build. */
  readonly prefix: string;
  readonly layers: boolean;
  readonly format: ImageFormat;
  readonly times: ImageTimes;
  readonly cache: BuildCache;
  readonly buildArgs: ReadonlyMap<string, string>;
  /** undefined for scratch and for stages built on stages. */
  readonly baseConfig: ImageConfig | undefined;
  readonly parent: StageResult | undefined;
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

export async function buildStage(o: StageBuildOptions): Promise<StageResult> {
  return new StageBuild(o).run();
}

interface Progress {
  state: StageState;
  history: HistoryEntry[];
  /** Something ran that belongs into a layer. */
  isTouched: boolean;
  isCached: boolean;
  lastId: string | undefined;
}

class StageBuild {
  readonly #o: StageBuildOptions;
  #progress!: Progress;

  constructor(o: StageBuildOptions) {
    this.#o = o;
  }

  async run(): Promise<StageResult> {
    const { plan, stage, buildArgs, baseConfig, parent } = this.#o;
    const start = beginStage({
      plan,
      stage,
      buildArgs,
      ...(parent === undefined ? {} : { parent: { ...parent.state, config: parent.config } }),
      ...(baseConfig === undefined ? {} : { baseConfig }),
    });
    const history = [...(parent?.config.history ?? baseConfig?.history ?? [])];
    this.#progress = { state: start.state, history, isTouched: false, isCached: true, lastId: undefined };
    const all = [
      ...start.triggers.map((instruction) => ({ instruction, isTrigger: true })),
      ...stage.instructions.map((instruction) => ({ instruction, isTrigger: false })),
    ];
    const total = all.length + 1;
    for (const [i, { instruction, isTrigger }] of all.entries()) {
      await this.#step(instruction, isTrigger, i + 2, total, i === all.length - 1);
    }
    this.#o.onCommit?.();
    return this.#finish(all.length);
  }

  #line(number: number, total: number, text: string): void {
    this.#say(`${this.#o.prefix}STEP ${number}/${total}: ${text}`);
  }

  #say(text: string): void {
    this.#o.engine.emit({ type: 'step-line', step: `${this.#o.stage.index}`, text });
  }

  #sayId(imageId: string): void {
    this.#say(`--> ${imageId.slice(0, 12)}`);
  }

  async #step(
    instruction: StageInstruction,
    isTrigger: boolean,
    number: number,
    total: number,
    isLast: boolean,
  ): Promise<void> {
    const { engine, stage } = this.#o;
    engine.signal?.throwIfAborted();
    const id = `${stage.index}.${number}`;
    const evaluated = evaluateInstruction(this.#progress.state, instruction, isTrigger);
    const { step } = evaluated;
    this.#line(number, total, step.stepText);
    engine.emit({ type: 'step-started', step: id, name: step.stepText, at: Date.now() });
    let outcome: 'ran' | 'cached' | 'failed' = 'failed';
    try {
      outcome = this.#o.layers
        ? await this.#remembered(step, evaluated.state, id, isLast)
        : await this.#plain(step, evaluated.state, id, isLast);
    } catch (error) {
      throw stepFailure(error, step);
    } finally {
      engine.emit({ type: 'step-finished', step: id, outcome, at: Date.now() });
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
        const prepared = await actions.prepare(step, root, false);
        text = await prepared.act(await root.writable(), id);
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
    const known = await cache.lookup(key);
    const history = known?.history ?? this.#entry(step.createdBy, true, true);
    if (known === undefined) cache.save(key, { layer: undefined, snapshot: undefined, chain: undefined, history });
    this.#progress.state = next;
    this.#progress.history.push(history);
    return known === undefined ? 'ran' : 'cached';
  }

  async #rememberedLayer(
    step: Extract<Step, { kind: 'run' | 'copy' | 'add' | 'workdir' }>,
    next: StageState,
    id: string,
  ): Promise<'ran' | 'cached'> {
    const { cache, root, actions } = this.#o;
    const prepared = await actions.prepare(step, root, true);
    const key: StepKey = stepKey([...prepared.inputs, ...this.#timeInputs()]);
    const known = await cache.lookup(key);
    if (known !== undefined) {
      if (known.layer !== undefined) root.adopt(known.layer, known.snapshot as never, known.chain);
      this.#progress.history.push(known.history);
    } else {
      const text = await prepared.act(await root.writable(), id);
      const layer = await root.seal(step.kind !== 'workdir');
      const { snapshot, chain } = root.state;
      const history = this.#entry(text, layer === undefined, true);
      cache.save(key, { layer, snapshot, chain, history });
      this.#progress.history.push(history);
    }
    this.#progress.state = next;
    return known === undefined ? 'ran' : 'cached';
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

  async #finish(steps: number): Promise<StageResult> {
    const { root, layers } = this.#o;
    const progress = this.#progress;
    if (!layers && root.isTouched) {
      const layer = await root.seal(progress.isTouched);
      const last = progress.history.at(-1);
      if (layer !== undefined && last !== undefined && steps > 0) {
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

/** Says which step it was; the first line is the one Buildah's users know. */
function stepFailure(error: unknown, step: Step): unknown {
  if (!isBuilderError(error)) return error;
  if (error.code === 'sys.cancelled' || error.code.startsWith('dockerfile.')) return error;
  return new BuilderError(error.code, `building at STEP ${JSON.stringify(step.stepText)}: ${error.message}`, {
    cause: error.cause,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    span: error.span ?? step.span,
    facts: error.facts,
  });
}
