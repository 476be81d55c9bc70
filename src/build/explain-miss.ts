/** Why the cache had nothing for a step: the nearest step it does remember, and the first input that differs. Pure. */
import type { StepInput } from '../store/step-table.ts';

export interface RememberedInputs {
  /** ms since the epoch */
  readonly savedAt: number;
  readonly inputs: readonly StepInput[];
}

/** What a step is, rather than what it reads: two steps that share it are the same step at two times. */
const IDENTITIES = ['command', 'instruction', 'directory'];

/** A clause such as `the content it copies changed`. Names inputs, never their values. */
export function explainMiss(inputs: readonly StepInput[], remembered: Iterable<RememberedInputs>): string {
  const nearest = nearestOf(inputs, remembered);
  if (nearest === undefined) return 'no such step was built here before';
  const now = new Map(inputs.map(({ name, value }) => [name, value]));
  const before = new Map(nearest.inputs.map(({ name, value }) => [name, value]));
  for (const { name, value } of inputs) {
    if (!before.has(name)) return `${describe(name)} is new`;
    if (before.get(name) !== value) return `${describe(name)} changed`;
  }
  for (const { name } of nearest.inputs) if (!now.has(name)) return `${describe(name)} is gone`;
  return 'its result is no longer in the store';
}

function nearestOf(inputs: readonly StepInput[], remembered: Iterable<RememberedInputs>): RememberedInputs | undefined {
  const identity = inputs.find(({ name }) => IDENTITIES.includes(name));
  const now = new Map(inputs.map(({ name, value }) => [name, value]));
  let nearest: RememberedInputs | undefined;
  let most = -1;
  for (const record of remembered) {
    const equal = record.inputs.filter(({ name, value }) => now.get(name) === value).length;
    const isSameStep = record.inputs.some(({ name, value }) => name === identity?.name && value === identity.value);
    // Another step with all the same surroundings: this one was rewritten.
    const isRewritten = record.inputs.length === inputs.length && equal === inputs.length - 1;
    if (!isSameStep && !isRewritten) continue;
    if (equal < most || (equal === most && record.savedAt <= nearest!.savedAt)) continue;
    most = equal;
    nearest = record;
  }
  return nearest;
}

const WORDS: Readonly<Record<string, string>> = {
  filesystem: 'what it stands on',
  content: 'the content it copies',
  config: 'the configuration before it',
  time: 'the forced timestamp',
};

function describe(name: string): string {
  return WORDS[name] ?? (name.startsWith('variable ') ? name : `the ${name}`);
}
