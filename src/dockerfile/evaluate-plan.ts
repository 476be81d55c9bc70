/** Evaluating whole stages at once: what lowering, checks and listings stand on. */
import { type BuilderError, isBuilderError } from '../report/builder-error.ts';
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
  /** All that the stage stands on is known; otherwise variables may be set of which nothing is known here. */
  readonly isBaseKnown: boolean;
}

/** Told of an instruction that cannot be evaluated, which is passed over then. */
type OnError = (error: BuilderError, instruction: StageInstruction) => void;

/** All steps of a stage. @throws what `evaluateInstruction` throws, unless there is somebody to tell */
export function evaluateStage(input: StageInput, isBaseKnown = true, onError?: OnError): EvaluatedStage {
  const { state: initial, triggers } = beginStage(input);
  const steps: EvaluatedStep[] = [];
  let before = initial;
  for (const [i, instruction] of [...triggers, ...input.stage.instructions].entries()) {
    try {
      const { step, state: after } = evaluateInstruction(before, instruction, i < triggers.length);
      steps.push({ step, before, after });
      before = after;
    } catch (error) {
      if (onError === undefined || !isBuilderError(error)) throw error;
      onError(error, instruction);
    }
  }
  return { stage: input.stage, triggers, steps, initial, final: before, isBaseKnown };
}

export interface EvaluatePlanOptions {
  readonly buildArgs?: BuildArgs;
  /** Config of the base image of a stage; undefined is taken for an image about which nothing is known. */
  readonly baseConfig?: (stage: Stage) => ImageConfig | undefined;
  /** Stages to evaluate, with all that these are based on; default: every one. */
  readonly stages?: readonly number[];
  /** Default: the error is thrown. */
  readonly onError?: (error: BuilderError, instruction: StageInstruction, isBaseKnown: boolean) => void;
}

/** Evaluates stages in order. @throws what `evaluateInstruction` throws */
export function evaluatePlan(plan: StagePlan, options: EvaluatePlanOptions = {}): EvaluatedStage[] {
  const done = new Map<number, EvaluatedStage>();
  const { buildArgs, onError } = options;
  for (const stage of plan.stages) {
    if (options.stages?.includes(stage.index) === false) continue;
    const parent = stage.base.kind === 'stage' ? done.get(stage.base.index) : undefined;
    const baseConfig = parent === undefined ? options.baseConfig?.(stage) : undefined;
    const isBaseKnown = parent?.isBaseKnown ?? (baseConfig !== undefined || stage.base.kind === 'scratch');
    const input = {
      plan,
      stage,
      ...(buildArgs === undefined ? {} : { buildArgs }),
      ...(baseConfig === undefined ? {} : { baseConfig }),
      ...(parent === undefined ? {} : { parent: parent.final }),
    };
    const tell: OnError | undefined =
      onError === undefined ? undefined : (error, instruction) => onError(error, instruction, isBaseKnown);
    done.set(stage.index, evaluateStage(input, isBaseKnown, tell));
  }
  return [...done.values()];
}
