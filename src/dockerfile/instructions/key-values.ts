/** ENV and LABEL: pairs of keys and values. */
import { type Fragment, spanOf } from '../fragment.ts';
import type { RawInstruction } from '../parser.ts';
import { atLeastOne, type InstructionBase, refuseFlags, syntaxError } from './base.ts';

export interface KeyValue {
  /** Quotes and variables still in. */
  readonly key: Fragment;
  readonly value: Fragment;
}

export interface EnvInstruction extends InstructionBase {
  readonly kind: 'env';
  readonly pairs: readonly KeyValue[];
  /** Written `ENV key value`. */
  readonly legacy: boolean;
}

export interface LabelInstruction extends InstructionBase {
  readonly kind: 'label';
  readonly pairs: readonly KeyValue[];
  readonly legacy: boolean;
}

export function buildEnv(raw: RawInstruction, base: InstructionBase): EnvInstruction {
  return { ...base, kind: 'env', ...readPairs(raw) };
}

export function buildLabel(raw: RawInstruction, base: InstructionBase): LabelInstruction {
  return { ...base, kind: 'label', ...readPairs(raw) };
}

function readPairs(raw: RawInstruction): { pairs: readonly KeyValue[]; legacy: boolean } {
  refuseFlags(raw);
  const args = atLeastOne(raw);
  const pairs: KeyValue[] = [];
  for (let i = 0; i + 1 < args.length; i += 3) {
    const key = args[i]!;
    const value = args[i + 1]!;
    if (key.text === '') throw syntaxError(spanOf(args[i + 2] ?? value), `${raw.name} names can not be blank`);
    pairs.push({ key, value });
  }
  return { pairs, legacy: args[2]?.text === '' };
}
