/** From what happened to where the time went. */
import { Graph } from '../graph/graph.ts';
import type { BuildTimings, PhaseTiming } from '../report/build-timings.ts';
import { type BuildRecording, durationOf, type RecordedPhase, type RecordedStep } from './build-recording.ts';

export function measureBuild(recording: BuildRecording): BuildTimings {
  const { steps, stages } = recording;
  const critical = criticalPath(recording);
  const names = new Map(stages.map(({ id, name }) => [id, name]));
  const places = placesInStages(steps);
  const duration = (step: RecordedStep): number => durationOf(step, recording);
  return {
    totalMs: recording.finishedAt - recording.startedAt,
    steps: steps.map((step) => ({
      id: step.id,
      stage: step.stage,
      stageName: names.get(step.stage) ?? step.stage,
      ...places.get(step.id)!,
      name: step.name,
      outcome: step.outcome,
      durationMs: duration(step),
      isCritical: critical.has(step.id),
      phases: sumPhases(step.phases),
    })),
    phases: sumPhases(recording.phases),
    criticalPathMs: steps.filter(({ id }) => critical.has(id)).reduce((sum, step) => sum + duration(step), 0),
    overlap: overlapOf(recording),
  };
}

/**
 * Ids of the steps that decide how long a build takes however many run side by side. None of them, when nothing took
 * any time.
 */
function criticalPath(recording: BuildRecording): Set<string> {
  const known = new Set(recording.steps.map(({ id }) => id));
  const graph = new Graph(
    recording.steps.map((step) => ({
      key: step.id,
      needs: step.needs.filter((need) => known.has(need)),
      name: step.name,
      op: durationOf(step, recording),
    })),
  );
  const path = graph.heaviestPath(({ op }) => op);
  return new Set(path.some(({ op }) => op > 0) ? path.map(({ key }) => key) : []);
}

function placesInStages(steps: readonly RecordedStep[]): Map<string, { number: number; of: number }> {
  const counts = new Map<string, number>();
  for (const { stage } of steps) counts.set(stage, (counts.get(stage) ?? 0) + 1);
  const seen = new Map<string, number>();
  return new Map(
    steps.map(({ id, stage }) => {
      const number = (seen.get(stage) ?? 0) + 1;
      seen.set(stage, number);
      return [id, { number, of: counts.get(stage)! }];
    }),
  );
}

function sumPhases(phases: readonly RecordedPhase[]): PhaseTiming[] {
  const sums = new Map<PhaseTiming['phase'], number>();
  for (const { phase, startedAt, finishedAt } of phases) {
    sums.set(phase, (sums.get(phase) ?? 0) + finishedAt - startedAt);
  }
  return [...sums].map(([phase, durationMs]) => ({ phase, durationMs })).sort((a, b) => b.durationMs - a.durationMs);
}

/** All the time of all steps, over the time in which any of them ran. */
function overlapOf(recording: BuildRecording): number {
  const spans = recording.steps
    .filter(({ startedAt }) => startedAt !== undefined)
    .map((step) => ({ from: step.startedAt!, to: step.startedAt! + durationOf(step, recording) }))
    .sort((a, b) => a.from - b.from);
  let sum = 0;
  let covered = 0;
  let end = Number.NEGATIVE_INFINITY;
  for (const { from, to } of spans) {
    sum += to - from;
    covered += Math.max(0, to - Math.max(from, end));
    end = Math.max(end, to);
  }
  return covered === 0 ? 0 : sum / covered;
}
