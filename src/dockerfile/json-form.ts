/**
 * The exec form: a JSON array of strings. Text that is not JSON to its very end is no exec form at all (the caller then
 * takes it as shell text or words); JSON that holds anything but strings is an error.
 */
import { BuilderError } from '../report/builder-error.ts';
import { type Fragment, FragmentBuilder, offsetAt, spanOf } from './fragment.ts';
import { leadingSpace } from './white-space.ts';

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

/**
 * The strings of a JSON array with their places (between the quotes), or undefined when `rest` is not one.
 * @throws BuilderError `dockerfile.syntax` for an array that holds something else than strings
 */
export function jsonStrings(rest: Fragment): Fragment[] | undefined {
  const start = leadingSpace(rest.text);
  if (rest.text[start] !== '[') return undefined;
  const values = parseArray(rest.text.slice(start));
  if (values === undefined) return undefined;
  if (!values.every((value) => typeof value === 'string')) {
    throw new BuilderError('dockerfile.syntax', 'the JSON array form takes strings only', {
      span: spanOf(rest, start),
      hint: 'put quotes around every element',
    });
  }
  return scanStrings(rest, start);
}

function parseArray(text: string): readonly unknown[] | undefined {
  let representable = true;
  try {
    const value: unknown = JSON.parse(text, (_key, member: unknown) => {
      // A number beyond a double is an error to BuildKit's reader, which then takes the text for shell text.
      if (typeof member === 'number' && !Number.isFinite(member)) representable = false;
      return member;
    });
    return representable && Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The text is known to be an array of valid strings, so everything between quotes is a string. */
function scanStrings(rest: Fragment, start: number): Fragment[] {
  const strings: Fragment[] = [];
  for (let i = start; i < rest.text.length; i++) {
    if (rest.text[i] !== '"') continue;
    const builder = new FragmentBuilder(rest.file);
    const first = i + 1;
    for (i = first; rest.text[i] !== '"'; ) {
      const length = rest.text[i] === '\\' ? (rest.text[i + 1] === 'u' ? 6 : 2) : 1;
      builder.append(decode(rest.text.slice(i, i + length)), offsetAt(rest, i));
      i += length;
    }
    const built = builder.build(offsetAt(rest, first));
    // Go's reader cannot hold half a surrogate pair either.
    strings.push({
      ...built,
      text: built.text.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '\ufffd'),
    });
  }
  return strings;
}

function decode(token: string): string {
  if (token[0] !== '\\') return token;
  if (token[1] === 'u') return String.fromCharCode(Number.parseInt(token.slice(2), 16));
  return SIMPLE_ESCAPES[token[1]!] ?? token[1]!;
}
