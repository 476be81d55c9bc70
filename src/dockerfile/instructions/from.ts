/** FROM: begins a stage. */
import { type Fragment, spanOf } from '../fragment.ts';
import type { RawInstruction } from '../parser.ts';
import { descriptionOf, flagsOf, type InstructionBase, syntaxError } from './base.ts';

export interface FromInstruction extends InstructionBase {
  readonly kind: 'from';
  /** Image, earlier stage or `scratch`; expanded from global ARGs. */
  readonly image: Fragment;
  readonly platform: Fragment | undefined;
  /** `as` in whatever case. */
  readonly asKeyword: Fragment | undefined;
  /** As written. */
  readonly alias: Fragment | undefined;
  /** The alias in lower case, by which the stage is found. */
  readonly stageName: string | undefined;
  readonly description: string | undefined;
}

const STAGE_NAME = /^[a-z][a-z0-9\-_.]*$/;

export function buildFrom(raw: RawInstruction, base: InstructionBase): FromInstruction {
  const flags = flagsOf(raw, { platform: 'string' });
  const [image, asKeyword, alias] = raw.args;
  const isNamed = raw.args.length === 3 && asKeyword?.text.toLowerCase() === 'as';
  if (image === undefined || (raw.args.length !== 1 && !isNamed)) {
    const wrong = asKeyword === undefined ? raw.span : spanOf(asKeyword);
    throw syntaxError(wrong, 'FROM requires one argument, or three: FROM image AS name');
  }
  const stageName = alias?.text.toLowerCase();
  if (alias !== undefined && !STAGE_NAME.test(stageName!)) {
    throw syntaxError(
      spanOf(alias),
      `invalid stage name ${JSON.stringify(alias.text)}`,
      'a stage name starts with a letter and has letters, digits, - _ and . only',
    );
  }
  return {
    ...base,
    kind: 'from',
    image,
    platform: flags.text('platform'),
    asKeyword,
    alias,
    stageName,
    description: stageName === undefined ? undefined : descriptionOf(raw, stageName),
  };
}
