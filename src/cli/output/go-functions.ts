/** The functions templates may call: Go's own, and those that podman and Docker add. */
import { goJson } from './go-json.ts';
import { goPrintf } from './go-printf.ts';
import { GoStruct, GoText, type GoValue, isTrue, printed, toJson } from './go-value.ts';

/** Failures are plain errors; the caller adds the place. */
export type GoFunction = (args: readonly GoValue[]) => GoValue;

/** `and` and `or` are not here: they do not evaluate all their arguments. */
export const FUNCTIONS: Readonly<Record<string, GoFunction>> = {
  not: ([value]) => !isTrue(value),
  len: ([value]) => lengthOf(value),
  index: ([value, ...keys]) => keys.reduce(indexed, value),
  slice: ([value, ...bounds]) => sliced(value, bounds),
  print: (args) => print(args),
  println: (args) => `${args.map((arg) => printed(arg)).join(' ')}\n`,
  printf: ([format, ...rest]) => goPrintf(text(format), rest),
  html: (args) => print(args).replace(/[&<>"'\0]/g, (c) => HTML[c] ?? c),
  urlquery: (args) => encodeURIComponent(print(args)).replace(/%20/g, '+'),
  eq: ([first, ...rest]) => rest.some((other) => equal(first, other)),
  ne: ([a, b]) => !equal(a, b),
  lt: ([a, b]) => compare(a, b) < 0,
  le: ([a, b]) => compare(a, b) <= 0,
  gt: ([a, b]) => compare(a, b) > 0,
  ge: ([a, b]) => compare(a, b) >= 0,
  json: ([value]) => goJson(toJson(value), true, 0),
  join: ([a, b]) => (Array.isArray(a) ? join(a, b) : join(b, a)),
  split: ([value, separator]) => text(value).split(text(separator)),
  lower: ([value]) => text(value).toLowerCase(),
  upper: ([value]) => text(value).toUpperCase(),
  title: ([value]) => text(value).replace(/(^|\s)\S/g, (c) => c.toUpperCase()),
  trim: ([value]) => text(value).trim(),
  truncate: ([value, length]) => [...text(value)].slice(0, Number(length)).join(''),
};

const HTML: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&#34;',
  "'": '&#39;',
  '\0': '\uFFFD',
};

function text(value: GoValue): string {
  if (typeof value !== 'string') throw new Error(`wrong type for value; expected string; got ${printed(value)}`);
  return value;
}

function print(args: readonly GoValue[]): string {
  // Go puts a space between two neighbours only when neither is a string.
  return args.reduce<string>((out, arg, i) => {
    const apart = i > 0 && typeof arg !== 'string' && typeof args[i - 1] !== 'string';
    return out + (apart ? ' ' : '') + printed(arg);
  }, '');
}

function join(list: GoValue, separator: GoValue): string {
  if (!Array.isArray(list)) throw new Error('join of a value that is no list');
  return list.map((item: GoValue) => printed(item)).join(text(separator));
}

function lengthOf(value: GoValue): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (Array.isArray(value)) return value.length;
  if (value instanceof Map) return value.size;
  throw new Error(value === undefined ? 'len of nil pointer' : 'len of a value that has none');
}

function indexed(value: GoValue, key: GoValue): GoValue {
  if (value === undefined || value === null) throw new Error('index of untyped nil');
  if (value instanceof Map) return value.has(printed(key)) ? value.get(printed(key)) : '';
  if (Array.isArray(value)) {
    const at = Number(key);
    if (!Number.isInteger(at) || at < 0 || at >= value.length) throw new Error(`index out of range: ${printed(key)}`);
    return value[at];
  }
  if (typeof value === 'string') return Buffer.from(value)[Number(key)] ?? 0;
  throw new Error("can't index item of this type");
}

function sliced(value: GoValue, bounds: readonly GoValue[]): GoValue {
  const [from = 0, to] = bounds.map(Number);
  if (typeof value !== 'string' && !Array.isArray(value)) throw new Error("can't slice item of this type");
  if (from < 0 || from > value.length || (to !== undefined && (to < from || to > value.length))) {
    throw new Error(`index out of range: ${to ?? from}`);
  }
  return value.slice(from, to);
}

function equal(a: GoValue, b: GoValue): boolean {
  if (a === undefined || a === null || b === undefined || b === null) return (a ?? null) === (b ?? null);
  if (a instanceof GoText && b instanceof GoText) return a.printed === b.printed;
  if (typeof a !== typeof b || typeof a === 'object') {
    throw new Error(
      a instanceof GoStruct || typeof a === 'object' ? 'non-comparable type' : 'incompatible types for comparison',
    );
  }
  return a === b;
}

function compare(a: GoValue, b: GoValue): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : a > b ? 1 : 0;
  throw new Error('incompatible types for comparison');
}
