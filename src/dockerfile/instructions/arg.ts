/** ARG: declares build arguments. */
import { cutFragment, type Fragment, spanOf } from '../fragment.ts';
import type { RawInstruction } from '../parser.ts';
import { atLeastOne, descriptionOf, type InstructionBase, refuseFlags, syntaxError } from './base.ts';

export interface ArgDeclaration {
  readonly name: Fragment;
  /** The default; undefined for a bare name. */
  readonly value: Fragment | undefined;
  readonly description: string | undefined;
}

export interface ArgInstruction extends InstructionBase {
  readonly kind: 'arg';
  readonly declarations: readonly ArgDeclaration[];
}

/** Flags are refused, though BuildKit swallows them: nothing written may go unheeded. */
export function buildArg(raw: RawInstruction, base: InstructionBase): ArgInstruction {
  refuseFlags(raw);
  const declarations = atLeastOne(raw).map((word) => {
    const [name, value] = cutFragment(word, '=');
    if (name.text === '') throw syntaxError(spanOf(word), 'ARG names can not be blank');
    return { name, value, description: descriptionOf(raw, name.text) };
  });
  return { ...base, kind: 'arg', declarations };
}
