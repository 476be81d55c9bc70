/**
 * The patterns of `${name#p}`, `${name%p}` and `${name/p/r}`: `*` and `?` are wild and cross slashes, there are no
 * bracket sets. Matched token by token for all places at once, so that no pattern takes more time than the product of
 * its length and the value's.
 */

type Token =
  | { readonly kind: 'star' }
  | { readonly kind: 'any' }
  | { readonly kind: 'character'; readonly value: string };

/** A pattern no match can be made of; the message names the offending escape. */
export class PatternError extends Error {}

function tokenize(pattern: string): Token[] {
  const tokens: Token[] = [];
  const characters = Array.from(pattern);
  for (let i = 0; i < characters.length; i++) {
    const character = characters[i]!;
    if (character === '*') tokens.push({ kind: 'star' });
    else if (character === '?') tokens.push({ kind: 'any' });
    else if (character !== '\\') tokens.push({ kind: 'character', value: character });
    else {
      const next = characters[i + 1];
      // `\/` and `\}` only bring these two through the substitution's own syntax.
      if (next === '/' || next === '}') continue;
      if (next !== '*' && next !== '?' && next !== '\\') throw new PatternError(`invalid escape '\\${next ?? ''}'`);
      tokens.push({ kind: 'character', value: next });
      i += 1;
    }
  }
  return tokens;
}

const NO_MATCH = -1;

/**
 * For every place in `value` where a match of the pattern begins the longest (or the shortest) one's end, else -1.
 * Token by token from the last one back, so that the time is that of their product whatever the pattern.
 */
function matchEnds(tokens: readonly Token[], value: readonly string[], longest: boolean): Int32Array {
  const { length } = value;
  let after = Int32Array.from({ length: length + 1 }, (_, i) => i);
  for (const token of tokens.toReversed()) {
    const ends = new Int32Array(length + 1).fill(NO_MATCH);
    for (let i = length; i >= 0; i--) {
      const character = value[i];
      const crosses = character !== undefined && character !== '\n';
      if (token.kind === 'star') ends[i] = better(after[i]!, crosses ? ends[i + 1]! : NO_MATCH, longest);
      else if (token.kind === 'any' ? crosses : character === token.value) ends[i] = after[i + 1]!;
    }
    after = ends;
  }
  return after;
}

function better(left: number, right: number, longest: boolean): number {
  if (left === NO_MATCH || right === NO_MATCH) return Math.max(left, right);
  return longest ? Math.max(left, right) : Math.min(left, right);
}

/** `${value#pattern}`, or `##` when `longest`. @throws PatternError */
export function cutPrefix(value: string, pattern: string, longest: boolean): string {
  const characters = Array.from(value);
  const end = matchEnds(tokenize(pattern), characters, longest)[0]!;
  return end === NO_MATCH ? value : characters.slice(end).join('');
}

/** `${value%pattern}`, or `%%` when `longest`. @throws PatternError */
export function cutSuffix(value: string, pattern: string, longest: boolean): string {
  const reversed = Array.from(value).reverse().join('');
  return Array.from(cutPrefix(reversed, reversePattern(pattern), longest))
    .reverse()
    .join('');
}

/** Reverses a pattern but keeps each escape before what it escapes. */
function reversePattern(pattern: string): string {
  const units: string[] = [];
  const characters = Array.from(pattern);
  for (let i = 0; i < characters.length; i++) {
    const isEscape = characters[i] === '\\' && i + 1 < characters.length;
    units.push(isEscape ? characters[i]! + characters[i + 1]! : characters[i]!);
    if (isEscape) i += 1;
  }
  return units.reverse().join('');
}

/**
 * `${value/pattern/replacement}`, or `//` when `all`: the first match, each as long as possible. An empty match right
 * behind another match is passed over. @throws PatternError
 */
export function replacePattern(value: string, pattern: string, replacement: string, all: boolean): string {
  const characters = Array.from(value);
  const ends = matchEnds(tokenize(pattern), characters, true);
  let result = '';
  let copied = 0;
  let lastEnd = -1;
  for (let at = 0; at <= characters.length; ) {
    const end = ends[at]!;
    if (end === NO_MATCH || (end === at && at === lastEnd)) {
      at += 1;
      continue;
    }
    result += characters.slice(copied, at).join('') + replacement;
    copied = end;
    lastEnd = end;
    if (!all) break;
    at = Math.max(end, at + (end === at ? 1 : 0));
  }
  return result + characters.slice(copied).join('');
}
