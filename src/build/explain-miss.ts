/** Why a step was not taken from the cache: the inputs that differ from its nearest earlier run, in words. */
import type { Engine } from '../container/engine.ts';
import type { Cause } from '../report/explanation.ts';
import type { Digest } from '../spec/digest.ts';
import type { ListedInput, StepInput } from '../store/step-table.ts';
import type { Lookup, Miss } from './build-cache.ts';
import type { BuildTrace } from './build-trace.ts';
import { contentChanges, readList } from './content-changes.ts';
import { inputCause } from './input-cause.ts';
import { CONFIGURATION, FILESYSTEM } from './step-inputs.ts';

/** Changed files named one by one. */
const MOST_FILES = 20;

export const REUSE_IS_OFF: Cause = { kind: 'off', text: 'reuse of earlier steps is switched off' };

/** @param step counted from 0 */
export function explainMiss(engine: Engine, trace: BuildTrace, stage: number, step: number, found: Lookup): Cause[] {
  const { reads, miss } = found;
  const plain = miss === undefined ? undefined : plainCause(miss);
  if (plain !== undefined) return [plain];
  const { recent, failed } = trace.earlier(stage, step);
  if (failed === found.key) return [{ kind: 'failed-before', text: 'it failed the last time' }];
  if (recent.length === 0) return [{ kind: 'first', text: 'no earlier run of this step is known here' }];
  const nearest = nearestRun(engine, recent, reads?.inputs ?? []);
  if (nearest === undefined) {
    return [
      { kind: 'forgotten', text: 'its earlier runs are no longer remembered (prune forgets them, as does time)' },
    ];
  }
  const own: Cause[] = [];
  const below: Cause[] = [];
  for (const { name, before, after } of nearest.differences) {
    if (name === FILESYSTEM || name === CONFIGURATION) {
      if (below.length === 0) below.push(...causesBelow(trace, stage, step, name));
      continue;
    }
    const files = fileCauses(engine, name, nearest.lists, reads?.lists ?? []);
    own.push(...(files.length > 0 ? files : [inputCause(name, before, after)]));
  }
  return [...own, ...below];
}

function plainCause(miss: Miss): Cause | undefined {
  switch (miss.kind) {
    case 'off':
      return REUSE_IS_OFF;
    case 'once':
      return { kind: 'off', text: 'it has standard input (--stdin), and no key tells what that holds' };
    case 'expired':
      return {
        kind: 'expired',
        text: `what is remembered is ${ageText(miss.ageMs)} old, more than --cache-ttl allows`,
      };
    case 'lost':
      return { kind: 'lost', text: 'the layer it made is no longer in the store' };
    case 'unknown':
      return undefined;
  }
}

function ageText(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes < 1) return `${Math.max(1, Math.round(ms / 1000))} s`;
  if (minutes < 120) return `${minutes} min`;
  return minutes < 2880 ? `${Math.round(minutes / 60)} h` : `${Math.round(minutes / 1440)} days`;
}

interface Difference {
  readonly name: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
}

interface Run {
  readonly differences: readonly Difference[];
  readonly lists: readonly ListedInput[];
}

/** The remembered run with the fewest differences; of several the latest. */
function nearestRun(engine: Engine, recent: readonly Digest[], inputs: readonly StepInput[]): Run | undefined {
  let nearest: Run | undefined;
  for (const key of recent) {
    const record = engine.store.steps.get(key);
    if (record === undefined) continue;
    const differences = differencesOf(record.inputs, inputs);
    if (nearest !== undefined && differences.length >= nearest.differences.length) continue;
    nearest = { differences, lists: record.lists ?? [] };
  }
  return nearest;
}

function differencesOf(before: readonly StepInput[], after: readonly StepInput[]): Difference[] {
  const then = new Map(before.map(({ name, value }) => [name, value]));
  const now = new Map(after.map(({ name, value }) => [name, value]));
  return [...new Set([...now.keys(), ...then.keys()])]
    .filter((name) => then.get(name) !== now.get(name))
    .map((name) => ({ name, before: then.get(name), after: now.get(name) }));
}

function fileCauses(
  engine: Engine,
  input: string,
  before: readonly ListedInput[],
  after: readonly { readonly name: string; readonly sources: readonly string[]; readonly records?: unknown }[],
): Cause[] {
  const then = before.find(({ name }) => name === input);
  const now = after.find(({ name }) => name === input);
  const records = now?.records as readonly string[] | undefined;
  const kept = then === undefined ? undefined : engine.store.contentLists.get(then.digest);
  if (now === undefined || then === undefined || records === undefined || kept === undefined) return [];
  const text = engine.store.contentLists.short(records);
  const changes = contentChanges(readList(kept, then.sources), readList(text, now.sources));
  if (changes.length <= MOST_FILES) return changes;
  const more = changes.length - MOST_FILES;
  return [...changes.slice(0, MOST_FILES), { kind: 'file', text: `${more} more files differ` }];
}

/** What lies below differs: because of a step above that ran, or because of the base. */
function causesBelow(trace: BuildTrace, stage: number, step: number, input: string): Cause[] {
  const { steps, base } = trace.stage(stage);
  for (let above = step - 1; above >= 0; above--) {
    const outcome = trace.outcome(stage, above)?.outcome;
    if (outcome === undefined || outcome === 'hit') continue;
    if (input === FILESYSTEM && !touchesFiles(steps[above]!.kind)) continue;
    const verb = outcome === 'ran' || outcome === 'failed' ? 'was' : 'would be';
    return [{ kind: 'above', name: `${stage}.${above + 2}`, text: `step ${above + 2} above ${verb} run again` }];
  }
  const earlier = trace.earlierStage(stage)?.base;
  if (base !== undefined && earlier !== undefined && base.reference !== earlier.reference) {
    const text = `base image changed: ${earlier.reference} → ${base.reference}`;
    return [{ kind: 'base', name: base.reference, before: earlier.reference, after: base.reference, text }];
  }
  if (base !== undefined && earlier !== undefined && base.digest !== earlier.digest) {
    const text = `base image ${base.reference} moved: ${shortDigest(earlier.digest)} → ${shortDigest(base.digest)}`;
    return [{ kind: 'base', name: base.reference, before: earlier.digest, after: base.digest, text }];
  }
  return [{ kind: 'above', text: 'the steps above it are not those of its earlier run' }];
}

const touchesFiles = (kind: string): boolean => ['run', 'copy', 'add', 'workdir'].includes(kind);

const shortDigest = (digest: string): string => digest.slice(0, 'sha256:'.length + 12);
