/**
 * What building a stage would do, without doing it: every step is looked up while what it reads is known. Behind the
 * first step that would change files nothing is known of them any more: the steps after it would be run. A copy out of
 * a stage that would be built again may find the same files as before, so of it and of what follows nothing is said.
 */
import type { Engine } from '../container/engine.ts';
import type { StepResult } from '../container/step-result.ts';
import type { EvaluatedStage, EvaluatedStep } from '../dockerfile/evaluate-plan.ts';
import type { StageState } from '../dockerfile/stage-state.ts';
import { stageLabel } from '../dockerfile/stages.ts';
import type { Step } from '../dockerfile/step.ts';
import { isBuilderError } from '../report/builder-error.ts';
import type { Cause } from '../report/explanation.ts';
import type { SnapshotId } from '../rootfs/snapshotter.ts';
import { chainIdOf } from '../spec/digest.ts';
import type { BuildCache, KeyedStep } from './build-cache.ts';
import type { BuildTrace, StepOutcome } from './build-trace.ts';
import { explainMiss, REUSE_IS_OFF } from './explain-miss.ts';
import type { StageResult } from './stage-build.ts';
import { type LayerState, withLayer } from './stage-root.ts';
import type { StepActions } from './step-actions.ts';
import { configInputs, isFileStep, isLinked } from './step-inputs.ts';

export interface StagePreviewOptions {
  readonly engine: Engine;
  readonly evaluated: EvaluatedStage;
  readonly cache: BuildCache;
  readonly trace: BuildTrace;
  readonly actions: StepActions;
  readonly layers: LayerState;
  /** The snapshot of layers, if there is one. @throws `snapshot.not-known` */
  readonly unpack: (layers: LayerState) => Promise<SnapshotId | undefined>;
  /** Inputs every step has. */
  readonly timeInputs: readonly { readonly name: string; readonly value: string }[];
  /** How the steps end because of what the stage stands on; undefined when that is known. */
  readonly below: Foregone | undefined;
  /** The label of a stage that would be built again, among those a step reads. */
  readonly rebuiltStage: (step: Step) => string | undefined;
}

/** What is said of steps of which nothing can be looked up, because of what lies below them. */
export interface Foregone {
  readonly outcome: 'miss' | 'unknown';
  readonly cause: Cause;
}

export class StagePreview {
  readonly #o: StagePreviewOptions;
  #layers: LayerState;
  #state: StageState;
  /** Of the next step; undefined while what lies below it is known. */
  #foregone: Foregone | undefined;

  constructor(o: StagePreviewOptions) {
    this.#o = o;
    this.#layers = o.layers;
    this.#state = o.evaluated.initial;
    this.#foregone = o.below;
  }

  /** What has to be said of steps that stand on this stage; undefined when what it would come to is known. */
  get foregone(): Foregone['outcome'] | undefined {
    return this.#foregone?.outcome;
  }

  /** @param index counted from 0 */
  async step(index: number, { step, after }: EvaluatedStep): Promise<void> {
    const { evaluated, trace } = this.#o;
    const outcome = await this.#outcomeOf(index, step);
    trace.note(evaluated.stage.index, index, outcome);
    if (outcome.outcome !== 'hit' && isFileStep(step)) {
      const number = index + 2;
      const isMiss = outcome.outcome === 'miss';
      const text = isMiss ? `step ${number} above would be run again` : `step ${number} above may be run again`;
      const cause: Cause = { kind: 'above', name: `${evaluated.stage.index}.${number}`, text };
      this.#foregone = { outcome: isMiss ? 'miss' : 'unknown', cause };
    }
    this.#state = after;
  }

  async #outcomeOf(index: number, step: Step): Promise<StepOutcome> {
    const { cache, engine, trace, evaluated } = this.#o;
    if (cache.isOff) return { outcome: 'miss', key: undefined, causes: [REUSE_IS_OFF] };
    if (this.#foregone !== undefined) {
      const { outcome, cause } = this.#foregone;
      return { outcome, key: undefined, causes: [cause] };
    }
    const rebuilt = this.#o.rebuiltStage(step);
    if (rebuilt !== undefined) {
      const text = `it reads the stage ${rebuilt}, which would be built again`;
      return { outcome: 'unknown', key: undefined, causes: [{ kind: 'above', name: rebuilt, text }] };
    }
    try {
      const found = await cache.lookup(await this.#keyed(step));
      if (found.hit !== undefined) {
        this.#adopt(step, found.hit.result);
        return { outcome: 'hit', key: found.key, causes: [], savedAt: found.hit.savedAt };
      }
      const causes = explainMiss(engine, trace, evaluated.stage.index, index, found);
      return { outcome: 'miss', key: found.key, causes };
    } catch (error) {
      if (!isBuilderError(error) || error.code !== 'snapshot.not-known') throw error;
      return { outcome: 'unknown', key: undefined, causes: [{ kind: 'lost', text: error.message }] };
    }
  }

  async #keyed(step: Step): Promise<KeyedStep> {
    const { actions, timeInputs } = this.#o;
    const text = step.stepText;
    if (!isFileStep(step)) {
      const inputs = configInputs(this.#state.config, this.#layers.chain, step.createdBy);
      return {
        text,
        chain: undefined,
        quick: undefined,
        reads: async () => ({ inputs: [...inputs, ...timeInputs], lists: [] }),
      };
    }
    const { quick, reads, isOnce } = await actions.prepare(step, {
      chain: this.#layers.chain,
      snapshot: () => this.#o.unpack(this.#layers),
    });
    return {
      text,
      chain: isLinked(step) ? undefined : this.#layers.chain,
      isOnce: isOnce === true,
      quick: quick === undefined ? undefined : [...quick, ...timeInputs],
      reads: async () => {
        const { inputs, lists } = await reads();
        return { inputs: [...inputs, ...timeInputs], lists };
      },
    };
  }

  #adopt(step: Step, { layer, snapshot, chain }: StepResult): void {
    if (layer === undefined) return;
    this.#layers = isLinked(step)
      ? withLayer(this.#layers, layer, undefined, chainIdOf(this.#layers.chain, layer.diffId))
      : withLayer(this.#layers, layer, snapshot as never, chain);
  }

  async end(): Promise<StageResult> {
    const { config } = this.#state;
    return {
      state: this.#state,
      root: this.#layers,
      config,
      imageId: stageLabel(this.#o.evaluated.stage),
      isCached: this.#foregone === undefined,
      steps: [],
    };
  }
}
