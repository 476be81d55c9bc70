/** Splitting arguments into words: by blanks, or by white space outside quotes. Quotes and escapes stay in the words. */
import type { EscapeCharacter } from './directives.ts';
import { type Fragment, sliceFragment, splitFragment } from './fragment.ts';
import { BLANKS, isSpace } from './white-space.ts';

/** Words between ASCII blanks; no words in an empty text. */
export function blankSeparated(rest: Fragment): Fragment[] {
  return rest.text === '' ? [] : splitFragment(rest, BLANKS);
}

/**
 * Words between white space that is neither quoted nor escaped, as ENV, LABEL and ARG need them. A word of nothing but
 * quotes counts; an escape character at the very end is dropped. An unclosed quote runs to the end: expansion reports it.
 */
export function quoteAwareWords(rest: Fragment, escapeCharacter: EscapeCharacter): Fragment[] {
  const { text } = rest;
  const words: Fragment[] = [];
  let start = -1;
  let quote = '';
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!;
    if (start === -1) {
      if (isSpace(character)) continue;
      start = i;
    } else if (quote === '' && isSpace(character)) {
      words.push(sliceFragment(rest, start, i));
      start = -1;
      continue;
    }
    if (character === escapeCharacter && quote !== "'") {
      if (i + 1 === text.length) return closeLast(words, rest, start, i);
      i += 1;
    } else if (quote === '') {
      if (character === '"' || character === "'") quote = character;
    } else if (character === quote) {
      quote = '';
    }
  }
  return start === -1 ? words : closeLast(words, rest, start, text.length);
}

function closeLast(words: Fragment[], rest: Fragment, start: number, end: number): Fragment[] {
  if (end > start) words.push(sliceFragment(rest, start, end));
  return words;
}
