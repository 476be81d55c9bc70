/**
 * The patterns of `${name#p}`, `${name%p}` and `${name/p/r}`: `*` and `?` are wild and cross slashes, there are no
 * bracket sets. Matched by following all states at once, so that no pattern takes exponential time.
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

/** Ends of all matches that begin at `start`, in ascending order. */
function matchEnds(tokens: readonly Token[], value: readonly string[], start: number): number[] {
  let ends = new Set([start]);
  for (const token of tokens) {
    const next = new Set<number>();
    for (const end of ends) {
      const character = value[end];
      if (token.kind === 'star') {
        for (let i = end; ; i++) {
          if (next.has(i)) break;
          next.add(i);
          if (i >= value.length || value[i] === '\n') break;
        }
      } else if (character !== undefined) {
        if (token.kind === 'any' ? character !== '\n' : character === token.value) next.add(end + 1);
      }
    }
    ends = next;
  }
  return [...ends].sort((a, b) => a - b);
}

/** `${value#pattern}`, or `##` when `longest`. @throws PatternError */
export function cutPrefix(value: string, pattern: string, longest: boolean): string {
  const characters = Array.from(value);
  const ends = matchEnds(tokenize(pattern), characters, 0);
  const end = longest ? ends.at(-1) : ends[0];
  return end === undefined ? value : characters.slice(end).join('');
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
  const tokens = tokenize(pattern);
  const characters = Array.from(value);
  let result = '';
  let copied = 0;
  let lastEnd = -1;
  for (let at = 0; at <= characters.length; ) {
    const end = matchEnds(tokens, characters, at).at(-1);
    if (end === undefined || (end === at && at === lastEnd)) {
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
