/** Builder flags: the leading `--name=value` tokens of an instruction, and checking them against what it knows. */
import { BuilderError } from '../report/builder-error.ts';
import type { Span } from '../report/source-file.ts';
import { suggest } from '../report/suggestion.ts';
import type { EscapeCharacter } from './directives.ts';
import { cutFragment, type Fragment, FragmentBuilder, offsetAt, sliceFragment, spanOf } from './fragment.ts';
import { isAsciiSpace } from './white-space.ts';

/** A flag with quotes and escapes removed. */
export interface RawFlag {
  /** `--name` or `--name=value`. */
  readonly text: Fragment;
  /** Without the dashes. */
  readonly name: string;
  /** Undefined when there is no `=`. */
  readonly value: Fragment | undefined;
}

/** Takes the flags off the front of `rest`; a bare `--` ends them and is dropped. */
export function scanFlags(rest: Fragment, escapeCharacter: EscapeCharacter): { flags: RawFlag[]; rest: Fragment } {
  const flags: RawFlag[] = [];
  const { text } = rest;
  let at = 0;
  for (;;) {
    while (at < text.length && isAsciiSpace(text[at]!)) at += 1;
    if (!text.startsWith('--', at)) return { flags, rest: sliceFragment(rest, at) };
    const token = scanToken(rest, at, escapeCharacter);
    at = token.end;
    if (token.word.text === '--') return { flags, rest: sliceFragment(rest, at) };
    const [head, value] = cutFragment(token.word, '=');
    flags.push({ text: token.word, name: head.text.slice(2), value });
  }
}

function scanToken(rest: Fragment, start: number, escapeCharacter: EscapeCharacter): { word: Fragment; end: number } {
  const word = new FragmentBuilder(rest.file);
  const { text } = rest;
  let quote = '';
  let at = start;
  for (; at < text.length; at++) {
    const character = text[at]!;
    if (quote === '' && isAsciiSpace(character)) break;
    if (quote === '' ? character === '"' || character === "'" : character === quote) {
      quote = quote === '' ? character : '';
    } else if (character === escapeCharacter) {
      at += 1;
      if (at < text.length) word.append(text[at]!, offsetAt(rest, at));
    } else {
      word.append(character, offsetAt(rest, at));
    }
  }
  return { word: word.build(offsetAt(rest, start)), end: Math.min(at, text.length) };
}

export type FlagKind = 'boolean' | 'string' | 'list';
export type FlagTable = Readonly<Record<string, FlagKind>>;

/** The values of flags that passed the table. */
export class Flags {
  readonly #values = new Map<string, RawFlag[]>();

  /** @throws BuilderError `dockerfile.unknown-flag`, or `dockerfile.syntax` for a doubled flag or a bad value */
  constructor(flags: readonly RawFlag[], table: FlagTable, instruction: string) {
    for (const flag of flags) {
      const kind = Object.hasOwn(table, flag.name) ? table[flag.name] : undefined;
      if (kind === undefined) throw unknownFlag(flag, table, instruction);
      const earlier = this.#values.get(flag.name);
      if (earlier !== undefined && kind !== 'list') throw bad(flag, `flag --${flag.name} is given twice`);
      checkValue(flag, kind);
      if (earlier === undefined) this.#values.set(flag.name, [flag]);
      else earlier.push(flag);
    }
  }

  /** The value of a string flag. */
  text(name: string): Fragment | undefined {
    return this.#values.get(name)?.[0]?.value;
  }

  /** The values of a list flag, in order. */
  list(name: string): Fragment[] {
    return (this.#values.get(name) ?? []).map((flag) => flag.value!);
  }

  /** The value of a boolean flag; undefined when it is not given. */
  boolean(name: string): boolean | undefined {
    const flag = this.#values.get(name)?.[0];
    return flag === undefined ? undefined : flag.value?.text.toLowerCase() !== 'false';
  }

  span(name: string): Span | undefined {
    const flag = this.#values.get(name)?.[0];
    return flag === undefined ? undefined : spanOf(flag.text);
  }
}

function checkValue(flag: RawFlag, kind: FlagKind): void {
  const value = flag.value?.text;
  if (kind !== 'boolean') {
    if (value === undefined) throw bad(flag, `flag --${flag.name} needs a value`, `write --${flag.name}=…`);
  } else if (value === '') {
    throw bad(flag, `flag --${flag.name} has an empty value`);
  } else if (value !== undefined && !/^(true|false)$/i.test(value)) {
    throw bad(flag, `flag --${flag.name} is true or false, not ${JSON.stringify(value)}`);
  }
}

function bad(flag: RawFlag, message: string, hint?: string): BuilderError {
  return new BuilderError('dockerfile.syntax', message, {
    span: spanOf(flag.text),
    ...(hint === undefined ? {} : { hint }),
  });
}

function unknownFlag(flag: RawFlag, table: FlagTable, instruction: string): BuilderError {
  const near = suggest(flag.name, Object.keys(table));
  return new BuilderError('dockerfile.unknown-flag', `${instruction} has no flag --${flag.name}`, {
    span: spanOf(flag.text, 0, flag.name.length + 2),
    ...(near === undefined ? {} : { hint: `did you mean --${near}?` }),
  });
}
