/** What all instructions have in common, and the checks that several of them share. */
import { BuilderError } from '../../report/builder-error.ts';
import type { Span } from '../../report/source-file.ts';
import type { EscapeCharacter } from '../directives.ts';
import type { FlagTable } from '../flags.ts';
import { Flags } from '../flags.ts';
import type { Fragment } from '../fragment.ts';
import type { RawInstruction } from '../parser.ts';

export interface InstructionBase {
  readonly raw: RawInstruction;
  /** From keyword to the last argument. */
  readonly span: Span;
  /** The escape character of the file it stands in. */
  readonly escape: EscapeCharacter;
}

export type Build<T> = (raw: RawInstruction, base: InstructionBase) => T;

/** @throws BuilderError `dockerfile.syntax` */
export function syntaxError(span: Span, message: string, hint?: string): BuilderError {
  return new BuilderError('dockerfile.syntax', message, { span, ...(hint === undefined ? {} : { hint }) });
}

/** Reads the flags of an instruction that knows `table`. */
export function flagsOf(raw: RawInstruction, table: FlagTable): Flags {
  return new Flags(raw.flags, table, raw.name);
}

/** Refuses any flag. */
export function refuseFlags(raw: RawInstruction): void {
  flagsOf(raw, {});
}

export function exactlyOne(raw: RawInstruction): Fragment {
  const [only, ...more] = raw.args;
  if (only === undefined || more.length > 0) throw syntaxError(raw.span, `${raw.name} requires exactly one argument`);
  return only;
}

export function atLeastOne(raw: RawInstruction): readonly Fragment[] {
  if (raw.args.length === 0) throw syntaxError(raw.span, `${raw.name} requires at least one argument`);
  return raw.args;
}

/**
 * The description a comment gives: the first comment line above that starts with `name` and a blank, without these.
 * Undefined when there is none.
 */
export function descriptionOf(raw: RawInstruction, name: string): string | undefined {
  const line = raw.comments.find(({ text }) => text.startsWith(`${name} `));
  return line?.text.slice(name.length + 1);
}
