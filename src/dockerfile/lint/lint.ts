/** Running the rules over a Dockerfile. */
import type { Diagnostic } from '../../report/diagnostic.ts';
import type { RawInstruction } from '../parser.ts';
import { fileLintOptions, instructionLintOptions, isEnabled, type LintOptions, stageLintOptions } from './options.ts';
import type { Finding, LintContext, LintRule } from './rule.ts';
import { LINT_RULES } from './rules.ts';

export { LINT_RULES };

export interface LintSettings {
  /** Value of the build argument that replaces the file's `check` directive (comments still count). */
  readonly checkArg?: string;
  /** Names of rules beyond BuildKit's that run (`chooseRules`); default: none. */
  readonly chosen?: ReadonlySet<string>;
}

export interface LintFinding {
  readonly rule: LintRule;
  readonly diagnostic: Diagnostic;
  /** First and last line, from 1, of the instruction it is about. */
  readonly lines: { readonly first: number; readonly last: number };
}

export interface LintResult {
  /** In the order of the source. */
  readonly findings: readonly LintFinding[];
  readonly diagnostics: readonly Diagnostic[];
  /** There are findings, and the options say that these fail the build. */
  readonly failed: boolean;
}

/**
 * Runs every enabled rule.
 * @throws BuilderError `dockerfile.syntax` for malformed options in a `check` directive or `checkArg`
 */
export function lint(context: LintContext, settings: LintSettings = {}): LintResult {
  const options = fileLintOptions(context.parsed, settings.checkArg);
  const optionsOf = new Map<RawInstruction, LintOptions>();
  const findings: LintFinding[] = [];
  const chosen = settings.chosen ?? new Set<string>();
  // Builds choose none, and reading all scripts for nothing would take longer than the rest.
  const mayAsk = `${context.parsed.file.text}${settings.checkArg}`.includes('experimental');
  for (const lintRule of LINT_RULES) {
    if (lintRule.group !== 'buildkit' && !chosen.has(lintRule.name) && !mayAsk) continue;
    for (const finding of lintRule.check(context)) {
      // Triggers of a base are told of where they were written.
      if (finding.span.file !== context.parsed.file) continue;
      const own = optionsOf.get(finding.about) ?? optionsAt(context, options, finding.about);
      optionsOf.set(finding.about, own);
      if (!isEnabled(own, lintRule, finding, chosen)) continue;
      findings.push({ rule: lintRule, diagnostic: diagnosticOf(finding, lintRule), lines: finding.about.lines });
    }
  }
  findings.sort((a, b) => a.diagnostic.span.start - b.diagnostic.span.start);
  const diagnostics = findings.map(({ diagnostic }) => diagnostic);
  return { findings, diagnostics, failed: options.error && findings.length > 0 };
}

function optionsAt({ plan }: LintContext, options: LintOptions, about: RawInstruction): LintOptions {
  const stage = plan.stages.findLast(({ from }) => from.span.start <= about.span.start);
  const inStage = stage === undefined ? options : stageLintOptions(options, stage.from.raw);
  return instructionLintOptions(inStage, about);
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
