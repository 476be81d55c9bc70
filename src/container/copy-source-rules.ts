/**
 * A list of rules in the syntax of ignore files as one question per path. The last rule that matches a path or one of
 * its parents decides; `!` rules bring back. What matched a directory is kept, so a walk tests each rule once per name.
 *
 * @see Dockerfile reference, ".dockerignore file"
 */
import { BuilderError } from '../report/builder-error.ts';
import { cleanPath, compileIgnorePattern, mayMatchBelow, type PathPattern } from '../spec/path-pattern.ts';

/** Rules of an ignore file, relative to the root. */
export interface IgnoreRules {
  readonly patterns: readonly string[];
  /** For messages: `.dockerignore`. */
  readonly name: string;
}

interface Rule {
  readonly pattern: PathPattern;
  readonly isNegated: boolean;
}

export class PathRules {
  readonly #rules: readonly Rule[];
  readonly #hasExceptions: boolean;
  /** Directory → which rules matched it or one of its parents. */
  readonly #matched = new Map<string, Uint8Array>();
  #lastDirectory = '';
  #lastMatched: Uint8Array | undefined;

  /** @param patterns as lines of an ignore file without comments. @throws `ignore.invalid` for a malformed one */
  constructor(patterns: readonly string[]) {
    this.#rules = patterns.map(parseRule);
    this.#hasExceptions = this.#rules.some((rule) => rule.isNegated);
  }

  /** Whether the rules leave `path` out (slash-separated, relative); never the root. */
  matches(path: string): boolean {
    if (path === '' || path === '.') return false;
    const inherited = this.#matchedBy(parentOf(path));
    for (let i = this.#rules.length - 1; i >= 0; i--) {
      const rule = this.#rules[i]!;
      if (inherited?.[i] === 1 || rule.pattern.matches(path)) return !rule.isNegated;
    }
    return false;
  }

  /** Whether a `!` rule may bring back something below a directory that is left out. True when in doubt. */
  mayIncludeBelow(directory: string): boolean {
    if (!this.#hasExceptions) return false;
    return this.#rules.some((rule) => rule.isNegated && mayMatchBelow(rule.pattern.source, directory));
  }

  #matchedBy(directory: string): Uint8Array | undefined {
    if (directory === '') return undefined;
    if (directory === this.#lastDirectory) return this.#lastMatched;
    let matched = this.#matched.get(directory);
    if (matched === undefined) {
      const inherited = this.#matchedBy(parentOf(directory));
      matched = Uint8Array.from(this.#rules, (rule, i) =>
        inherited?.[i] === 1 || rule.pattern.matches(directory) ? 1 : 0,
      );
      this.#matched.set(directory, matched);
    }
    this.#lastDirectory = directory;
    this.#lastMatched = matched;
    return matched;
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

function parseRule(text: string): Rule {
  const isNegated = text.startsWith('!');
  const cleaned = cleanPath(isNegated ? text.slice(1).trim() : text);
  const pattern = compileIgnorePattern(cleaned.length > 1 ? cleaned.replace(/^\//, '') : cleaned);
  if (pattern !== undefined) return { pattern, isNegated };
  throw new BuilderError('ignore.invalid', `cannot use ${JSON.stringify(text)} as a pattern: it is malformed`);
}
