/**
 * Text whose every character knows where in the source it was written. Joined lines, unquoted flags and decoded JSON
 * strings differ from the source text, yet an error in them must underline the right columns.
 */
import type { SourceFile, Span } from '../report/source-file.ts';
import { leadingSpace, trimmedLength } from './white-space.ts';

/** From text index `at` on, characters stand at source offset `source` and following. */
interface Piece {
  readonly at: number;
  readonly source: number;
}

export interface Fragment {
  readonly file: SourceFile;
  readonly text: string;
  /** Sorted by `at`, the first at 0; never empty. */
  readonly pieces: readonly Piece[];
}

/** The part of a file from `start` to `end` (UTF-16 offsets) as it stands. */
export function fragmentOf(file: SourceFile, start: number, end: number): Fragment {
  return { file, text: file.text.slice(start, end), pieces: [{ at: 0, source: start }] };
}

/** Source offset of the character at `index`; `index` may be the text's length. */
export function offsetAt(fragment: Fragment, index: number): number {
  let low = 0;
  let high = fragment.pieces.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (fragment.pieces[middle]!.at <= index) low = middle;
    else high = middle - 1;
  }
  const piece = fragment.pieces[low]!;
  return piece.source + (index - piece.at);
}

/** Where the characters from `start` to `end` were written; an empty range gives an empty span. */
export function spanOf(fragment: Fragment, start = 0, end: number = fragment.text.length): Span {
  const from = offsetAt(fragment, start);
  return { file: fragment.file, start: from, end: end <= start ? from : offsetAt(fragment, end - 1) + 1 };
}

export function sliceFragment(fragment: Fragment, start: number, end: number = fragment.text.length): Fragment {
  const pieces: Piece[] = [{ at: 0, source: offsetAt(fragment, start) }];
  for (const piece of fragment.pieces) {
    if (piece.at > start && piece.at < end) pieces.push({ at: piece.at - start, source: piece.source });
  }
  return { file: fragment.file, text: fragment.text.slice(start, end), pieces };
}

/** The fragment without white space (Unicode's) at its ends. */
export function trimFragment(fragment: Fragment): Fragment {
  const end = trimmedLength(fragment.text);
  const start = Math.min(leadingSpace(fragment.text), end);
  return start === 0 && end === fragment.text.length ? fragment : sliceFragment(fragment, start, end);
}

/** The pieces of text between matches of `separator` (which needs the `g` flag), at most `limit` of them. */
export function splitFragment(fragment: Fragment, separator: RegExp, limit = Number.POSITIVE_INFINITY): Fragment[] {
  const parts: Fragment[] = [];
  let start = 0;
  for (const match of fragment.text.matchAll(separator)) {
    if (parts.length + 1 >= limit) break;
    parts.push(sliceFragment(fragment, start, match.index));
    start = match.index + match[0].length;
  }
  parts.push(sliceFragment(fragment, start));
  return parts;
}

/** Splits at the first `separator`; the second part is undefined when there is none. */
export function cutFragment(fragment: Fragment, separator: string): readonly [Fragment, Fragment | undefined] {
  const at = fragment.text.indexOf(separator);
  if (at === -1) return [fragment, undefined];
  return [sliceFragment(fragment, 0, at), sliceFragment(fragment, at + separator.length)];
}

/** Collects characters from here and there in a file into one fragment. */
export class FragmentBuilder {
  readonly #file: SourceFile;
  #text = '';
  #pieces: Piece[] = [];
  #expected = -1;

  constructor(file: SourceFile) {
    this.#file = file;
  }

  get length(): number {
    return this.#text.length;
  }

  /** Appends `text`, which was written at `source` (of equal length there unless it is one decoded character). */
  append(text: string, source: number): void {
    if (text === '') return;
    if (source !== this.#expected) this.#pieces.push({ at: this.#text.length, source });
    this.#text += text;
    this.#expected = source + text.length;
  }

  appendFragment(fragment: Fragment): void {
    for (const [i, piece] of fragment.pieces.entries()) {
      this.append(fragment.text.slice(piece.at, fragment.pieces[i + 1]?.at), piece.source);
    }
  }

  /** What was collected; when nothing was, an empty fragment at `emptyAt`. */
  build(emptyAt: number): Fragment {
    const pieces = this.#pieces.length === 0 ? [{ at: 0, source: emptyAt }] : this.#pieces;
    return { file: this.#file, text: this.#text, pieces };
  }
}
