/**
 * From words to typed flags. The grammar of the words is ours (`flag-words.ts`); collecting them under their names,
 * repetition and typing is yargs' parser, told to guess nothing.
 */
import type { Command } from './command.ts';
import { type FlagWord, OptionIndex, splitWords } from './flag-words.ts';
import { Flags, type FlagValue } from './flags.ts';
import type { Option } from './option.ts';
import { UsageError, unsupportedFlag } from './usage-error.ts';

export interface ParsedCommand {
  readonly flags: Flags;
  readonly args: readonly string[];
  readonly dashAt: number | undefined;
  /** `-h` or `--help` was among the flags; nothing else has been checked then. */
  readonly help: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * @param globals options every command has; a command's own option of the same name wins
 * @param before flags that stood before the command's name
 * @throws UsageError `usage.invalid`, or `usage.unsupported` naming the flag
 */
export async function parseCommand(
  command: Command,
  argv: readonly string[],
  globals: readonly Option[],
  env: Environment,
  before: readonly FlagWord[] = [],
): Promise<ParsedCommand> {
  const index = new OptionIndex([...command.options, ...globals]);
  const split = splitWords(argv, index, command.interspersed);
  const words = [...before.filter((word) => index.long(word.option.name) === word.option), ...split.flags];
  if (words.some((word) => word.option.name === 'help')) {
    return { flags: new Flags(index, new Map(), new Set()), args: [], dashAt: undefined, help: true };
  }
  refuseUnsupported(words, command);
  checkPositionals(command, split.positionals, split.dashAt);
  const values = await collect(words, index);
  const given = new Set(values.keys());
  fromEnvironment(values, index, env);
  return { flags: new Flags(index, values, given), args: split.positionals, dashAt: split.dashAt, help: false };
}

function refuseUnsupported(words: readonly FlagWord[], command: Command): void {
  for (const { option, value } of words) {
    if (option.unsupported === undefined) continue;
    if (option.unsupported !== true && option.unsupported.includes(value)) continue;
    const only =
      option.unsupported === true
        ? option.why
        : `only ${option.unsupported.map((v) => `"${v}"`).join(', ')} can be had`;
    throw unsupportedFlag(`--${option.name}`, command.name, only);
  }
}

/** Buildah's rules and sentences: misplaced flags first, then the counts. */
function checkPositionals(command: Command, args: readonly string[], dashAt: number | undefined): void {
  const { min, max, few, many, dashes } = command.positionals;
  if (dashes === 'refuse' && dashAt === undefined) {
    const misplaced = args.slice(1).find((word) => word.length > 1 && word.startsWith('-'));
    if (misplaced !== undefined) {
      throw new UsageError(`no options (${misplaced}) can be specified after the image or container name`, {
        hint: `put the flags first: \`slipway ${command.name} [flags] ${command.usage}\``,
      });
    }
  }
  if (args.length < min) {
    throw new UsageError(few ?? `requires at least ${min} arg(s), only received ${args.length}`);
  }
  if (args.length > max) {
    throw new UsageError(many ?? `accepts at most ${max} arg(s), received ${args.length}`);
  }
}

async function collect(words: readonly FlagWord[], index: OptionIndex): Promise<Map<string, FlagValue>> {
  if (words.length === 0) return new Map();
  const { Parser } = await import('./yargs-parser.ts');
  const used = new Set(words.map((word) => word.option));
  const names = [...used].map((option) => option.name);
  const parsed = Parser.detailed(canonical(words), {
    string: names,
    narg: Object.fromEntries(names.map((name) => [name, 1])),
    configuration: {
      'camel-case-expansion': false,
      'dot-notation': false,
      'boolean-negation': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'short-option-groups': false,
      'duplicate-arguments-array': true,
      'nargs-eats-options': true,
    },
  });
  if (parsed.error !== null) throw new UsageError(parsed.error.message);
  const values = new Map<string, FlagValue>();
  for (const option of used) {
    const raw = parsed.argv[option.name] as string | string[];
    const spelling = words.findLast((word) => word.option === option)!.spelling;
    values.set(option.name, typed(index.long(option.name)!, Array.isArray(raw) ? raw : [raw], spelling));
  }
  return values;
}

/** `--name value`, two words: the parser would strip quotes from `--name="value"`. */
function canonical(words: readonly FlagWord[]): string[] {
  return words.flatMap((word) => [`--${word.option.name}`, word.value]);
}

function fromEnvironment(values: Map<string, FlagValue>, index: OptionIndex, env: Environment): void {
  for (const option of index.options) {
    const value = option.env === undefined ? undefined : env[option.env];
    if (value === undefined || value === '' || values.has(option.name)) continue;
    values.set(option.name, typed(option, [value], `$${option.env}`));
  }
}

function typed(option: Option, raw: readonly string[], spelling: string): FlagValue {
  switch (option.type) {
    case 'str':
      return raw.at(-1)!;
    case 'strs':
      return raw;
    case 'csv':
      return raw.flatMap((text) => splitCsv(text, spelling));
    case 'bool':
      return raw.map((text) => parseBool(text, spelling)).at(-1)!;
    case 'int':
      return raw.map((text) => parseWhole(text, spelling)).at(-1)!;
    case 'ints':
      return raw.flatMap((text) => text.split(',').map((part) => parseWhole(part, spelling)));
  }
}

const TRUE = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const FALSE = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);

function parseBool(text: string, spelling: string): boolean {
  if (TRUE.has(text)) return true;
  if (FALSE.has(text)) return false;
  throw new UsageError(`invalid argument "${text}" for "${spelling}" flag: expected true or false`);
}

function parseWhole(text: string, spelling: string): number {
  const value = Number(text);
  if (/^[+-]?\d+$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new UsageError(`invalid argument "${text}" for "${spelling}" flag: expected a whole number`);
}

/** One CSV record as Go reads it: fields may be quoted, a quote inside is doubled. Nothing at all is no field. */
export function splitCsv(text: string, spelling: string): string[] {
  if (text === '') return [];
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    if (text[at] === '"') {
      let field = '';
      at += 1;
      for (;;) {
        const end = text.indexOf('"', at);
        if (end === -1)
          throw new UsageError(`invalid argument "${text}" for "${spelling}" flag: a quote is not closed`);
        field += text.slice(at, end);
        at = end + 1;
        if (text[at] !== '"') break;
        field += '"';
        at += 1;
      }
      if (at < text.length && text[at] !== ',') {
        throw new UsageError(`invalid argument "${text}" for "${spelling}" flag: text follows a closing quote`);
      }
      fields.push(field);
    } else {
      const comma = text.indexOf(',', at);
      const end = comma === -1 ? text.length : comma;
      const field = text.slice(at, end);
      if (field.includes('"')) {
        throw new UsageError(`invalid argument "${text}" for "${spelling}" flag: a quote inside an unquoted field`);
      }
      fields.push(field);
      at = end;
    }
    if (at >= text.length) return fields;
    at += 1;
  }
}
