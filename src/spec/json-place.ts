/** Where a value stands in a JSON text: what `JSON.parse` forgets and a person who has to mend the file needs. */

/** Keys and positions from the outermost value inwards. */
export type JsonPath = readonly (string | number)[];

/** Offsets into the text, in UTF-16 units; `end` is exclusive. */
export interface JsonPlace {
  readonly start: number;
  readonly end: number;
}

interface Member {
  /** Of the key in an object, of the element in an array. */
  readonly start: number;
  readonly value: number;
}

/**
 * Finds the member a path leads to: in an object its key, in an array the element. Where the path leads to nothing, the
 * last value on the way that exists. The place ends with its line at the latest.
 * @param text valid JSON
 */
export function placeInJson(text: string, path: JsonPath): JsonPlace {
  let member: Member = { start: afterSpace(text, 0), value: afterSpace(text, 0) };
  for (const step of path) {
    const next = memberOf(text, member.value, step);
    if (next === undefined) break;
    member = next;
  }
  const end = endOfValue(text, member.start);
  const line = text.indexOf('\n', member.start);
  return { start: member.start, end: line === -1 ? end : Math.min(end, line) };
}

/** A path as people write it: `transports.docker["quay.io/x"][0].type`. */
export function formatJsonPath(path: JsonPath): string {
  const text = path
    .map((step) =>
      typeof step === 'number'
        ? `[${step}]`
        : /^[A-Za-z_][\w-]*$/.test(step)
          ? `.${step}`
          : `[${JSON.stringify(step)}]`,
    )
    .join('');
  return text.startsWith('.') ? text.slice(1) : text;
}

function memberOf(text: string, container: number, step: string | number): Member | undefined {
  const isObject = text[container] === '{';
  if (isObject !== (typeof step === 'string')) return undefined;
  let at = afterSpace(text, container + 1);
  for (let index = 0; at < text.length && text[at] !== '}' && text[at] !== ']'; index++) {
    const start = at;
    if (isObject) at = afterSpace(text, afterSpace(text, endOfString(text, at)) + 1);
    const value = at;
    const name = isObject ? (JSON.parse(text.slice(start, endOfString(text, start))) as string) : index;
    if (name === step) return { start, value };
    at = afterSpace(text, endOfValue(text, value));
    if (text[at] === ',') at = afterSpace(text, at + 1);
  }
  return undefined;
}

function afterSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && ' \t\r\n'.includes(text[at]!)) at += 1;
  return at;
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

function endOfValue(text: string, start: number): number {
  let depth = 0;
  let at = start;
  do {
    const character = text[at];
    if (character === '"') {
      at = endOfString(text, at);
    } else if (character === '{' || character === '[') {
      depth += 1;
      at += 1;
    } else if (character === '}' || character === ']') {
      depth -= 1;
      at += 1;
    } else if (depth > 0) {
      at += 1;
    } else {
      while (at < text.length && !' \t\r\n,]}'.includes(text[at]!)) at += 1;
    }
  } while (depth > 0 && at < text.length);
  return at;
}
