/**
 * One flag as a value. From these rows come parsing, help and completion, so a flag is described once.
 */

/** `csv` values are split on commas, `strs` are not; both repeat. */
export type OptionType = 'str' | 'strs' | 'csv' | 'bool' | 'int' | 'ints';

/** How completion finds the values of a flag or a positional word. */
export type ValueKind = 'file' | 'directory' | 'image' | 'container' | 'stage' | 'none';

export interface Option {
  readonly name: string;
  readonly short?: string;
  /** Other spellings of the long name. */
  readonly aliases: readonly string[];
  readonly type: OptionType;
  /** What stands for the value in help; '' for bools. */
  readonly placeholder: string;
  readonly summary: string;
  /** The value that is used without the flag, as help shows it. */
  readonly default?: string;
  /** Environment variable read when the flag is absent. */
  readonly env?: string;
  /** The value meant by the flag alone; such a flag takes another one only after `=`. */
  readonly bare?: string;
  readonly tier: 'P0' | 'P1' | 'P2';
  readonly hidden: boolean;
  readonly choices?: readonly string[];
  readonly complete?: ValueKind;
  /**
   * Known to Buildah but not done here: using it is refused. A list holds the values that ask for what happens anyway
   * and are therefore accepted.
   */
  readonly unsupported?: true | readonly string[];
  /** Why it is refused, in half a sentence. */
  readonly why?: string;
}

type More = Partial<Omit<Option, 'name' | 'short' | 'aliases' | 'type' | 'placeholder' | 'summary'>>;

/**
 * Reads a row: `-f,--file csv PATH`, `--network|--net str MODE`, `-q,--quiet bool`.
 * Everything but the spelling and the sentence is optional.
 */
export function option(row: string, summary: string, more: More = {}): Option {
  const match = /^(?:-(\w),)?--([a-z0-9-]+)((?:\|--[a-z0-9-]+)*) (strs?|csv|bool|ints?)(?: (\S+))?$/.exec(row);
  if (match === null) throw new Error(`malformed option row: ${row}`);
  const [, short, name, aliases, type, placeholder] = match;
  return {
    name: name!,
    ...(short === undefined ? {} : { short }),
    aliases: aliases!.split('|--').slice(1),
    type: type as OptionType,
    placeholder: placeholder ?? (type === 'bool' ? '' : type === 'int' || type === 'ints' ? 'N' : 'VALUE'),
    summary,
    tier: 'P0',
    hidden: false,
    ...more,
  };
}

/** Rows for flags that Buildah has and that are refused here, each by its own name, all for one reason. */
export function refused(why: string, ...rows: readonly string[]): readonly Option[] {
  return rows.map((row) => option(row, 'not supported', { tier: 'P2', hidden: true, unsupported: true, why }));
}

/** Rows for flags that Buildah accepts and ignores, as is done here. */
export function ignored(...rows: readonly string[]): readonly Option[] {
  return rows.map((row) => option(row, 'accepted for compatibility, has no effect', { tier: 'P2', hidden: true }));
}
