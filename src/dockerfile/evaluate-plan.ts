/** Evaluating whole stages at once: what lowering, checks and listings stand on. */
import type { ImageConfig } from '../spec/image-config.ts';
import type { BuildArgs } from './build-args.ts';
import { beginStage, evaluateInstruction, type StageInput } from './evaluate.ts';
import type { StageInstruction } from './instructions.ts';
import type { StageState } from './stage-state.ts';
import type { Stage, StagePlan } from './stages.ts';
import type { Step } from './step.ts';

/** A step with the state around it. */
export interface EvaluatedStep {
  readonly step: Step;
  readonly before: StageState;
  readonly after: StageState;
}

export interface EvaluatedStage {
  readonly stage: Stage;
  /** ONBUILD instructions of the base, which come first. */
  readonly triggers: readonly StageInstruction[];
  /** Triggers, then the stage's own. */
  readonly steps: readonly EvaluatedStep[];
  readonly initial: StageState;
  readonly final: StageState;
}

/** All steps of a stage. @throws what `evaluateInstruction` throws */
export function evaluateStage(input: StageInput): EvaluatedStage {
  const { state: initial, triggers } = beginStage(input);
  const steps: EvaluatedStep[] = [];
  let before = initial;
  for (const [i, instruction] of [...triggers, ...input.stage.instructions].entries()) {
    const { step, state: after } = evaluateInstruction(before, instruction, i < triggers.length);
    steps.push({ step, before, after });
    before = after;
  }
  return { stage: input.stage, triggers, steps, initial, final: before };
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
    const evaluated = evaluateStage({
      plan,
      stage,
      ...(options.buildArgs === undefined ? {} : { buildArgs: options.buildArgs }),
      ...(baseConfig === undefined ? {} : { baseConfig }),
      ...(parent === undefined ? {} : { parent }),
    });
    done.push(evaluated);
  }
  return done;
}
