/** Text of others in lines of ours: what would end the line, or speak to a terminal, is shown as an escape. */

/** Characters of UTF-8, well-formed; what is between them is not. @see RFC 3629 §4 */
const UTF8 =
  /[\x00-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}|([\x80-\xff])/g;

/** Control characters, line and paragraph separators, and those that turn the direction of what follows. */
const UNSEEN = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

const hex = (code: number, digits: number): string => code.toString(16).padStart(digits, '0');
const escaped = (c: string): string => {
  const code = c.charCodeAt(0);
  return code < 0x80 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`;
};

/** A line of text; backslashes stay, for they are common in commands. */
export function visibleLine(text: string): string {
  return text.replace(UNSEEN, escaped);
}

/** The name of a file, unambiguous: backslashes are doubled, bytes that are no UTF-8 come as `\xff`. */
export function visibleName(name: string | Buffer): string {
  const bytes = typeof name === 'string' ? Buffer.from(name) : name;
  return bytes.toString('latin1').replace(UTF8, (found, stray: string | undefined) => {
    if (stray !== undefined) return `\\x${hex(stray.charCodeAt(0), 2)}`;
    return found === '\\' ? '\\\\' : visibleLine(Buffer.from(found, 'latin1').toString('utf8'));
  });
}
