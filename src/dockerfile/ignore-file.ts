/**
 * `.dockerignore` and `.containerignore`: reading the rules and telling which paths they leave out, by which line. The
 * last rule that matches a path or one of its parents decides; `!` rules bring back.
 */
import { BuilderError } from '../report/builder-error.ts';
import type { SourceFile, Span } from '../report/source-file.ts';
import { cleanPath, compileIgnorePattern, mayMatchBelow, type PathPattern } from '../spec/path-pattern.ts';
import { trimSpace } from './white-space.ts';

export interface IgnoreRule {
  /** Cleaned, without `!` and leading slash. */
  readonly pattern: string;
  /** `!`: what matches is not ignored after all. */
  readonly negated: boolean;
  /** 1-based line in the ignore file. */
  readonly line: number;
  readonly span: Span;
}

export interface IgnoreVerdict {
  readonly ignored: boolean;
  /** The rule that decided; undefined when none matched. */
  readonly rule: IgnoreRule | undefined;
}

/** Which rules matched a directory or one of its parents; for walks, to be handed to what lies inside. */
export type DirectoryMatches = readonly boolean[];

/** Reads an ignore file. @throws BuilderError `ignore.invalid` with the line's span for a malformed pattern */
export function parseIgnoreFile(file: SourceFile): IgnoreMatcher {
  const rules: IgnoreRule[] = [];
  let start = 0;
  for (const [i, raw] of file.text.split('\n').entries()) {
    const text = i === 0 ? raw.replace(/^\ufeff/, '') : raw;
    const rule = parseRule(file, text, i + 1, start + raw.length - text.length);
    if (rule !== undefined) rules.push(rule);
    start += raw.length + 1;
  }
  return new IgnoreMatcher(rules);
}

/** The patterns of `--exclude` flags, in order, as if each were a line of a file of that name. */
export function ignoreMatcherOf(patterns: readonly string[], name = '--exclude'): IgnoreMatcher {
  return parseIgnoreFile({ name, text: patterns.join('\n') });
}

/** A hash sign makes a comment in the first column only. */
function parseRule(file: SourceFile, raw: string, line: number, start: number): IgnoreRule | undefined {
  if (raw.startsWith('#')) return undefined;
  const text = trimSpace(raw);
  if (text === '') return undefined;
  const at = start + raw.indexOf(text);
  const span = { file, start: at, end: at + text.length };
  const negated = text.startsWith('!');
  const written = negated ? trimSpace(text.slice(1)) : text;
  if (written === '') {
    throw new BuilderError('ignore.invalid', `${file.name} line ${line} is a bare !`, {
      span,
      hint: 'name what is not to be ignored behind it',
    });
  }
  const cleaned = cleanPath(written);
  const pattern = cleaned.length > 1 && cleaned.startsWith('/') ? cleaned.slice(1) : cleaned;
  return { pattern, negated, line, span };
}

export class IgnoreMatcher {
  readonly rules: readonly IgnoreRule[];
  readonly #patterns: readonly PathPattern[];

  /** @throws BuilderError `ignore.invalid` for a malformed pattern */
  constructor(rules: readonly IgnoreRule[]) {
    this.rules = rules;
    this.#patterns = rules.map((rule) => {
      const pattern = compileIgnorePattern(rule.pattern);
      if (pattern !== undefined) return pattern;
      throw new BuilderError(
        'ignore.invalid',
        `malformed pattern ${JSON.stringify(rule.pattern)} in ${rule.span.file.name} line ${rule.line}`,
        {
          span: rule.span,
        },
      );
    });
  }

  /** Whether any rule brings paths back; without one an ignored directory can be left out whole. */
  get hasExceptions(): boolean {
    return this.rules.some((rule) => rule.negated);
  }

  /** Judges one path (relative, slash-separated, no leading `./`); the root itself is never ignored. */
  match(path: string): IgnoreVerdict {
    const parts = path.split('/');
    let matches: DirectoryMatches | undefined;
    for (let i = 1; i < parts.length; i++) matches = this.matchIn(matches, parts.slice(0, i).join('/')).matches;
    return this.matchIn(matches, path);
  }

  /**
   * Judges a path given what matched its directory, so that a walk tests every rule once per entry.
   * @param parent the `matches` of the directory that holds `path`; undefined directly under the root
   */
  matchIn(parent: DirectoryMatches | undefined, path: string): IgnoreVerdict & { readonly matches: DirectoryMatches } {
    const cleaned = cleanPath(path).replace(/^\//, '');
    const isRoot = cleaned === '.' || cleaned === '';
    const matches = this.#patterns.map((pattern, i) => !isRoot && ((parent?.[i] ?? false) || pattern.matches(cleaned)));
    const last = matches.lastIndexOf(true);
    const rule = last === -1 ? undefined : this.rules[last];
    return { ignored: rule !== undefined && !rule.negated, rule, matches };
  }

  /**
   * Whether nothing below an ignored directory can be wanted, so that a walk need not enter it. True only when no later
   * `!` rule may match below.
   */
  canPrune(directory: string, verdict: IgnoreVerdict): boolean {
    if (!verdict.ignored || verdict.rule === undefined) return false;
    const decisive = this.rules.indexOf(verdict.rule);
    return !this.rules.some((rule, i) => i > decisive && rule.negated && mayMatchBelow(rule.pattern, directory));
  }
}
