/** What a check found, for people: each finding with its place, then one line that counts. */
import type { BuilderError, CheckFinding, CheckReport, Diagnostic } from '../../index.ts';
import { counted } from './build-summary.ts';
import { diagnosticText, type ErrorTextOptions, errorText } from './error-text.ts';
import { printable } from './source-frame.ts';

export function checkText(reports: readonly CheckReport[], o: ErrorTextOptions): string {
  let out = '';
  for (const { findings, errors } of reports) {
    for (const error of errors) out += `${problemText(error, o)}\n`;
    for (const finding of findings) out += `${findingText(finding, o)}\n`;
  }
  return out + summaryOf(reports);
}

function problemText(error: BuilderError, o: ErrorTextOptions): string {
  if (error.span === undefined) return errorText(error, o);
  const { code, message, span, hint } = error;
  const help = hint === undefined ? {} : { help: hint };
  return diagnosticText({ severity: 'error', code, message, span, notes: [], ...help }, o);
}

function findingText({ rule, message, help, span, url }: CheckFinding, o: ErrorTextOptions): string {
  const diagnostic: Diagnostic = {
    severity: 'warning',
    code: rule,
    message,
    span,
    notes: [],
    ...(help === undefined ? {} : { help }),
  };
  return `${diagnosticText(diagnostic, o)}${o.style.path('see:')} ${url ?? pageOf(rule)}\n`;
}

/** Where the rule is explained, in the package. */
export function pageOf(rule: string): string {
  return `docs/rules/${rule}.md`;
}

/** `Dockerfile: 1 error, 3 warnings (2 SudoInRun, 1 UndefinedVar)`. */
function summaryOf(reports: readonly CheckReport[]): string {
  const files = reports.map(({ file }) => printable(file.name)).join(', ');
  const { errors, warnings, rules } = countFindings(reports);
  if (errors + warnings === 0) return `${files}: no warnings\n`;
  const counts = [
    ...(errors > 0 ? [counted(errors, 'error')] : []),
    ...(warnings > 0 ? [counted(warnings, 'warning')] : []),
  ];
  const byRule = Object.entries(rules).map(([rule, n]) => `${n} ${rule}`);
  return `${files}: ${counts.join(', ')}${byRule.length === 0 ? '' : ` (${byRule.join(', ')})`}\n`;
}

export interface FindingCounts {
  readonly errors: number;
  readonly warnings: number;
  /** The most frequent first. */
  readonly rules: Readonly<Record<string, number>>;
}

export function countFindings(reports: readonly CheckReport[]): FindingCounts {
  const found = reports.flatMap(({ findings }) => findings);
  const counts = new Map<string, number>();
  for (const { rule } of found) counts.set(rule, (counts.get(rule) ?? 0) + 1);
  const rules = Object.fromEntries([...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)));
  return { errors: reports.flatMap(({ errors }) => errors).length, warnings: found.length, rules };
}
