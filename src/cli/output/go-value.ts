/**
 * Values as Go's templates see them, and how Go prints them. JSON has no structs, times or durations; a shape gives them
 * back, so that `{{.OCIv1.Config.Env}}` finds the field that JSON calls `config.Env` and `{{.OCIv1}}` prints like Go.
 */

/** undefined: no such map entry; null: a nil pointer. */
export type GoValue =
  | undefined
  | null
  | boolean
  | number
  | string
  | readonly GoValue[]
  | ReadonlyMap<string, GoValue>
  | GoStruct
  | GoText;

export class GoStruct {
  readonly typeName: string;
  readonly fields: ReadonlyMap<string, GoValue>;
  readonly json: unknown;
  readonly isPointer: boolean;

  constructor(typeName: string, fields: ReadonlyMap<string, GoValue>, json: unknown, isPointer: boolean) {
    this.typeName = typeName;
    this.fields = fields;
    this.json = json;
    this.isPointer = isPointer;
  }
}

/** A value whose printed form is a text of its own: a time or a duration. */
export class GoText {
  readonly printed: string;
  readonly json: unknown;

  constructor(printed: string, json: unknown) {
    this.printed = printed;
    this.json = json;
  }
}

/** What a JSON value is in Go. A field is `GoName` or `GoName=jsonKey`. */
export type Shape =
  | 'string'
  | 'int'
  | 'bool'
  | 'time'
  | 'duration'
  | 'any'
  | { readonly list: Shape }
  | { readonly map: Shape }
  | { readonly struct: string; readonly fields: readonly (readonly [string, Shape])[]; readonly pointer?: true };

/** Gives a JSON value its Go form; absent members become Go's zero values. */
export function shaped(shape: Shape, json: unknown): GoValue {
  if (shape === 'any') return fromJson(json);
  if (shape === 'string') return typeof json === 'string' ? json : '';
  if (shape === 'int') return typeof json === 'number' ? json : 0;
  if (shape === 'bool') return json === true;
  if (shape === 'time') return goTime(typeof json === 'string' ? json : '0001-01-01T00:00:00Z');
  if (shape === 'duration') return goDuration(typeof json === 'number' ? json : 0);
  if ('list' in shape) return Array.isArray(json) ? json.map((item) => shaped(shape.list, item)) : [];
  if ('map' in shape) {
    const entries = typeof json === 'object' && json !== null ? Object.entries(json) : [];
    return new Map(entries.map(([key, value]) => [key, shaped(shape.map, value)]));
  }
  if (shape.pointer === true && (json === undefined || json === null)) return null;
  const record = (json ?? {}) as Readonly<Record<string, unknown>>;
  const fields = new Map<string, GoValue>();
  for (const [spelling, inner] of shape.fields) {
    const [name, key] = spelling.split('=', 2);
    fields.set(name!, shaped(inner, record[key ?? name!]));
  }
  return new GoStruct(shape.struct, fields, json, shape.pointer === true);
}

/** JSON as Go decodes it without a type: objects are maps. */
export function fromJson(json: unknown): GoValue {
  if (json === null || json === undefined) return undefined;
  if (Array.isArray(json)) return json.map(fromJson);
  if (typeof json === 'object') return new Map(Object.entries(json).map(([key, value]) => [key, fromJson(value)]));
  return json as boolean | number | string;
}

/** Back to JSON, as a template's `json` function writes it. */
export function toJson(value: GoValue): unknown {
  if (value === undefined || value === null) return null;
  if (value instanceof GoStruct || value instanceof GoText) return value.json;
  if (value instanceof Map) return Object.fromEntries([...sorted(value)].map(([key, v]) => [key, toJson(v)]));
  if (Array.isArray(value)) return value.map(toJson);
  return value;
}

/** The `%v` form. */
export function printed(value: GoValue, isTop = true): string {
  if (value === undefined || value === null) return '<nil>';
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (value instanceof GoText) return value.printed;
  if (value instanceof GoStruct) {
    const body = [...value.fields.values()].map((v) => printed(v, false)).join(' ');
    return `${value.isPointer && isTop ? '&' : ''}{${body}}`;
  }
  if (value instanceof Map) return `map[${[...sorted(value)].map(([k, v]) => `${k}:${printed(v, false)}`).join(' ')}]`;
  return `[${(value as readonly GoValue[]).map((v) => printed(v, false)).join(' ')}]`;
}

/** The entries of a map in Go's printing and ranging order. */
export function sorted(map: ReadonlyMap<string, GoValue>): readonly (readonly [string, GoValue])[] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/** Go's idea of an empty value, which `if`, `and` and `or` test. */
export function isTrue(value: GoValue): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === '') return false;
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Map) return value.size > 0;
  return true;
}

/** `2026-11-21T08:05:24.472182594Z` prints as `2026-11-21 08:05:24.472182594 +0000 UTC`. */
export function goTime(rfc3339: string): GoText {
  const match = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|([+-]\d\d):(\d\d))$/.exec(rfc3339);
  if (match === null) return new GoText(rfc3339, rfc3339);
  const [, date, time, fraction, zone, hours, minutes] = match;
  const digits = (fraction ?? '').replace(/0+$/, '');
  const offset = zone === 'Z' ? '+0000 UTC' : `${hours}${minutes} ${hours}${minutes}`;
  return new GoText(`${date} ${time}${digits === '' ? '' : `.${digits}`} ${offset}`, rfc3339);
}

/** Nanoseconds as Go's `time.Duration` prints them: `1h30m0s`, `1.5s`, `300ms`, `0s`. */
export function goDuration(nanoseconds: number): GoText {
  return new GoText(durationText(nanoseconds), nanoseconds);
}

function durationText(ns: number): string {
  if (ns === 0) return '0s';
  const sign = ns < 0 ? '-' : '';
  const abs = Math.abs(ns);
  if (abs < 1e3) return `${sign}${abs}ns`;
  if (abs < 1e6) return `${sign}${abs / 1e3}µs`;
  if (abs < 1e9) return `${sign}${abs / 1e6}ms`;
  const hours = Math.floor(abs / 3.6e12);
  const minutes = Math.floor((abs % 3.6e12) / 6e10);
  const seconds = (abs % 6e10) / 1e9;
  return `${sign}${hours > 0 ? `${hours}h` : ''}${hours > 0 || minutes > 0 ? `${minutes}m` : ''}${seconds}s`;
}
