/** White space as Dockerfiles count it: two different sets, one for trimming and one for splitting. */

const UNICODE_SPACE = /[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;
const LEADING = new RegExp(`^${UNICODE_SPACE.source}+`);

/** Between a keyword and its arguments and between plain words; a no-break space does not separate. */
export const BLANKS = /[\t\v\f\r ]+/g;

/** Whether the character is white space by Unicode's White_Space property (what ends a quoted-aware word). */
export function isSpace(character: string): boolean {
  return UNICODE_SPACE.test(character);
}

/** Whether the character is one of the six ASCII blanks (what ends a builder flag). */
export function isAsciiSpace(character: string): boolean {
  return ' \t\n\v\f\r'.includes(character);
}

/** How many white-space characters `text` starts with. */
export function leadingSpace(text: string): number {
  return LEADING.exec(text)?.[0].length ?? 0;
}

/** Length of `text` without the white space at its end. */
export function trimmedLength(text: string): number {
  // Backwards: an expression anchored at the end is tried at every blank, which takes minutes on a long run of them.
  let end = text.length;
  while (end > 0 && isSpace(text[end - 1]!)) end -= 1;
  return end;
}

/** `text` without the carriage returns at its end. */
export function withoutCarriageReturns(text: string): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === '\r') end -= 1;
  return text.slice(0, end);
}

/** `text` without white space at either end. */
export function trimSpace(text: string): string {
  const end = trimmedLength(text);
  const start = leadingSpace(text);
  return start >= end ? '' : text.slice(start, end);
}
