/** Configuration files in TOML, read with types: every complaint names file, line and key. */
import { parse, TomlError } from 'smol-toml';
import { BuilderError } from '../report/builder-error.ts';

type Table = Readonly<Record<string, unknown>>;

/** What the complaints of one file share. */
interface Source {
  readonly text: string;
  readonly file: string;
  readonly what: string;
}

/**
 * @param what the file is, for messages: `registry configuration`
 * @throws `usage.invalid` with file and line for what is not TOML
 */
export function readToml(text: string, file: string, what: string): TomlTable {
  try {
    return new TomlTable({ text, file, what }, [], parse(text));
  } catch (cause) {
    const [line, why] =
      cause instanceof TomlError ? [cause.line, cause.message.split('\n')[0]!] : [1, 'it is not TOML'];
    throw new BuilderError('usage.invalid', `the ${what} ${file}:${line} cannot be used: ${why}`, { cause });
  }
}

export interface StringList {
  readonly strings: readonly string[];
  /** Whether it continues the list of an earlier file; undefined where it does not say. */
  readonly append: boolean | undefined;
}

/** One table of a file. */
export class TomlTable {
  readonly #source: Source;
  /** Names, and numbers for the elements of `[[…]]`. */
  readonly #path: readonly (string | number)[];
  readonly #table: Table;

  constructor(source: Source, path: readonly (string | number)[], table: Table) {
    this.#source = source;
    this.#path = path;
    this.#table = table;
  }

  /** @throws `usage.invalid`, always */
  fail(key: string, why: string): never {
    const { text, file, what } = this.#source;
    const path = [...this.#path, key];
    const named = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`)).join('');
    const line = lineOf(text, path);
    const place = line === undefined ? file : `${file}:${line}`;
    throw new BuilderError('usage.invalid', `the ${what} ${place} cannot be used: key ${named.slice(1)}: ${why}`);
  }

  has(key: string): boolean {
    return this.#table[key] !== undefined;
  }

  isString(key: string): boolean {
    return typeof this.#table[key] === 'string';
  }

  keys(): string[] {
    return Object.keys(this.#table);
  }

  string(key: string): string | undefined {
    const value = this.#table[key];
    if (value === undefined || typeof value === 'string') return value;
    return this.fail(key, 'expected a string');
  }

  boolean(key: string): boolean | undefined {
    const value = this.#table[key];
    if (value === undefined || typeof value === 'boolean') return value;
    return this.fail(key, 'expected true or false');
  }

  /** A whole number that is not negative. */
  count(key: string): number | undefined {
    const value = this.#table[key];
    if (value === undefined) return undefined;
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
    return this.fail(key, 'expected a whole number');
  }

  strings(key: string): readonly string[] | undefined {
    const value = this.#table[key];
    if (value === undefined) return undefined;
    if (Array.isArray(value) && value.every((element) => typeof element === 'string')) return value;
    return this.fail(key, 'expected a list of strings');
  }

  /**
   * A list of strings among which `{append = true}` may stand: it then continues the list of an earlier file.
   * @see containers.conf(5), "Appending to string arrays"
   */
  stringList(key: string): StringList | undefined {
    const value = this.#table[key];
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) return this.fail(key, 'expected a list of strings');
    const strings = value.filter((element) => typeof element === 'string');
    const others = value.filter((element) => typeof element !== 'string');
    const appends = others.map((element: unknown) =>
      isTable(element) && Object.keys(element).length === 1 && typeof element['append'] === 'boolean'
        ? element['append']
        : this.fail(key, 'expected a list of strings, with {append = true} among them at most'),
    );
    return { strings, append: appends.at(-1) };
  }

  oneOf<T extends string>(key: string, allowed: readonly T[]): T | undefined {
    const value = this.string(key);
    if (value === undefined || value === '') return undefined;
    return allowed.find((word) => word === value) ?? this.fail(key, `expected one of ${allowed.join(', ')}`);
  }

  /** The table of a section; empty when there is none. */
  table(key: string): TomlTable {
    const value = this.#table[key] ?? {};
    if (!isTable(value)) return this.fail(key, 'expected a table');
    return new TomlTable(this.#source, [...this.#path, key], value);
  }

  /** The tables of `[[key]]`. */
  tables(key: string): readonly TomlTable[] {
    const value = this.#table[key] ?? [];
    if (!Array.isArray(value)) return this.fail(key, `expected [[${key}]]`);
    return value.map((element: unknown, i) => {
      if (!isTable(element)) return this.fail(key, `expected [[${key}]]`);
      return new TomlTable(this.#source, [...this.#path, key, i], element);
    });
  }
}

function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

type Path = readonly (string | number)[];

/**
 * Line of a key's definition, from 1, or else of the section that lacks it; undefined when both are written in a way
 * this does not follow (dotted, inline). The parser keeps no places, and a file that is wrong is worth a second look at
 * its text.
 */
function lineOf(text: string, path: Path): number | undefined {
  const key = path.at(-1);
  const section = path.slice(0, -1);
  const counts = new Map<string, number>();
  let here: Path = [];
  let sectionLine: number | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    const header = /^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$/.exec(line);
    if (header !== null) {
      here = placeOf(header[2]!, header[1] === '[[', counts);
      if (isSame(here.slice(0, path.length), path)) return index + 1;
      if (section.length > 0 && isSame(here, section)) sectionLine = index + 1;
      continue;
    }
    const assigned = /^\s*(?:"([^"]*)"|'([^']*)'|([\w-]+))\s*=/.exec(line);
    if (assigned !== null && (assigned[1] ?? assigned[2] ?? assigned[3]) === key && isSame(here, section)) {
      return index + 1;
    }
  }
  return sectionLine;
}

function isSame(a: Path, b: Path): boolean {
  return a.length === b.length && a.every((part, i) => part === b[i]);
}

/** The path a header stands for: names with the number of the latest element of each list among them. */
function placeOf(name: string, isElement: boolean, counts: Map<string, number>): Path {
  const names = name.split('.').map((part) => part.trim().replace(/^["']|["']$/g, ''));
  const path: (string | number)[] = [];
  for (const [depth, part] of names.entries()) {
    path.push(part);
    const list = path.join('\0');
    if (isElement && depth === names.length - 1) counts.set(list, (counts.get(list) ?? -1) + 1);
    const number = counts.get(list);
    if (number !== undefined) path.push(number);
  }
  return path;
}
