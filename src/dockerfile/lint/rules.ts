/** The rules there are, and choosing among them. */
import { BuilderError } from '../../report/builder-error.ts';
import { suggest } from '../../report/suggestion.ts';
import * as copy from './copy-rules.ts';
import * as from from './from-rules.ts';
import * as instruction from './instruction-rules.ts';
import * as naming from './naming-rules.ts';
import * as pack from './package-rules.ts';
import { type LintRule, rule } from './rule.ts';
import * as run from './run-rules.ts';
import * as value from './value-rules.ts';

const noEmptyContinuation = rule(
  'NoEmptyContinuation',
  'A continued instruction should have no empty lines',
  function* ({ parsed }) {
    for (const { message, span, help } of parsed.warnings) {
      const about = parsed.instructions.findLast((raw) => raw.span.start <= span.start) ?? parsed.instructions[0]!;
      yield { message, span, about, ...(help === undefined ? {} : { help }) };
    }
  },
);

/** Every rule: BuildKit's in the order in which its documentation lists them, then those beyond. */
export const LINT_RULES: readonly LintRule[] = [
  naming.stageNameCasing,
  naming.fromAsCasing,
  noEmptyContinuation,
  naming.consistentInstructionCasing,
  naming.duplicateStageName,
  naming.reservedStageName,
  instruction.jsonArgsRecommended,
  instruction.maintainerDeprecated,
  from.undefinedArgInFrom,
  instruction.workdirRelativePath,
  value.undefinedVar,
  instruction.multipleInstructionsDisallowed,
  instruction.legacyKeyValueFormat,
  from.invalidBaseImagePlatform,
  from.redundantTargetPlatform,
  instruction.secretsUsedInArgOrEnv,
  from.invalidDefaultArgInFrom,
  from.fromPlatformFlagConstDisallowed,
  value.copyIgnoredFile,
  naming.invalidDefinitionDescription,
  instruction.exposeProtoCasing,
  instruction.exposeInvalidFormat,
  from.baseImageTag,
  copy.copyInsteadOfAdd,
  copy.copyToRelativePath,
  copy.worldWritable,
  instruction.sameInstructionEnv,
  run.sudoInRun,
  run.pipeHidesFailure,
  run.highUserId,
  pack.aptInsteadOfAptGet,
  pack.packageInstallPrompts,
  pack.aptUpdateAlone,
  pack.packageListsKept,
  pack.packageCacheKept,
  run.cdInRun,
  instruction.rootUserLast,
  pack.aptRecommends,
  pack.unpinnedPackages,
];

/** The rule of that name. */
export function findRule(name: string): LintRule | undefined {
  return LINT_RULES.find((candidate) => candidate.name === name);
}

const GROUPS: ReadonlySet<string> = new Set(['recommended', 'strict', 'buildkit']);

/**
 * Names of the rules that run beyond BuildKit's.
 * @param words groups (`recommended`, `strict`, which holds the former, or `buildkit` for none), rule names, hadolint's
 *   numbers
 * @throws BuilderError `usage.invalid` for a word that is none of these
 */
export function chooseRules(words: readonly string[]): Set<string> {
  const chosen = new Set<string>();
  for (const word of words) {
    const found = LINT_RULES.filter((candidate) => isMeant(candidate, word));
    if (found.length === 0 && !GROUPS.has(word)) throw unknownRule(word);
    for (const { name } of found) chosen.add(name);
  }
  return chosen;
}

function isMeant({ name, group, numbers }: LintRule, word: string): boolean {
  if (word === 'strict') return group !== 'buildkit';
  return word === group || word === name || numbers.includes(word);
}

function unknownRule(word: string): BuilderError {
  const near = suggest(word, [...GROUPS, ...LINT_RULES.map(({ name }) => name)]);
  return new BuilderError('usage.invalid', `there is no rule ${JSON.stringify(word)}`, {
    ...(near === undefined ? {} : { hint: `did you mean ${near}?` }),
  });
}
