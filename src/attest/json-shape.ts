/** Reading JSON and TOML of which nothing is promised: what has another shape than expected is absent, not an error. */

export type Loose = Readonly<Record<string, unknown>>;

export function asObject(value: unknown): Loose | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Loose) : undefined;
}

export function asArray(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A string that is not empty. */
export function asText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** The own members of an object, whatever their names; none for anything else. */
export function entriesOf(value: unknown): [string, unknown][] {
  const object = asObject(value);
  return object === undefined ? [] : Object.entries(object);
}

/** An own member; `__proto__` and its like are members as any other. */
export function member(value: unknown, name: string): unknown {
  const object = asObject(value);
  return object !== undefined && Object.hasOwn(object, name) ? object[name] : undefined;
}

/** @throws SyntaxError; Error when the document is no object */
export function parseJsonObject(text: string): Loose {
  const object = asObject(JSON.parse(text));
  if (object === undefined) throw new Error('it is not a JSON object');
  return object;
}
