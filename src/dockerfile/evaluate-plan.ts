/** Evaluating whole stages at once, for checks and listings that run nothing. */
import type { ImageConfig } from '../spec/image-config.ts';
import type { BuildArgs } from './build-args.ts';
import { beginStage, evaluateInstruction } from './evaluate.ts';
import type { StageState } from './stage-state.ts';
import type { Stage, StagePlan } from './stages.ts';
import type { Step } from './step.ts';

export interface EvaluatedStage {
  readonly stage: Stage;
  /** Each step with the state before it. */
  readonly steps: readonly { readonly step: Step; readonly before: StageState }[];
  readonly final: StageState;
}

export interface EvaluatePlanOptions {
  readonly buildArgs?: BuildArgs;
  /** Config of the base image of a stage; undefined is taken for an image about which nothing is known. */
  readonly baseConfig?: (stage: Stage) => ImageConfig | undefined;
}

/** Evaluates every stage in order. @throws what `evaluateInstruction` throws */
export function evaluatePlan(plan: StagePlan, options: EvaluatePlanOptions = {}): EvaluatedStage[] {
  const done: EvaluatedStage[] = [];
  for (const stage of plan.stages) {
    const parent = stage.base.kind === 'stage' ? done[stage.base.index]?.final : undefined;
    const baseConfig = parent === undefined ? options.baseConfig?.(stage) : undefined;
    const start = beginStage({
      plan,
      stage,
      ...(options.buildArgs === undefined ? {} : { buildArgs: options.buildArgs }),
      ...(baseConfig === undefined ? {} : { baseConfig }),
      ...(parent === undefined ? {} : { parent }),
    });
    let { state } = start;
    const steps: { step: Step; before: StageState }[] = [];
    for (const [i, instruction] of [...start.triggers, ...stage.instructions].entries()) {
      const evaluated = evaluateInstruction(state, instruction, i < start.triggers.length);
      steps.push({ step: evaluated.step, before: state });
      state = evaluated.state;
    }
    done.push({ stage, steps, final: state });
  }
  return done;
}
