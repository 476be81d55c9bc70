/** Literals of Go as templates write them: strings, characters and numbers. */

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
};

const ESCAPE = /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{3})|(.?))|[^\\]+/gs;

/** The text of a literal in double or single quotes; undefined when an escape in it is none. */
export function unquote(literal: string): string | undefined {
  const quote = literal[0]!;
  const bytes: Buffer[] = [];
  for (const [whole, hex, short, long, octal, letter] of literal.slice(1, -1).matchAll(ESCAPE)) {
    const code = short ?? long;
    if (hex !== undefined || octal !== undefined) {
      // Single bytes may make up one character together.
      const byte = hex === undefined ? Number.parseInt(octal!, 8) : Number.parseInt(hex, 16);
      if (byte > 255) return undefined;
      bytes.push(Buffer.from([byte]));
    } else if (code !== undefined) {
      const point = Number.parseInt(code, 16);
      if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return undefined;
      bytes.push(Buffer.from(String.fromCodePoint(point)));
    } else if (letter !== undefined) {
      const text = letter === quote ? quote : ESCAPES[letter];
      if (text === undefined) return undefined;
      bytes.push(Buffer.from(text));
    } else {
      bytes.push(Buffer.from(whole));
    }
  }
  return Buffer.concat(bytes).toString();
}

/** A number, its kind as Go takes it; a text when it is none: the message. */
export function parseNumber(text: string): { kind: 'int' | 'float'; value: number } | string {
  const illegal = `illegal number syntax: ${JSON.stringify(text)}`;
  if (/__|_$|_\.|\._|^[-+]?_/.test(text)) return illegal;
  const plain = text.replaceAll('_', '');
  const sign = plain.startsWith('-') ? -1 : 1;
  const body = plain.replace(/^[-+]/, '');
  const isHex = /^0[xX]/.test(body);
  if (isHex ? /[.pP]/.test(body) : /[.eE]/.test(body)) {
    const value = isHex
      ? hexFloat(body)
      : /^(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/.test(body)
        ? Number(body)
        : Number.NaN;
    return Number.isFinite(value) ? { kind: 'float', value: sign * value } : illegal;
  }
  const spelled = /^0\d+$/.test(body) ? `0o${body.slice(1)}` : body;
  const value = body === '' ? Number.NaN : Number(spelled);
  if (Number.isNaN(value)) return illegal;
  if (value >= 2 ** 63) return `integer overflow: ${JSON.stringify(text)}`;
  return { kind: 'int', value: sign * value };
}

/** `0x1.8p3` */
function hexFloat(body: string): number {
  const match = /^0[xX]([\da-fA-F]*)\.?([\da-fA-F]*)[pP]([-+]?\d+)$/.exec(body);
  if (match === null || match[1]! + match[2]! === '') return Number.NaN;
  const mantissa = Number.parseInt(`0${match[1]}${match[2]}`, 16);
  return mantissa * 2 ** (Number(match[3]) - 4 * match[2]!.length);
}
