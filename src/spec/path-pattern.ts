/**
 * Path patterns in two dialects: shell-like ones for COPY sources (Go's `filepath.Match`) and those of ignore files
 * (moby's pattern matcher: `**` too). Paths are slash-separated strings; names that are not UTF-8 are matched by what
 * they decode to.
 */

/** Whether `path` holds wildcards (`*`, `?`, `[`) that are not escaped. */
export function hasWildcard(path: string): boolean {
  for (let i = 0; i < path.length; i++) {
    if (path[i] === '\\') i += 1;
    else if (path[i] === '*' || path[i] === '?' || path[i] === '[') return true;
  }
  return false;
}

/** Removes the backslashes of a pattern without wildcards, so that it names a file. */
export function unescapePattern(pattern: string): string {
  return pattern.replace(/\\(.)/gsu, '$1');
}

interface CharacterRange {
  readonly low: number;
  readonly high: number;
}

type Token =
  | { readonly kind: 'star' }
  | { readonly kind: 'any' }
  | { readonly kind: 'character'; readonly value: string }
  | { readonly kind: 'set'; readonly negated: boolean; readonly ranges: readonly CharacterRange[] };

/** A compiled pattern of one dialect. */
export interface PathPattern {
  readonly source: string;
  matches(path: string): boolean;
}

/**
 * Compiles a pattern as Go's `filepath.Match` reads it: `*` and `?` stop at slashes, `[a-z]` and `[^a-z]` are sets, a
 * backslash escapes. The whole path must match. Undefined when the pattern is malformed.
 */
export function compileGlob(pattern: string): PathPattern | undefined {
  const tokens = tokenize(pattern);
  if (tokens === undefined) return undefined;
  return { source: pattern, matches: (path) => matchTokens(tokens, Array.from(path)) };
}

function tokenize(pattern: string): Token[] | undefined {
  const characters = Array.from(pattern);
  const tokens: Token[] = [];
  for (let i = 0; i < characters.length; ) {
    const character = characters[i]!;
    if (character === '*' || character === '?') {
      tokens.push({ kind: character === '*' ? 'star' : 'any' });
      i += 1;
    } else if (character === '[') {
      const set = readSet(characters, i + 1);
      if (set === undefined) return undefined;
      tokens.push(set.token);
      i = set.next;
    } else {
      if (character === '\\') i += 1;
      const value = characters[i];
      if (value === undefined) return undefined;
      tokens.push({ kind: 'character', value });
      i += 1;
    }
  }
  return tokens;
}

function readSet(characters: readonly string[], start: number): { token: Token; next: number } | undefined {
  const negated = characters[start] === '^';
  const ranges: CharacterRange[] = [];
  for (let i = negated ? start + 1 : start; ; ) {
    if (characters[i] === ']' && ranges.length > 0) return { token: { kind: 'set', negated, ranges }, next: i + 1 };
    const low = readSetCharacter(characters, i);
    if (low === undefined) return undefined;
    let high: typeof low = low;
    if (characters[low.next] === '-') {
      const upper = readSetCharacter(characters, low.next + 1);
      if (upper === undefined) return undefined;
      high = upper;
    }
    ranges.push({ low: low.code, high: high.code });
    i = high.next;
  }
}

/** One end of a range; a set that ends here is malformed. */
function readSetCharacter(characters: readonly string[], at: number): { code: number; next: number } | undefined {
  let character = characters[at];
  if (character === '-' || character === ']') return undefined;
  if (character === '\\') {
    at += 1;
    character = characters[at];
  }
  if (character === undefined || at + 1 >= characters.length) return undefined;
  return { code: character.codePointAt(0)!, next: at + 1 };
}

/** On a mismatch only the last star is widened, which is all a pattern without `**` can need. */
function matchTokens(tokens: readonly Token[], path: readonly string[]): boolean {
  let token = 0;
  let at = 0;
  let star: { token: number; at: number } | undefined;
  while (at < path.length || token < tokens.length) {
    const current = tokens[token];
    if (current?.kind === 'star') {
      star = { token: token + 1, at };
      token += 1;
    } else if (current !== undefined && at < path.length && matchesOne(current, path[at]!)) {
      token += 1;
      at += 1;
    } else if (star !== undefined && star.at < path.length && path[star.at] !== '/') {
      star = { token: star.token, at: star.at + 1 };
      token = star.token;
      at = star.at;
    } else {
      return false;
    }
  }
  return true;
}

