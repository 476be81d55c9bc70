/** Compares what a case came to with what it must come to: one line a difference, expected on the left. */
import type { LanguageCase } from './language-case.ts';
import { BASE_CONFIG } from './language-way.ts';
import type { CaseOutcome } from './language-worker.ts';
import { withoutTimes } from './tree-lines.ts';
import { valueDifferences } from './value-differences.ts';

/** Labels that name the builder. */
const IDENTITY = ['io.slipway.version', 'io.buildah.version'];

export interface CheckOptions {
  /** Whether steps were committed one by one, so that history tells layers apart. */
  readonly layers: boolean;
  /** Another builder warns and fails in words and places of its own. */
  readonly isOther?: boolean;
}

export function caseDifferences(one: LanguageCase, outcome: CaseOutcome | undefined, o: CheckOptions): string[] {
  if (outcome === undefined) return ['the case was not built'];
  if (one.failure !== undefined || outcome.failure !== undefined) return failureDifferences(one, outcome, o);
  return [
    ...valueDifferences('config', expectedConfig(one), withoutIdentity(outcome.config ?? {})),
    ...valueDifferences('author', one.author, outcome.author),
    ...(one.history === undefined ? [] : historyDifferences(one.history, outcome.history ?? [], o)),
    ...lineDifferences('tree', one.tree.lines, withoutTimes(outcome.tree ?? [], one.tree.lines)),
    ...warningDifferences(one, outcome, o),
  ];
}

function failureDifferences(one: LanguageCase, outcome: CaseOutcome, o: CheckOptions): string[] {
  const { failure: wanted } = one;
  const { failure: found } = outcome;
  if (wanted === undefined) return [`failed: ${found?.code} ${found?.place ?? ''} ${found?.message}`];
  if (found === undefined) return [`did not fail: expected ${wanted.code} ${wanted.messages.join(' … ')}`];
  if (o.isOther === true) return [];
  return [
    ...valueDifferences('code', wanted.code, found.code),
    ...valueDifferences('place', wanted.place, found.place),
    ...wanted.messages
      .filter((part) => !found.message.includes(part))
      .map((part) => `message: ${JSON.stringify(part)} is not in ${JSON.stringify(found.message)}`),
    ...warningDifferences(one, outcome, o),
  ];
}

function warningDifferences(one: LanguageCase, outcome: CaseOutcome, o: CheckOptions): string[] {
  if (one.warnings === undefined || o.isOther === true) return [];
  return lineDifferences('warnings', one.warnings, outcome.warnings);
}

/** A member given as null is absent. */
function expectedConfig(one: LanguageCase): unknown {
  return one.config.isWhole ? one.config.value : { ...BASE_CONFIG, ...one.config.value };
}

function withoutIdentity(config: Readonly<Record<string, unknown>>): unknown {
  const labels = Object.entries((config['Labels'] as Record<string, string> | undefined) ?? {});
  return { ...config, Labels: Object.fromEntries(labels.filter(([key]) => !IDENTITY.includes(key))) };
}

function historyDifferences(wanted: readonly string[], found: readonly string[], o: CheckOptions): string[] {
  const texts = (lines: readonly string[]) => lines.map((line) => (o.layers ? line : line.slice(2)));
  const left = texts(wanted);
  const right = texts(found.map(withoutDigests));
  if (JSON.stringify(left) === JSON.stringify(right)) return [];
  return ['history:', ...left.map((line) => `  expected ${line}`), ...right.map((line) => `  found    ${line}`)];
}

/** The digest of what was copied stands in the line of COPY and ADD. */
function withoutDigests(text: string): string {
  return text.replaceAll(/\b(file|dir|multi):[0-9a-f]{64}\b/g, '$1:DIGEST');
}

function lineDifferences(name: string, wanted: readonly string[], found: readonly string[]): string[] {
  const left = [...wanted].sort();
  const right = [...found].sort();
  return [
    ...left.filter((line) => !right.includes(line)).map((line) => `${name}, missing: ${line}`),
    ...right.filter((line) => !left.includes(line)).map((line) => `${name}, not expected: ${line}`),
    ...(left.length > new Set(left).size ? [`${name}: a line is expected twice`] : []),
  ];
}
