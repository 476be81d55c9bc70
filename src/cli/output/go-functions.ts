/** The functions templates may call: Go's own, and those that podman and Docker add. */
import { goJson } from './go-json.ts';
import { goPrintf, printed } from './go-printf.ts';
import { GoNamed } from './go-time.ts';
import {
  ANY,
  GoFloat,
  GoList,
  GoMap,
  GoNilPointer,
  GoStruct,
  type GoValue,
  goStrings,
  isTrue,
  toJson,
  typeName,
} from './go-value.ts';

/** `string` and `int` take no other value; `any` takes all. */
export type Parameter = 'string' | 'int' | 'strings' | 'any';

export interface GoFunction {
  readonly takes: readonly Parameter[];
  /** What all further arguments are; absent where there are none. */
  readonly more?: Parameter;
  /** Failures are plain errors; the caller adds the place. */
  readonly call: (...args: never[]) => GoValue;
}

const any1 = (call: (value: GoValue) => GoValue): GoFunction => ({ takes: ['any'], call });
const any2 = (call: (a: GoValue, b: GoValue) => GoValue): GoFunction => ({ takes: ['any', 'any'], call });
const many = (call: (...args: GoValue[]) => GoValue): GoFunction => ({ takes: [], more: 'any', call });
const oneAndMany = (call: (first: GoValue, ...args: GoValue[]) => GoValue): GoFunction => ({
  takes: ['any'],
  more: 'any',
  call,
});
const text1 = (call: (text: string) => GoValue): GoFunction => ({ takes: ['string'], call });