function matchesOne(token: Token, character: string): boolean {
  if (token.kind === 'any') return character !== '/';
  if (token.kind === 'character') return character === token.value;
  if (token.kind === 'star') return false;
  const code = character.codePointAt(0)!;
  return token.ranges.some(({ low, high }) => low <= code && code <= high) !== token.negated;
}

/**
 * Compiles one ignore-file pattern, already trimmed, cleaned and without `!`. On top of `compileGlob`'s syntax `**`
 * crosses slashes: `**` at the start of a longer pattern and `/**` at its end match at any depth, none included, except
 * that a final `/**` wants something below. Undefined when the pattern is malformed.
 */
export function compileIgnorePattern(pattern: string): PathPattern | undefined {
  if (tokenize(pattern) === undefined) return undefined;
  if (!/[*?[\\]/.test(pattern)) return { source: pattern, matches: (path) => path === pattern };
  const tail = pattern.slice(2);
  if (pattern.startsWith('**') && !/[*?[\]\\]/.test(tail)) {
    const alone = tail.startsWith('/') ? tail.slice(1) : undefined;
    return { source: pattern, matches: (path) => path.endsWith(tail) || path === alone };
  }
  const head = pattern.slice(0, -2);
  if (pattern.endsWith('**') && head !== '' && !/[*?[\]\\]/.test(head)) {
    return { source: pattern, matches: (path) => path.startsWith(head) };
  }
  const expression = new RegExp(`^${ignoreExpression(pattern)}$`, 'su');
  return { source: pattern, matches: (path) => expression.test(path) };
}

function ignoreExpression(pattern: string): string {
  let expression = '';
  for (let i = 0; i < pattern.length; ) {
    const stars = /^\*\*(?:\/\*\*(?=\/|$))*\/?/.exec(pattern.slice(i))?.[0];
    if (stars !== undefined) {
      i += stars.length;
      expression += i === pattern.length ? '.*' : '(?:.*/)?';
      continue;
    }
    const part = ignorePart(pattern, i);
    expression += part.expression;
    i = part.next;
  }
  return expression;
}

function ignorePart(pattern: string, at: number): { expression: string; next: number } {
  const character = String.fromCodePoint(pattern.codePointAt(at)!);
  if (character === '*') return { expression: '[^/]*', next: at + 1 };
  if (character === '?') return { expression: '[^/]', next: at + 1 };
  if (character === '[') return ignoreSet(pattern, at);
  if (character !== '\\') return { expression: quoteExpression(character), next: at + character.length };
  const escaped = String.fromCodePoint(pattern.codePointAt(at + 1)!);
  return { expression: quoteExpression(escaped), next: at + 1 + escaped.length };
}

/** The pattern is known to be well-formed, so the set has an end. */
function ignoreSet(pattern: string, start: number): { expression: string; next: number } {
  const characters = Array.from(pattern.slice(start + 1));
  const set = readSet(characters, 0)!;
  if (set.token.kind !== 'set') return { expression: '', next: pattern.length };
  const ranges = set.token.ranges
    .filter(({ low, high }) => low <= high)
    .map(({ low, high }) => `\\u{${low.toString(16)}}-\\u{${high.toString(16)}}`)
    .join('');
  const next = start + 1 + characters.slice(0, set.next).join('').length;
  return { expression: `[${set.token.negated ? '^' : ''}${ranges}]`, next };
}

function quoteExpression(character: string): string {
  return /[\\^$.*+?()[\]{}|/-]/.test(character) ? `\\u{${character.codePointAt(0)!.toString(16)}}` : character;
}

/** Go's `filepath.Clean` for slash-separated paths: no `.`, no doubled slashes, `..` resolved as far as it goes. */
export function cleanPath(path: string): string {
  const isAbsolute = path.startsWith('/');
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else if (!isAbsolute) parts.push(part);
  }
  return isAbsolute ? `/${parts.join('/')}` : parts.join('/') || '.';
}

/** Whether a path is `directory` or lies in it. Both are absolute and clean. */
export function isAtOrBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === '/' ? '/' : `${directory}/`);
}

/**
 * Whether a pattern of either dialect could match something strictly below `directory` (a path without leading slash).
 * Answers true when in doubt.
 */
export function mayMatchBelow(pattern: string, directory: string): boolean {
  const patternParts = pattern.split('/');
  const parts = directory.split('/');
  for (const [i, part] of parts.entries()) {
    const wanted = patternParts[i];
    // The directory is deeper than the pattern: what matches a parent covers everything below.
    if (wanted === undefined) return true;
    if (wanted.includes('**')) return true;
    if (compileGlob(wanted)?.matches(part) === false) return false;
  }
  return true;
}
