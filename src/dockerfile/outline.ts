/** What can be asked of a Dockerfile without building it: its targets, and what one target takes. */
import type { Span } from '../report/source-file.ts';
import { formatPlatform } from '../spec/platform.ts';
import type { EvaluatedStage } from './evaluate-plan.ts';
import { spanOf } from './fragment.ts';
import { neededStages, type StagePlan } from './stages.ts';

export interface TargetEntry {
  /** Undefined for a stage without a name. */
  readonly name: string | undefined;
  readonly index: number;
  readonly description: string | undefined;
  readonly base: string;
  readonly platform: string | undefined;
  readonly isDefault: boolean;
  readonly span: Span;
}

/** All stages that can be built. */
export function listTargets(plan: StagePlan): TargetEntry[] {
  return plan.stages.map(({ name, index, from, baseText, platform }) => ({
    name,
    index,
    description: from.description,
    base: baseText,
    platform: platform === undefined ? undefined : formatPlatform(platform),
    isDefault: index === plan.stages.length - 1,
    span: from.span,
  }));
}

export interface OutlineArg {
  readonly name: string;
  /** What it comes to with the build arguments given. */
  readonly value: string | undefined;
  readonly description: string | undefined;
  readonly span: Span;
}

export interface OutlineRequirement {
  readonly id: string;
  readonly required: boolean;
  readonly span: Span;
}

export interface OutlineCache {
  readonly id: string;
  readonly span: Span;
}

export interface Outline {
  readonly target: TargetEntry;
  readonly args: readonly OutlineArg[];
  readonly secrets: readonly OutlineRequirement[];
  readonly ssh: readonly OutlineRequirement[];
  readonly caches: readonly OutlineCache[];
}

/** Arguments, secrets, agents and caches that a target and the stages it needs take, each name once, in order. */
export function outline(plan: StagePlan, evaluated: readonly EvaluatedStage[], target: number): Outline {
  const needed = neededStages(plan, target);
  const stages = evaluated.filter(({ stage }) => needed.includes(stage.index));
  return {
    target: listTargets(plan)[target]!,
    args: outlineArgs(plan, stages),
    secrets: requirements(stages, 'secret'),
    ssh: requirements(stages, 'ssh'),
    caches: cachesOf(stages),
  };
}

function outlineArgs(plan: StagePlan, stages: readonly EvaluatedStage[]): OutlineArg[] {
  const found = new Map<string, OutlineArg>();
  for (const { name, value, description, span } of plan.global.declared)
    found.set(name, { name, value, description, span });
  for (const { stage, final } of stages) {
    for (const instruction of stage.instructions) {
      if (instruction.kind !== 'arg') continue;
      for (const { name, description, value } of instruction.declarations) {
        // A bare ARG of a global name only brings that one in.
        if (value === undefined && found.has(name.text)) continue;
        const current = final.args.find((arg) => arg.name === name.text)?.value;
        found.set(name.text, { name: name.text, value: current, description, span: spanOf(name) });
      }
    }
  }
  return [...found.values()];
}

function requirements(stages: readonly EvaluatedStage[], type: 'secret' | 'ssh'): OutlineRequirement[] {
  const found = new Map<string, OutlineRequirement>();
  for (const { step } of stages.flatMap(({ steps }) => steps)) {
    if (step.kind !== 'run') continue;
    for (const mount of step.mounts) {
      if (mount.type !== type) continue;
      const required = mount.required || (found.get(mount.id)?.required ?? false);
      found.set(mount.id, { id: mount.id, required, span: found.get(mount.id)?.span ?? mount.span });
    }
  }
  return [...found.values()];
}

function cachesOf(stages: readonly EvaluatedStage[]): OutlineCache[] {
  const found = new Map<string, OutlineCache>();
  for (const { step } of stages.flatMap(({ steps }) => steps)) {
    if (step.kind !== 'run') continue;
    for (const mount of step.mounts) {
      if (mount.type === 'cache' && !found.has(mount.id)) found.set(mount.id, { id: mount.id, span: mount.span });
    }
  }
  return [...found.values()];
}