/** `and` and `or` are here for their names and counts; they evaluate no more than they must and so are not called. */
export const FUNCTIONS: Readonly<Record<string, GoFunction>> = {
  and: oneAndMany((value) => value),
  or: oneAndMany((value) => value),
  not: any1((value) => !isTrue(value)),
  len: any1(lengthOf),
  index: oneAndMany((value, ...keys) => keys.reduce(indexed, value)),
  slice: oneAndMany((value, ...bounds) => sliced(value, bounds)),
  call: oneAndMany((value) => {
    throw new Error(value === null || value === undefined ? 'call of nil' : `non-function of type ${typeName(value)}`);
  }),
  print: many((...args) => print(args)),
  println: many((...args) => `${args.map(printed).join(' ')}\n`),
  printf: { takes: ['string'], more: 'any', call: (format: string, ...rest: GoValue[]) => goPrintf(format, rest) },
  html: many((...args) => print(args).replace(/[&<>"'\0]/g, (c) => HTML[c] ?? c)),
  js: many((...args) => print(args).replace(/[\\'"<>&=\x00-\x1f]/g, scriptEscape)),
  urlquery: many((...args) => encodeURIComponent(print(args)).replace(/%20|[!'()*]/g, queryEscape)),
  eq: oneAndMany(equalsAny),
  ne: any2((a, b) => !equal(a, b)),
  lt: any2((a, b) => compare(a, b) < 0),
  le: any2((a, b) => compare(a, b) <= 0),
  gt: any2((a, b) => compare(a, b) > 0),
  ge: any2((a, b) => compare(a, b) >= 0),
  json: any1((value) => goJson(toJson(value), true, 0)),
  join: { takes: ['strings', 'string'], call: (list: string[], separator: string) => list.join(separator) },
  split: { takes: ['string', 'string'], call: (text: string, by: string) => goStrings(text.split(by)) },
  lower: text1((text) => text.toLowerCase()),
  upper: text1((text) => text.toUpperCase()),
  title: text1((text) => text.replace(/(^|[^\p{L}\p{Nd}_'])\p{L}/gu, (c) => c.toUpperCase())),
  trim: text1((text) => text.trim()),
  truncate: { takes: ['string', 'int'], call: (text: string, length: number) => [...text].slice(0, length).join('') },
  pad: {
    takes: ['string', 'int', 'int'],
    call: (text: string, before: number, after: number) => ' '.repeat(before) + text + ' '.repeat(after),
  },
};

const HTML: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&#34;',
  "'": '&#39;',
  '\0': '\uFFFD',
};

function scriptEscape(c: string): string {
  return `'"\\`.includes(c) ? `\\${c}` : `\\u${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`;
}

function queryEscape(c: string): string {
  return c === '%20' ? '+' : `%${c.charCodeAt(0).toString(16).toUpperCase()}`;
}

function print(args: readonly GoValue[]): string {
  // Go puts a space between two neighbours only when neither is a string.
  return args.reduce<string>((out, arg, i) => {
    const apart = i > 0 && typeof arg !== 'string' && typeof args[i - 1] !== 'string';
    return out + (apart ? ' ' : '') + printed(arg);
  }, '');
}

function lengthOf(value: GoValue): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (value instanceof GoList) return value.items.length;
  if (value instanceof GoMap) return value.entries.size;
  if (value === undefined || value === null || value instanceof GoNilPointer) throw new Error('len of nil pointer');
  throw new Error(`len of type ${typeName(value)}`);
}

function indexed(value: GoValue, key: GoValue): GoValue {
  if (value === undefined || value === null) throw new Error('index of untyped nil');
  if (value instanceof GoNilPointer) throw new Error('index of nil pointer');
  if (value instanceof GoMap) return entryOf(value, key);
  if (value instanceof GoList) return value.items[position(key, value.items.length - 1)];
  if (typeof value === 'string') {
    const bytes = Buffer.from(value);
    return bytes[position(key, bytes.length - 1)];
  }
  throw new Error(`can't index item of type ${typeName(value)}`);
}

/** A key that is not there gives what Go calls the zero value. */
function entryOf(map: GoMap, key: GoValue): GoValue {
  if (key === undefined || key === null) throw new Error('value is nil; should be of type string');
  if (typeof key !== 'string') throw new Error(`value has type ${typeName(key)}; should be string`);
  if (map.entries.has(key)) return map.entries.get(key);
  if (map.elementType === ANY) return new GoNilPointer(ANY);
  return map.elementType === 'string' ? '' : new GoStruct(map.elementType, new Map(), {}, false);
}

function position(key: GoValue, last: number): number {
  if (key === undefined || key === null) throw new Error('cannot index slice/array with nil');
  if (typeof key !== 'number') throw new Error(`cannot index slice/array with type ${typeName(key)}`);
  if (key < 0 || key > last) throw new Error(`index out of range: ${key}`);
  return key;
}

function sliced(value: GoValue, bounds: readonly GoValue[]): GoValue {
  if (value === undefined || value === null) throw new Error('slice of untyped nil');
  if (bounds.length > 3) throw new Error(`too many slice indexes: ${bounds.length}`);
  if (typeof value !== 'string' && !(value instanceof GoList)) {
    throw new Error(`can't slice item of type ${typeName(value)}`);
  }
  if (typeof value === 'string' && bounds.length === 3) throw new Error('cannot 3-index slice a string');
  const bytes = typeof value === 'string' ? Buffer.from(value) : undefined;
  const length = bytes?.length ?? (value as GoList).items.length;
  const [from = 0, to = length, capacity = length] = bounds.map((bound) => position(bound, length));
  if (from > to) throw new Error(`invalid slice index: ${from} > ${to}`);
  if (to > capacity) throw new Error(`invalid slice index: ${to} > ${capacity}`);
  if (bytes !== undefined) return bytes.subarray(from, to).toString();
  const list = value as GoList;
  return new GoList(list.elementType, list.items.slice(from, to));
}

function equalsAny(first: GoValue, ...rest: GoValue[]): boolean {
  if (rest.length === 0) throw new Error('missing argument for comparison');
  return rest.some((other) => equal(first, other));
}

type Kind = 'int' | 'float' | 'string' | 'bool' | 'other';

function kindOf(value: GoValue): Kind {
  if (typeof value === 'number') return 'int';
  if (typeof value === 'string') return 'string';
  if (typeof value === 'boolean') return 'bool';
  if (value instanceof GoNamed && value.integer !== undefined) return 'int';
  return value instanceof GoFloat ? 'float' : 'other';
}

function plain(value: GoValue): unknown {
  if (value instanceof GoFloat) return value.value;
  return value instanceof GoNamed ? (value.integer ?? value.printed) : value;
}

const isNil = (value: GoValue): boolean => value === undefined || value === null || value instanceof GoNilPointer;

function equal(a: GoValue, b: GoValue): boolean {
  if (isNil(a) || isNil(b)) return isNil(a) && isNil(b);
  const isPlain = kindOf(a) !== 'other' || a instanceof GoNamed;
  if (kindOf(a) !== kindOf(b)) throw new Error('incompatible types for comparison');
  if (!isPlain) throw new Error(`non-comparable type ${goPrintf('%s', [a])}: ${typeName(a)}`);
  return plain(a) === plain(b);
}

function compare(a: GoValue, b: GoValue): number {
  const kind = kindOf(a);
  if (kind === 'other' || kind === 'bool') throw new Error('invalid type for comparison');
  if (kind !== kindOf(b)) throw new Error('incompatible types for comparison');
  if (kind === 'string') return Buffer.compare(Buffer.from(a as string), Buffer.from(b as string));
  return (plain(a) as number) - (plain(b) as number);
}
