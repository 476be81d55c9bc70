/** Which rules run: `check=` directives, comments above instructions, and what the command line says. */
import { BuilderError } from '../../report/builder-error.ts';
import type { Span } from '../../report/source-file.ts';
import { parseBoolean } from '../csv.ts';
import type { ParsedDockerfile, RawInstruction } from '../parser.ts';

export interface LintOptions {
  readonly skip: ReadonlySet<string> | 'all';
  readonly experimental: ReadonlySet<string> | 'all';
  /** Findings fail the build. */
  readonly error: boolean;
}

export const DEFAULT_LINT_OPTIONS: LintOptions = { skip: new Set(), experimental: new Set(), error: false };

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

/** Options of a file's `check` directive; its value ends at the first blank. */
export function fileLintOptions(parsed: ParsedDockerfile): LintOptions {
  const directive = parsed.directives.find(({ name }) => name === 'check');
  return directive === undefined
    ? DEFAULT_LINT_OPTIONS
    : parseLintOptions(directive.value.split(' ', 1)[0]!, directive.valueSpan);
}

/** Whether a comment line is lint options and no description. */
export function isCheckComment(text: string): boolean {
  return /^check[\t ]*=/i.test(text);
}

/** `base`, widened by a `check=` comment above the instruction. A malformed comment is only a comment. */
export function instructionLintOptions(base: LintOptions, raw: RawInstruction): LintOptions {
  const comment = raw.comments.find(({ text }) => isCheckComment(text));
  if (comment === undefined) return base;
  try {
    const value = comment.text.slice(comment.text.indexOf('=') + 1).trim();
    const own = parseLintOptions(value.split(' ', 1)[0]!, comment.span);
    return {
      skip: join(base.skip, own.skip),
      experimental: join(base.experimental, own.experimental),
      error: base.error,
    };
  } catch {
    return base;
  }
}

function join(a: LintOptions['skip'], b: LintOptions['skip']): LintOptions['skip'] {
  return a === 'all' || b === 'all' ? 'all' : new Set([...a, ...b]);
}

/** Whether a rule of this name runs. */
export function isEnabled(options: LintOptions, name: string, isExperimental: boolean): boolean {
  if (isExperimental) return options.experimental === 'all' || options.experimental.has(name);
  return options.skip !== 'all' && !options.skip.has(name);
}
