/** Which rules count where: `check` directives and comments, comments for hadolint, and what the caller chose. */
import { BuilderError } from '../../report/builder-error.ts';
import type { Span } from '../../report/source-file.ts';
import { parseBoolean } from '../csv.ts';
import type { Comment } from '../lexer.ts';
import type { ParsedDockerfile, RawInstruction } from '../parser.ts';
import { type HadolintComment, parseHadolintComment } from './hadolint-comments.ts';
import type { Finding, LintRule } from './rule.ts';

export interface LintOptions {
  /** Names of rules, or hadolint's numbers. */
  readonly skip: ReadonlySet<string> | 'all';
  readonly experimental: ReadonlySet<string> | 'all';
  /** Findings fail the build. */
  readonly error: boolean;
}

export const DEFAULT_LINT_OPTIONS: LintOptions = { skip: new Set(), experimental: new Set(), error: false };

/** The build argument that says the same as the directive, in its place. */
export const CHECK_ARG = 'BUILDKIT_DOCKERFILE_CHECK';

/** Parses `skip=A,B|all;error=true;experimental=A|all`. @throws BuilderError `dockerfile.syntax` */
export function parseLintOptions(text: string, span?: Span): LintOptions {
  let options = DEFAULT_LINT_OPTIONS;
  if (text.trim() === '') return options;
  for (const part of text.trim().split(';')) {
    const [key, ...rest] = part.split('=');
    const name = key!.trim();
    const value = rest.join('=').trim();
    const isKnown = name === 'skip' || name === 'experimental' || name === 'error';
    if (rest.length === 0 || !isKnown) throw invalid(part, span);
    if (name !== 'error') {
      options = { ...options, [name]: value === 'all' ? 'all' : new Set(value.split(',').map((rule) => rule.trim())) };
    } else {
      const error = parseBoolean(value);
      if (error === undefined) throw invalid(part, span);
      options = { ...options, error };
    }
  }
  return options;
}

function invalid(part: string, span: Span | undefined): BuilderError {
  return new BuilderError('dockerfile.syntax', `invalid check option ${JSON.stringify(part)}`, {
    hint: 'write check=skip=RuleA,RuleB;error=true;experimental=all',
    ...(span === undefined ? {} : { span }),
  });
}

/**
 * Options of a whole file: those of the build argument, else those of the `check` directive, whose value ends at the
 * first blank; and what comments for hadolint leave out of the whole file.
 * @throws BuilderError `dockerfile.syntax`
 */
export function fileLintOptions(parsed: ParsedDockerfile, checkArg?: string): LintOptions {
  const ignored = parsed.comments.flatMap(ignoredBy('file'));
  return skipping(checkArg === undefined ? directiveOptions(parsed) : parseLintOptions(checkArg), ignored);
}

function directiveOptions(parsed: ParsedDockerfile): LintOptions {
  const directive = parsed.directives.find(({ name }) => name === 'check');
  return directive === undefined
    ? DEFAULT_LINT_OPTIONS
    : parseLintOptions(directive.value.split(' ', 1)[0]!, directive.valueSpan);
}

/** Whether a comment line is lint options and no description. */
export function isLintComment(text: string): boolean {
  return /^check[\t ]*=/i.test(text) || parseHadolintComment(text) !== undefined;
}

/** `base`, widened by the comments above the FROM of a stage. */
export function stageLintOptions(base: LintOptions, from: RawInstruction): LintOptions {
  return skipping(base, from.comments.flatMap(ignoredBy('stage')));
}

/** `base`, widened by the comments above the instruction. A malformed comment is only a comment. */
export function instructionLintOptions(base: LintOptions, raw: RawInstruction): LintOptions {
  const own = checkComment(raw);
  const ignored = raw.comments.flatMap(ignoredBy('instruction'));
  return skipping(
    { skip: join(base.skip, own.skip), experimental: join(base.experimental, own.experimental), error: base.error },
    ignored,
  );
}

function checkComment(raw: RawInstruction): LintOptions {
  const comment = raw.comments.find(({ text }) => /^check[\t ]*=/i.test(text));
  if (comment === undefined) return DEFAULT_LINT_OPTIONS;
  try {
    const value = comment.text.slice(comment.text.indexOf('=') + 1).trim();
    return parseLintOptions(value.split(' ', 1)[0]!, comment.span);
  } catch {
    return DEFAULT_LINT_OPTIONS;
  }
}

function ignoredBy(scope: HadolintComment['scope']): (comment: Comment) => readonly string[] {
  return ({ text }) => {
    const comment = parseHadolintComment(text);
    return comment?.scope === scope ? comment.rules : [];
  };
}

function skipping(options: LintOptions, rules: readonly string[]): LintOptions {
  return rules.length === 0 ? options : { ...options, skip: join(options.skip, new Set(rules)) };
}

function join(a: LintOptions['skip'], b: LintOptions['skip']): LintOptions['skip'] {
  return a === 'all' || b === 'all' ? 'all' : new Set([...a, ...b]);
}

/**
 * Whether a finding of a rule counts.
 * @param chosen names of the rules beyond BuildKit's that run without being asked for in the file
 */
export function isEnabled(
  options: LintOptions,
  lintRule: LintRule,
  finding: Pick<Finding, 'number'>,
  chosen: ReadonlySet<string>,
): boolean {
  const names = [lintRule.name, ...(finding.number === undefined ? lintRule.numbers : [finding.number])];
  const isNamedIn = (set: LintOptions['skip']) => set !== 'all' && names.some((name) => set.has(name));
  // As BuildKit has it: what is experimental is asked for, and `skip` says nothing about it.
  if (lintRule.isExperimental) return options.experimental === 'all' || isNamedIn(options.experimental);
  if (isNamedIn(options.skip)) return false;
  if (lintRule.group !== 'buildkit' && isNamedIn(options.experimental)) return true;
  return options.skip !== 'all' && (lintRule.group === 'buildkit' || chosen.has(lintRule.name));
}
