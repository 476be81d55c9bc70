/** What a build tells of its stages, for displays that keep them apart. */
import type { EvaluatedStage } from '../dockerfile/evaluate-plan.ts';
import { stageLabel } from '../dockerfile/stages.ts';
import type { Emit, PlannedStage } from '../report/event.ts';

/** @param stages in the order of the file */
export function plannedStages(stages: Iterable<EvaluatedStage>): PlannedStage[] {
  return [...stages].map(({ stage, steps }) => ({
    id: `${stage.index}`,
    name: stageLabel(stage),
    steps: steps.length + 1,
  }));
}

/** Transfers, notes and warnings of code that knows no stages become those of one. */
export function emitOfStage(emit: Emit, stage: number): Emit {
  return (event) => {
    const isNameless = event.type === 'transfer' || event.type === 'note' || event.type === 'warning';
    emit(isNameless ? { stage: `${stage}`, ...event } : event);
  };
}
