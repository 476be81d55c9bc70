/** Go's `printf` verbs, as far as templates use them. */
import { GoStruct, GoText, type GoValue, printed } from './go-value.ts';

/** Formats like `fmt.Sprintf`, its complaints (`%!d(string=x)`, `%!s(MISSING)`) included. */
export function goPrintf(format: string, args: readonly GoValue[]): string {
  let next = 0;
  const out = format.replace(
    /%([-+# 0]*)(\d+)?(?:\.(\d+))?(.)/gsu,
    (_, flags: string, width, precision, verb: string) => {
      if (verb === '%') return '%';
      if (next >= args.length) return `%!${verb}(MISSING)`;
      const text = formatVerb(verb, args[next++], flags, precision === undefined ? undefined : Number(precision));
      return pad(text, flags, width === undefined ? 0 : Number(width));
    },
  );
  const extra = args.slice(next).map((value) => `${typeName(value)}=${printed(value)}`);
  return extra.length === 0 ? out : `${out}%!(EXTRA ${extra.join(', ')})`;
}

function formatVerb(verb: string, value: GoValue, flags: string, precision: number | undefined): string {
  if (Array.isArray(value)) return `[${value.map((item) => formatVerb(verb, item, flags, precision)).join(' ')}]`;
  switch (verb) {
    case 'v':
      return flags.includes('#') ? sharp(value) : printed(value);
    case 's':
      if (typeof value === 'string') return precision === undefined ? value : [...value].slice(0, precision).join('');
      if (typeof value === 'number' || typeof value === 'boolean') return wrong(verb, value);
      return value === undefined || value === null ? '%!s(<nil>)' : printed(value);
    case 'q':
      return typeof value === 'string' || value instanceof GoText ? goQuote(printed(value)) : wrong(verb, value);
    case 'd':
      return typeof value === 'number' ? Math.trunc(value).toString() : wrong(verb, value);
    case 't':
      return typeof value === 'boolean' ? String(value) : wrong(verb, value);
    case 'x':
    case 'X': {
      const hex =
        typeof value === 'number'
          ? Math.trunc(value).toString(16)
          : typeof value === 'string'
            ? Buffer.from(value).toString('hex')
            : undefined;
      if (hex === undefined) return wrong(verb, value);
      return verb === 'X' ? hex.toUpperCase() : hex;
    }
    case 'o':
      return typeof value === 'number' ? Math.trunc(value).toString(8) : wrong(verb, value);
    case 'f':
      return typeof value === 'number' ? value.toFixed(precision ?? 6) : wrong(verb, value);
    case 'T':
      return typeName(value);
    default:
      return wrong(verb, value);
  }
}

function pad(text: string, flags: string, width: number): string {
  const missing = width - [...text].length;
  if (missing <= 0) return text;
  if (flags.includes('-')) return text + ' '.repeat(missing);
  return (flags.includes('0') && /^[+-]?\d/.test(text) ? '0' : ' ').repeat(missing) + text;
}

function wrong(verb: string, value: GoValue): string {
  if (value === undefined || value === null) return `%!${verb}(<nil>)`;
  return `%!${verb}(${typeName(value)}=${printed(value)})`;
}

function sharp(value: GoValue): string {
  return typeof value === 'string' ? goQuote(value) : printed(value);
}

function typeName(value: GoValue): string {
  if (value === undefined || value === null) return '<nil>';
  if (typeof value === 'string') return 'string';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float64';
  if (value instanceof GoStruct) return `${value.isPointer ? '*' : ''}${value.typeName}`;
  if (value instanceof GoText) return 'time.Time';
  return value instanceof Map ? 'map[string]interface {}' : '[]string';
}

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\v': '\\v',
};

/** A Go string literal. */
export function goQuote(text: string): string {
  const body = text.replace(
    /["\\\x00-\x1f\x7f]/g,
    (c) => ESCAPES[c] ?? `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
  return `"${body}"`;
}
