/**
 * Lowering: the stages a target needs become one graph of steps, every variable filled in, before anything is run. The
 * only thing asked of the outside is the config of a base image.
 */
import { Graph, type Vertex } from '../graph/graph.ts';
import type { ImageConfig } from '../spec/image-config.ts';
import type { BuildArgs } from './build-args.ts';
import { type EvaluatedStage, type EvaluatedStep, evaluateStage } from './evaluate-plan.ts';
import {
  dependenciesOf,
  neededStages,
  requireEarlierStages,
  type Source,
  type Stage,
  type StagePlan,
  stageLabel,
} from './stages.ts';
import type { Step } from './step.ts';

/** What a vertex of a build does. */
export type BuildOp =
  /** Opens what the stage is based on. */
  | { readonly kind: 'begin'; readonly stage: number }
  /** Runs step `index` of the stage, counted from 0, triggers included. */
  | { readonly kind: 'step'; readonly stage: number; readonly index: number; readonly evaluated: EvaluatedStep }
  /** What the stage came to is complete: others may read it. */
  | { readonly kind: 'end'; readonly stage: number };

export interface LoweredBuild {
  /** Stage by stage in the order of the file, so that one at a time they run as written. */
  readonly graph: Graph<BuildOp>;
  /** The needed stages by index, ascending. */
  readonly stages: ReadonlyMap<number, EvaluatedStage>;
  readonly target: number;
}

export interface LowerOptions {
  /** Index of the stage to build. */
  readonly target: number;
  readonly buildArgs?: BuildArgs;
  /** Also the stages above the target that nothing reads. */
  readonly includeUnused?: boolean;
  /**
   * Config of what a stage is based on, asked once for each stage that stands on no other stage; undefined for scratch.
   * Asked for all of them at once.
   */
  readonly resolveBase: (stage: Stage) => Promise<ImageConfig | undefined>;
}

/**
 * @throws BuilderError `dockerfile.*` with a place, `dockerfile.stage-not-found` when a trigger of a base image reads a
 *   stage that comes later; whatever `resolveBase` throws
 */
export async function lower(plan: StagePlan, o: LowerOptions): Promise<LoweredBuild> {
  const stages = new Map<number, EvaluatedStage>();
  let wanted = firstWanted(plan, o);
  // Triggers of a base image may read stages that nothing else reads: go on until no new one appears.
  while (wanted.length > 0) {
    const configs = await Promise.all(
      wanted.map((index) => {
        const stage = plan.stages[index]!;
        return stage.base.kind === 'stage' ? undefined : o.resolveBase(stage);
      }),
    );
    const found = new Set<number>();
    for (const [i, index] of wanted.entries()) {
      const evaluated = evaluate(plan, plan.stages[index]!, configs[i], stages, o.buildArgs);
      stages.set(index, evaluated);
      for (const need of readByTriggers(plan, evaluated)) found.add(need);
    }
    wanted = ascending([...found].flatMap((index) => neededStages(plan, index)).filter((index) => !stages.has(index)));
  }
  const sorted = new Map([...stages].sort(([a], [b]) => a - b));
  return { graph: new Graph([...sorted.values()].flatMap(verticesOf)), stages: sorted, target: o.target };
}

/** The stages to build, as far as it is known before any base image is looked at: its triggers may read more. */
export function firstWanted(
  plan: StagePlan,
  { target, includeUnused }: Pick<LowerOptions, 'target' | 'includeUnused'>,
): number[] {
  if (includeUnused !== true) return neededStages(plan, target);
  return ascending(plan.stages.slice(0, target + 1).flatMap(({ index }) => neededStages(plan, index)));
}

function ascending(indexes: readonly number[]): number[] {
  return [...new Set(indexes)].sort((a, b) => a - b);
}

/** A stage that stands on another is evaluated after it, which ascending order provides. */
function evaluate(
  plan: StagePlan,
  stage: Stage,
  baseConfig: ImageConfig | undefined,
  done: ReadonlyMap<number, EvaluatedStage>,
  buildArgs: BuildArgs | undefined,
): EvaluatedStage {
  const parent = stage.base.kind === 'stage' ? done.get(stage.base.index)!.final : undefined;
  return evaluateStage({
    plan,
    stage,
    ...(buildArgs === undefined ? {} : { buildArgs }),
    ...(baseConfig === undefined ? {} : { baseConfig }),
    ...(parent === undefined ? {} : { parent }),
  });
}

function readByTriggers(plan: StagePlan, { stage, triggers }: EvaluatedStage): number[] {
  const dependencies = dependenciesOf(triggers, stage.index, { stages: plan.stages, contexts: plan.contexts });
  requireEarlierStages(plan.stages, stage.index, dependencies);
  return dependencies.map(({ index }) => index);
}

function verticesOf({ stage, steps }: EvaluatedStage): Vertex<BuildOp>[] {
  const { index } = stage;
  const label = stageLabel(stage);
  const begin: Vertex<BuildOp> = {
    key: beginKey(index),
    needs: stage.base.kind === 'stage' ? [endKey(stage.base.index)] : [],
    name: `[${label}] ${stage.from.raw.text.text}`,
    span: stage.from.span,
    op: { kind: 'begin', stage: index },
  };
  const own = steps.map(
    (evaluated, i): Vertex<BuildOp> => ({
      key: stepKeyOf(index, i),
      needs: [i === 0 ? begin.key : stepKeyOf(index, i - 1), ...readStages(evaluated.step).map(endKey)],
      name: `[${label}] ${evaluated.step.stepText}`,
      span: evaluated.step.span,
      op: { kind: 'step', stage: index, index: i, evaluated },
    }),
  );
  const end: Vertex<BuildOp> = {
    key: endKey(index),
    needs: [(own.at(-1) ?? begin).key],
    name: `[${label}]`,
    span: stage.from.span,
    op: { kind: 'end', stage: index },
  };
  return [begin, ...own, end];
}

const beginKey = (stage: number): string => `${stage}.begin`;
const endKey = (stage: number): string => `${stage}.end`;
const stepKeyOf = (stage: number, index: number): string => `${stage}.${index + 2}`;

/** Other stages whose files a step reads. */
export function readStages(step: Step): number[] {
  const sources: (Source | undefined)[] =
    step.kind === 'copy' ? [step.from] : step.kind === 'run' ? step.mounts.map(({ content }) => content) : [];
  return sources.flatMap((source) => (source?.kind === 'stage' ? [source.index] : []));
}
