/**
 * Ignore rules as one question per path, over the one matcher there is (`dockerfile/ignore-file.ts`). What matched a
 * directory is kept, so a walk tests each rule once per name.
 */
import {
  type DirectoryMatches,
  type IgnoreMatcher,
  type IgnoreVerdict,
  ignoreMatcherOf,
} from '../dockerfile/ignore-file.ts';

/** Lines of an ignore file, relative to the root. */
export interface IgnoreRules {
  /** As in the file, comments and blank lines included: their number is what messages name. */
  readonly patterns: readonly string[];
  /** For messages: `.dockerignore`. */
  readonly name: string;
}

type Judged = IgnoreVerdict & { readonly matches: DirectoryMatches };

export class PathRules {
  readonly #matcher: IgnoreMatcher;
  /** Directory → what was found of it. */
  readonly #judged = new Map<string, Judged>();

  /** @throws `ignore.invalid` for a malformed pattern, with its line */
  constructor(rules: IgnoreRules) {
    this.#matcher = ignoreMatcherOf(rules.patterns, rules.name);
  }

  get isEmpty(): boolean {
    return this.#matcher.rules.length === 0;
  }

  /** Whether the rules leave `path` out (slash-separated, relative); never the root. */
  matches(path: string): boolean {
    return this.verdict(path).ignored;
  }

  /** The same with the rule that decided. */
  verdict(path: string): Judged {
    return this.#matcher.matchIn(this.#directory(parentOf(path))?.matches, path);
  }

  /** Whether a `!` rule may bring back something below a directory that is left out. True when in doubt. */
  mayIncludeBelow(directory: string): boolean {
    return this.#matcher.hasExceptions && !this.#matcher.canPrune(directory, this.verdict(directory));
  }

  #directory(path: string): Judged | undefined {
    if (path === '') return undefined;
    let judged = this.#judged.get(path);
    if (judged === undefined) {
      judged = this.verdict(path);
      this.#judged.set(path, judged);
    }
    return judged;
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}
