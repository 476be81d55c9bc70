/** Running the rules over a Dockerfile. */
import type { Diagnostic } from '../../report/diagnostic.ts';
import type { RawInstruction } from '../parser.ts';
import * as from from './from-rules.ts';
import * as instruction from './instruction-rules.ts';
import * as naming from './naming-rules.ts';
import { fileLintOptions, instructionLintOptions, isEnabled, type LintOptions } from './options.ts';
import { type Finding, type LintContext, type LintRule, rule } from './rule.ts';
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

/** Every rule, in the order in which BuildKit's documentation lists them. */
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
];

export interface LintResult {
  /** In the order of the source. */
  readonly diagnostics: readonly Diagnostic[];
  /** There are findings, and the options say that these fail the build. */
  readonly failed: boolean;
}

/**
 * Runs every enabled rule.
 * @param override options that replace those of the file's `check` directive (comments still count)
 * @throws BuilderError `dockerfile.syntax` for a malformed `check` directive
 */
export function lint(context: LintContext, override?: LintOptions): LintResult {
  const options = override ?? fileLintOptions(context.parsed);
  const optionsOf = new Map<RawInstruction, LintOptions>();
  const diagnostics: Diagnostic[] = [];
  for (const lintRule of LINT_RULES) {
    for (const finding of lintRule.check(context)) {
      const own = optionsOf.get(finding.about) ?? instructionLintOptions(options, finding.about);
      optionsOf.set(finding.about, own);
      if (isEnabled(own, lintRule.name, lintRule.isExperimental)) diagnostics.push(diagnosticOf(finding, lintRule));
    }
  }
  diagnostics.sort((a, b) => a.span.start - b.span.start);
  return { diagnostics, failed: options.error && diagnostics.length > 0 };
}

function diagnosticOf(finding: Finding, { name }: LintRule): Diagnostic {
  return {
    severity: 'warning',
    code: name,
    message: finding.message,
    span: finding.span,
    notes: [],
    ...(finding.help === undefined ? {} : { help: finding.help }),
  };
}
