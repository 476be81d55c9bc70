/**
 * What building a stage would do, without doing it: every step is looked up while what it reads is known. Behind the
 * first step that would change files nothing is known of them any more.
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
import { explainMiss } from './explain-miss.ts';
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
  /** Why what the stage stands on is not known; undefined when it is. */
  readonly unknown: Cause | undefined;
  /** The label of a stage that would be built again, among those a step reads. */
  readonly rebuiltStage: (step: Step) => string | undefined;
}

export class StagePreview {
  readonly #o: StagePreviewOptions;
  #layers: LayerState;
  #state: StageState;
  /** What lies below the next step is not known, for this reason. */
  #unknown: Cause | undefined;

  constructor(o: StagePreviewOptions) {
    this.#o = o;
    this.#layers = o.layers;
    this.#state = o.evaluated.initial;
    this.#unknown = o.unknown;
  }

  /** Whether what the stage would come to cannot be said. */
  get isUnknown(): boolean {
    return this.#unknown !== undefined;
  }

  /** @param index counted from 0 */
  async step(index: number, { step, after }: EvaluatedStep): Promise<void> {
    const { evaluated, trace } = this.#o;
    const outcome = await this.#outcomeOf(index, step);
    trace.note(evaluated.stage.index, index, outcome);
    if (outcome.outcome !== 'hit' && isFileStep(step)) {
      const number = index + 2;
      this.#unknown = {
        kind: 'above',
        name: `${evaluated.stage.index}.${number}`,
        text: `step ${number} above would be run again`,
      };
    }
    this.#state = after;
  }

  async #outcomeOf(index: number, step: Step): Promise<StepOutcome> {
    const { cache, engine, trace, evaluated } = this.#o;
    if (this.#unknown !== undefined) return { outcome: 'miss', key: undefined, causes: [this.#unknown] };
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
    const { quick, reads } = await actions.prepare(step, {
      chain: this.#layers.chain,
      snapshot: () => this.#o.unpack(this.#layers),
    });
    return {
      text,
      chain: isLinked(step) ? undefined : this.#layers.chain,
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
      isCached: !this.isUnknown,
      steps: [],
    };
  }
}
