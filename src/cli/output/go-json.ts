/**
 * JSON as Go's encoder writes it: four spaces of indent, and `<`, `>`, `&` and the line separators escaped unless a
 * person reads it on a terminal.
 */
export function goJson(value: unknown, forTerminal: boolean, indent = 4): string {
  const text = JSON.stringify(value, undefined, indent) ?? 'null';
  const escaped = forTerminal ? text : text.replace(/[<>&]/g, unicodeEscape);
  return escaped.replace(/[\u2028\u2029]/g, unicodeEscape);
}

function unicodeEscape(c: string): string {
  return `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
