/** Rules about how things are spelt: keywords, stage names, descriptions. */
import { spanOf } from '../fragment.ts';
import type { RawInstruction } from '../parser.ts';
import { isLintComment } from './options.ts';
import { type Finding, type LintContext, type LintRule, rule } from './rule.ts';

export const stageNameCasing = rule('StageNameCasing', 'Stage names should be lowercase', function* ({ plan }) {
  for (const { from } of plan.stages) {
    if (from.alias === undefined || from.alias.text === from.alias.text.toLowerCase()) continue;
    const message = `stage name '${from.alias.text}' should be lowercase`;
    yield { message, span: spanOf(from.alias), about: from.raw, help: `write ${from.alias.text.toLowerCase()}` };
  }
});

export const fromAsCasing = rule('FromAsCasing', 'FROM and AS should have the same casing', function* ({ plan }) {
  for (const { from } of plan.stages) {
    const keyword = from.raw.keyword.text;
    const word = from.asKeyword?.text;
    const casing = casingOf(keyword);
    // FROM's own mixed casing is ConsistentInstructionCasing's to tell.
    if (from.asKeyword === undefined || casing === 'mixed' || casingOf(word!) === casing) continue;
    yield { message: `'${word}' and '${keyword}' differ in casing`, span: spanOf(from.asKeyword), about: from.raw };
  }
});

function casingOf(word: string): 'lower' | 'upper' | 'mixed' {
  if (word === word.toLowerCase()) return 'lower';
  return word === word.toUpperCase() ? 'upper' : 'mixed';
}

export const consistentInstructionCasing = rule(
  'ConsistentInstructionCasing',
  'All keywords of a file should have the same casing',
  function* ({ plan }) {
    const all = plan.stages.flatMap(({ from, instructions }) => [from.raw, ...instructions.map(({ raw }) => raw)]);
    const casings = all.map((raw) => casingOf(raw.keyword.text));
    const lower = casings.filter((casing) => casing === 'lower').length;
    const upper = casings.filter((casing) => casing === 'upper').length;
    const majority = lower > upper ? 'lower' : 'upper';
    for (const [i, raw] of all.entries()) {
      if (casings[i] === majority) continue;
      const message = `'${raw.keyword.text}' should be in ${majority}case like most keywords here`;
      yield { message, span: spanOf(raw.keyword), about: raw };
    }
  },
);

export const duplicateStageName = rule(
  'DuplicateStageName',
  'Stage names should be unique',
  function* ({ plan }) {
    const seen = new Set<string>();
    for (const { from, name } of plan.stages) {
      if (from.alias === undefined || name === undefined) continue;
      if (seen.has(name)) {
        yield { message: `another stage is called '${name}' already`, span: spanOf(from.alias), about: from.raw };
      }
      seen.add(name);
    }
  },
  ['DL3024'],
);

export const reservedStageName = rule(
  'ReservedStageName',
  'Some words cannot name a stage',
  function* ({ plan }) {
    for (const { from, name } of plan.stages) {
      if (from.alias === undefined || (name !== 'scratch' && name !== 'context')) continue;
      yield {
        message: `'${name}' is a reserved word and should not name a stage`,
        span: spanOf(from.alias),
        about: from.raw,
      };
    }
  },
  ['DL3063'],
);

/** Experimental: a comment right above ARG or a named FROM is taken for a description. */
export const invalidDefinitionDescription: LintRule = {
  ...rule('InvalidDefinitionDescription', 'A comment above ARG or FROM should describe it by name', checkDescriptions),
  isExperimental: true,
};

function* checkDescriptions({ plan }: LintContext): Generator<Finding> {
  for (const instruction of [
    ...plan.globalArgs,
    ...plan.stages.flatMap((stage) => [stage.from, ...stage.instructions]),
  ]) {
    if (instruction.kind === 'arg')
      yield* checkDescription(
        instruction.raw,
        instruction.declarations.map(({ name }) => name.text),
      );
    else if (instruction.kind === 'from' && instruction.stageName !== undefined) {
      yield* checkDescription(instruction.raw, [instruction.stageName]);
    }
  }
}

function* checkDescription(raw: RawInstruction, names: readonly string[]): Generator<Finding> {
  const comment = raw.comments.filter(({ text }) => !isLintComment(text)).at(-1);
  if (comment === undefined || names.includes(comment.text.split(' ', 1)[0]!)) return;
  const example = names.length === 1 ? names[0] : '<name>';
  const message = `a comment for ${raw.name} should have the form '# ${example} <description>'`;
  yield {
    message,
    span: comment.span,
    about: raw,
    help: 'part other comments from the instruction by a line with only #',
  };
}
