/** What the steps of a plan will read from elsewhere, asked for before any of them runs. */
import type { LoweredBuild } from '../dockerfile/lower.ts';
import type { Source, Stage } from '../dockerfile/stages.ts';
import type { Step } from '../dockerfile/step.ts';
import { located } from '../report/builder-error.ts';
import type { Platform } from '../spec/platform.ts';
import type { NamedContext } from './named-context.ts';
import type { SourceGate } from './source-gate.ts';

/**
 * @param platformOf what images a stage reads are wanted for; undefined for this machine's
 * @throws `policy.denied`, `lock.missing`, `lock.mismatch`, with a place
 */
export function requirePlannedSources(
  gate: SourceGate,
  { stages }: LoweredBuild,
  contexts: ReadonlyMap<string, NamedContext>,
  platformOf: (stage: Stage) => Platform | undefined,
): void {
  for (const { stage, steps } of stages.values()) {
    for (const { step } of steps) {
      try {
        for (const reference of imagesOf(step, contexts)) gate.requireImage(reference, platformOf(stage));
        for (const { text, checksum } of fetchesOf(step)) gate.requireFetch(text, checksum);
      } catch (error) {
        throw located(error, step.span);
      }
    }
  }
}

function imagesOf(step: Step, contexts: ReadonlyMap<string, NamedContext>): string[] {
  const sources: (Source | undefined)[] =
    step.kind === 'copy' ? [step.from] : step.kind === 'run' ? step.mounts.map(({ content }) => content) : [];
  return sources.flatMap((source) => {
    if (source?.kind === 'image') return [source.reference];
    const context = source?.kind === 'context' ? contexts.get(source.name) : undefined;
    return context?.kind === 'image' ? [context.reference] : [];
  });
}

function fetchesOf(step: Step): { readonly text: string; readonly checksum: string | undefined }[] {
  if (step.kind !== 'add') return [];
  const { checksum } = step;
  return step.sources.flatMap(({ kind, text }) => (kind === 'local' ? [] : [{ text, checksum }]));
}
