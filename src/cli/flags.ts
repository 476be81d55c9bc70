/** The parsed flags of one command. Asking for a flag the command does not declare is a bug and says so. */
import type { OptionIndex } from './flag-words.ts';

export type FlagValue = string | number | boolean | readonly string[] | readonly number[];

export class Flags {
  readonly #index: OptionIndex;
  readonly #values: ReadonlyMap<string, FlagValue>;
  readonly #given: ReadonlySet<string>;

  /** @param given names of the flags that were typed, as opposed to read from the environment */
  constructor(index: OptionIndex, values: ReadonlyMap<string, FlagValue>, given: ReadonlySet<string>) {
    this.#index = index;
    this.#values = values;
    this.#given = given;
  }

  /** True when the flag was typed. */
  given(name: string): boolean {
    this.#check(name);
    return this.#given.has(name);
  }

  string(name: string): string | undefined {
    return this.#get(name) as string | undefined;
  }

  /** Values of a repeatable flag; undefined when it is absent. */
  strings(name: string): readonly string[] | undefined {
    return this.#get(name) as readonly string[] | undefined;
  }

  int(name: string): number | undefined {
    return this.#get(name) as number | undefined;
  }

  ints(name: string): readonly number[] | undefined {
    return this.#get(name) as readonly number[] | undefined;
  }

  /** undefined when the flag is absent; `=false` is false. */
  bool(name: string): boolean | undefined {
    return this.#get(name) as boolean | undefined;
  }

  /** True only when the flag is on. */
  on(name: string): boolean {
    return this.bool(name) === true;
  }

  #get(name: string): FlagValue | undefined {
    this.#check(name);
    return this.#values.get(name);
  }

  #check(name: string): void {
    if (this.#index.long(name) === undefined) throw new Error(`the command declares no flag --${name}`);
  }
}
