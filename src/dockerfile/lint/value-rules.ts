/** Rules about variables and files. */
import { suggest } from '../../report/suggestion.ts';
import { cleanPath } from '../../spec/path-pattern.ts';
import type { IgnoreMatcher, IgnoreRule } from '../ignore-file.ts';
import type { AddStep, CopyStep, Step } from '../step.ts';
import { rule } from './rule.ts';

export const undefinedVar = rule(
  'UndefinedVar',
  'Variables should be defined before they are used',
  function* ({ evaluated }) {
    for (const { steps, isBaseKnown } of evaluated) {
      for (const { step, use } of steps.flatMap(({ step }) => step.undefinedUses.map((use) => ({ step, use })))) {
        const { name, span, known } = use;
        const near = suggest(name, known);
        // A base image about which nothing is known may set it; what is spelt like something that is set is a slip.
        if (!isBaseKnown && near === undefined) continue;
        const help = near === undefined ? {} : { help: `did you mean $${near}?` };
        yield { message: `usage of undefined variable '$${name}'`, span, about: step.instruction.raw, ...help };
      }
    }
  },
);

export const copyIgnoredFile = rule(
  'CopyIgnoredFile',
  'COPY and ADD should not name files that the ignore file leaves out',
  function* ({ evaluated, ignore }) {
    // Where some rule brings files back, a directory that is ignored may still have something to copy.
    if (ignore === undefined || ignore.hasExceptions) return;
    for (const { step } of evaluated.flatMap(({ steps }) => steps)) {
      if (!readsContext(step)) continue;
      for (const { text, span } of localSources(step)) {
        const ignoredBy = ignoringRule(text, ignore);
        if (ignoredBy === undefined) continue;
        const file = ignoredBy.span.file.name;
        const message = `${step.instruction.raw.name} of ${JSON.stringify(text)}, which ${file} line ${ignoredBy.line} leaves out`;
        yield { message, span, about: step.instruction.raw };
      }
    }
  },
);

function readsContext(step: Step): step is CopyStep | AddStep {
  return step.kind === 'add' || (step.kind === 'copy' && step.from === undefined);
}

function localSources(step: CopyStep | AddStep): CopyStep['sources'] {
  return step.kind === 'add' ? step.sources.filter(({ kind }) => kind === 'local') : step.sources;
}

/** The root is ignored only by patterns that leave nothing of it. */
function ignoringRule(source: string, ignore: IgnoreMatcher): IgnoreRule | undefined {
  const path = cleanPath(`/${source}`).slice(1);
  if (path === '') return ignore.rules.find(({ pattern }) => pattern === '*' || pattern === '**' || pattern === '**/*');
  const verdict = ignore.match(path);
  return verdict.ignored ? verdict.rule : undefined;
}
