/** Whether the RUN steps of a build can be run at all: their programs may be made for another machine. */
import type { EvaluatedStage } from '../dockerfile/evaluate-plan.ts';
import { type Source, type Stage, stageLabel } from '../dockerfile/stages.ts';
import { BuilderError } from '../report/builder-error.ts';
import { formatPlatform, hostPlatform, type Platform } from '../spec/platform.ts';
import { emulationOf } from '../sys/binfmt.ts';

/**
 * Stages that begin with nothing are left to fail by themselves: whose programs are copied into them is anybody's guess.
 * @throws `platform.not-runnable` at the first RUN of a stage whose programs this kernel cannot start
 */
export function requireRunnable(stages: ReadonlyMap<number, EvaluatedStage>, target: Platform): void {
  for (const { stage, steps } of stages.values()) {
    const first = steps.find(({ step }) => step.kind === 'run');
    if (first === undefined || rootOf(stages, stage).kind === 'scratch') continue;
    const platform = stage.platform ?? target;
    if (emulationOf(hostPlatform().architecture, platform.architecture) !== 'missing') continue;
    throw new BuilderError(
      'platform.not-runnable',
      `cannot run programs of ${formatPlatform(platform)} in stage ${stageLabel(stage)}: this kernel has no interpreter for them`,
      {
        span: first.step.span,
        hint: 'install one: apt-get install qemu-user-static binfmt-support; or build that stage with FROM --platform=$BUILDPLATFORM',
      },
    );
  }
}

function rootOf(stages: ReadonlyMap<number, EvaluatedStage>, stage: Stage): Source {
  let { base } = stage;
  while (base.kind === 'stage') ({ base } = stages.get(base.index)!.stage);
  return base;
}
