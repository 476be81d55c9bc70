/**
 * Where flags end and what belongs to which: the grammar of Go's pflag, which Buildah's scripts rely on. A value flag
 * always takes the next word, even one that begins with a dash; a bool never does; `-fvalue`, `-f=value` and `-qf value`
 * are the same flag. The words come out in one canonical spelling for the parser proper, which guesses otherwise.
 */
import type { Option } from './option.ts';
import { UsageError } from './usage-error.ts';

export interface FlagWord {
  readonly option: Option;
  readonly value: string;
  /** As typed, for messages: `--file`, or `-f, --file`. */
  readonly spelling: string;
}

export interface SplitWords {
  readonly flags: readonly FlagWord[];
  readonly positionals: readonly string[];
  /** Number of positionals before a `--` that ended the flags; undefined when there was none. */
  readonly dashAt: number | undefined;
}

/** Finds options by long name, alias or letter. The first of two with the same name wins. */
export class OptionIndex {
  readonly options: readonly Option[];
  readonly #long = new Map<string, Option>();
  readonly #short = new Map<string, Option>();

  constructor(options: readonly Option[]) {
    this.options = options;
    for (const option of options) {
      for (const name of [option.name, ...option.aliases]) if (!this.#long.has(name)) this.#long.set(name, option);
      if (option.short !== undefined && !this.#short.has(option.short)) this.#short.set(option.short, option);
    }
  }

  long(name: string): Option | undefined {
    return this.#long.get(name);
  }

  short(letter: string): Option | undefined {
    return this.#short.get(letter);
  }

  names(): readonly string[] {
    return this.options.filter((option) => !option.hidden).map((option) => `--${option.name}`);
  }
}

/**
 * Splits the words of one command.
 * @param interspersed whether flags may follow positionals; otherwise the first positional ends the flags
 * @throws UsageError for unknown flags and missing values
 */
export function splitWords(argv: readonly string[], index: OptionIndex, interspersed: boolean): SplitWords {
  const flags: FlagWord[] = [];
  const positionals: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!;
    if (word === '--') {
      const dashAt = positionals.length;
      return { flags, positionals: [...positionals, ...argv.slice(i + 1)], dashAt };
    }
    if (word === '-' || !word.startsWith('-')) {
      if (!interspersed) return { flags, positionals: argv.slice(i), dashAt: undefined };
      positionals.push(word);
      continue;
    }
    const next = argv[i + 1];
    const tookNext = word.startsWith('--') ? longFlag(word, next, index, flags) : shortFlags(word, next, index, flags);
    if (tookNext) i += 1;
  }
  return { flags, positionals, dashAt: undefined };
}

function longFlag(word: string, next: string | undefined, index: OptionIndex, into: FlagWord[]): boolean {
  const equals = word.indexOf('=');
  const name = equals === -1 ? word.slice(2) : word.slice(2, equals);
  const option = index.long(name);
  if (option === undefined) throw unknownFlag(name, index);
  const spelling = `--${option.name}`;
  if (equals !== -1) {
    into.push({ option, value: word.slice(equals + 1), spelling });
    return false;
  }
  const alone = aloneValue(option);
  if (alone !== undefined) {
    into.push({ option, value: alone, spelling });
    return false;
  }
  if (next === undefined) throw new UsageError(`flag needs an argument: --${name}`);
  into.push({ option, value: next, spelling });
  return true;
}

function shortFlags(word: string, next: string | undefined, index: OptionIndex, into: FlagWord[]): boolean {
  for (let i = 1; i < word.length; i++) {
    const letter = word[i]!;
    const option = index.short(letter);
    if (option === undefined) throw unknownLetter(letter, word, index);
    const spelling = `-${letter}, --${option.name}`;
    if (word[i + 1] === '=' && i + 2 <= word.length) {
      into.push({ option, value: word.slice(i + 2), spelling });
      return false;
    }
    const alone = aloneValue(option);
    if (alone !== undefined) {
      into.push({ option, value: alone, spelling });
      continue;
    }
    if (i + 1 < word.length) {
      into.push({ option, value: word.slice(i + 1), spelling });
      return false;
    }
    if (next === undefined) throw new UsageError(`flag needs an argument: '${letter}' in ${word}`);
    into.push({ option, value: next, spelling });
    return true;
  }
  return false;
}

/** The value a flag has when it stands alone; undefined when it needs the next word. */
function aloneValue(option: Option): string | undefined {
  return option.bare ?? (option.type === 'bool' ? 'true' : undefined);
}

function unknownFlag(name: string, index: OptionIndex): UsageError {
  return new UsageError(`unknown flag: --${name}`, {
    near: { word: name, candidates: index.names().map((n) => n.slice(2)), prefix: '--' },
  });
}

function unknownLetter(letter: string, word: string, index: OptionIndex): UsageError {
  // `-format` is the long flag with one dash too few far more often than six letters.
  const long = index.long(word.slice(1).split('=')[0]!);
  return new UsageError(`unknown shorthand flag: '${letter}' in ${word}`, {
    ...(long === undefined ? {} : { hint: `did you mean \`--${long.name}\`?` }),
  });
}
