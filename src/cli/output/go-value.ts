/**
 * Values as Go's templates see them. JSON has no structs, times, durations or types; a shape gives them back, so that
 * `{{.OCIv1.Config.Env}}` finds the field that JSON calls `config.Env`.
 */
import { GoNamed, goDuration, goTime } from './go-time.ts';

/** undefined: nothing at all, as a missing entry of a map; null: a nil interface; numbers are Go's `int`. */
export type GoValue =
  | undefined
  | null
  | boolean
  | number
  | string
  | GoFloat
  | GoList
  | GoMap
  | GoStruct
  | GoNilPointer
  | GoNamed;

/** The type of values whose type is known only when they are there. */
export const ANY = 'interface {}';

/** A `float64`, which may well be whole. */
export class GoFloat {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** A slice. */
export class GoList {
  readonly elementType: string;
  readonly items: readonly GoValue[];
  readonly isNil: boolean;

  constructor(elementType: string, items: readonly GoValue[], isNil = false) {
    this.elementType = elementType;
    this.items = items;
    this.isNil = isNil;
  }
}

/** A map from strings, its entries in the order in which Go prints and ranges. */
export class GoMap {
  readonly elementType: string;
  readonly entries: ReadonlyMap<string, GoValue>;
  readonly isNil: boolean;

  constructor(elementType: string, entries: Iterable<readonly [string, GoValue]>, isNil = false) {
    this.elementType = elementType;
    this.entries = new Map([...entries].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
    this.isNil = isNil;
  }
}

/** A struct, or a pointer to one. */
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

  /** A field, perhaps of a struct that is embedded: Go names the field after the type then. */
  find(name: string): { readonly value: GoValue } | undefined {
    if (this.fields.has(name)) return { value: this.fields.get(name) };
    for (const [field, inner] of this.fields) {
      const isEmbedded = inner instanceof GoStruct && inner.typeName.endsWith(`.${field}`) && inner.json === this.json;
      const found = isEmbedded ? inner.find(name) : undefined;
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

/** A pointer to nothing. */
export class GoNilPointer {
  readonly typeName: string;

  /** @param typeName with its asterisk */
  constructor(typeName: string) {
    this.typeName = typeName;
  }
}

/**
 * What a JSON value is in Go. A field is `GoName`, `GoName=jsonKey`, or `GoName=.` for an embedded struct, whose members
 * stand in the same JSON object.
 */
export type Shape =
  | 'string'
  | 'int'
  | 'bool'
  | 'time'
  | 'duration'
  | 'any'
  | { readonly list: Shape }
  | { readonly map: Shape }
  | { readonly struct: string; readonly fields: readonly (readonly [string, Shape])[]; readonly pointer?: true }
  | { readonly pointer: string };

/** Gives a JSON value its Go form; absent members become Go's zero values. */
export function shaped(shape: Shape, json: unknown): GoValue {
  if (typeof shape === 'string') return shapedScalar(shape, json);
  if ('list' in shape) {
    const items = Array.isArray(json) ? json.map((item) => shaped(shape.list, item)) : [];
    return new GoList(typeOfShape(shape.list), items, !Array.isArray(json));
  }
  if ('map' in shape) {
    const isThere = typeof json === 'object' && json !== null;
    const entries = Object.entries(isThere ? json : {}).map(([key, value]) => [key, shaped(shape.map, value)] as const);
    return new GoMap(typeOfShape(shape.map), entries, !isThere);
  }
  if (!('struct' in shape))
    return json === undefined || json === null ? new GoNilPointer(shape.pointer) : fromJson(json);
  if (shape.pointer === true && (json === undefined || json === null)) return new GoNilPointer(`*${shape.struct}`);
  const record = (json ?? {}) as Readonly<Record<string, unknown>>;
  const fields = new Map<string, GoValue>();
  for (const [spelling, inner] of shape.fields) {
    const [name, key] = spelling.split('=', 2);
    fields.set(name!, shaped(inner, key === '.' ? json : record[key ?? name!]));
  }
  return new GoStruct(shape.struct, fields, json, shape.pointer === true);
}

function shapedScalar(shape: Extract<Shape, string>, json: unknown): GoValue {
  switch (shape) {
    case 'any':
      return fromJson(json);
    case 'string':
      return typeof json === 'string' ? json : '';
    case 'int':
      return typeof json === 'number' ? json : 0;
    case 'bool':
      return json === true;
    case 'time':
      return goTime(typeof json === 'string' ? json : '0001-01-01T00:00:00Z');
    case 'duration':
      return goDuration(typeof json === 'number' ? json : 0);
  }
}

function typeOfShape(shape: Shape): string {
  if (typeof shape === 'string') {
    return { any: ANY, time: 'time.Time', duration: 'time.Duration', string: 'string', int: 'int', bool: 'bool' }[
      shape
    ];
  }
  if ('list' in shape) return `[]${typeOfShape(shape.list)}`;
  if ('map' in shape) return `map[string]${typeOfShape(shape.map)}`;
  if (!('struct' in shape)) return shape.pointer;
  return `${shape.pointer === true ? '*' : ''}${shape.struct}`;
}

/** JSON as Go decodes it without a type; whole numbers are ints. */
export function fromJson(json: unknown): GoValue {
  if (json === null || json === undefined) return null;
  if (typeof json === 'number') return Number.isInteger(json) ? json : new GoFloat(json);
  if (Array.isArray(json)) return new GoList(ANY, json.map(fromJson));
  if (typeof json !== 'object') return json as boolean | string;
  return new GoMap(
    ANY,
    Object.entries(json).map(([key, value]) => [key, fromJson(value)]),
  );
}

/** A slice of strings. */
export function goStrings(items: readonly string[]): GoList {
  return new GoList('string', items);
}

/** Back to JSON, as a template's `json` function writes it. */
export function toJson(value: GoValue): unknown {
  if (value === undefined || value === null || value instanceof GoNilPointer) return null;
  if (value instanceof GoStruct || value instanceof GoNamed) return value.json;
  if (value instanceof GoFloat) return value.value;
  if (value instanceof GoList) return value.isNil ? null : value.items.map(toJson);
  if (!(value instanceof GoMap)) return value;
  return value.isNil ? null : Object.fromEntries([...value.entries].map(([key, inner]) => [key, toJson(inner)]));
}

/** The name of a value's type, as Go spells it. */
export function typeName(value: GoValue): string {
  if (value === undefined || value === null) return '<nil>';
  if (typeof value === 'string') return 'string';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number') return 'int';
  if (value instanceof GoFloat) return 'float64';
  if (value instanceof GoList) return `[]${value.elementType}`;
  if (value instanceof GoMap) return `map[string]${value.elementType}`;
  if (value instanceof GoStruct) return `${value.isPointer ? '*' : ''}${value.typeName}`;
  return value.typeName;
}

/** Go's idea of what is not empty, which `if`, `with`, `and`, `or` and `not` test. */
export function isTrue(value: GoValue): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === '') return false;
  if (value instanceof GoNilPointer) return false;
  if (value instanceof GoFloat) return value.value !== 0;
  if (value instanceof GoList) return value.items.length > 0;
  if (value instanceof GoMap) return value.entries.size > 0;
  if (value instanceof GoNamed) return value.integer !== 0;
  return true;
}
