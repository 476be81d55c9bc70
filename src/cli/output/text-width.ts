/** How many terminal cells a text takes, and cutting texts to a number of cells. */

const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f200}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
const NOTHING = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u2069\ufeff]|\p{Mn}|\p{Me}/u;
/** Makes an emoji of the character before it, which widens it in most terminals. */
const EMOJI_SELECTOR = '\ufe0f';

/** Cells of one code point; where terminals differ, the larger number. */
export function charWidth(char: string): 0 | 1 | 2 {
  if (char >= ' ' && char <= '~') return 1;
  if (char === EMOJI_SELECTOR) return 1;
  if (NOTHING.test(char)) return 0;
  return WIDE.test(char) ? 2 : 1;
}

export function displayWidth(text: string): number {
  let width = 0;
  for (const char of text) width += charWidth(char);
  return width;
}

/** The text in at most `cells` cells, an ellipsis in place of what does not fit. */
export function fitWidth(text: string, cells: number, ellipsis = '…'): string {
  if (displayWidth(text) <= cells) return text;
  const room = cells - displayWidth(ellipsis);
  if (room < 0) return '';
  let out = '';
  let width = 0;
  for (const char of text) {
    width += charWidth(char);
    if (width > room) break;
    out += char;
  }
  return out + ellipsis;
}
