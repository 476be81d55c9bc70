/** The instructions that set one thing: EXPOSE, USER, WORKDIR, VOLUME, STOPSIGNAL, MAINTAINER. */
import { type Fragment, spanOf, trimFragment } from '../fragment.ts';
import type { RawInstruction } from '../parser.ts';
import { atLeastOne, exactlyOne, type InstructionBase, refuseFlags, syntaxError } from './base.ts';

export interface ExposeInstruction extends InstructionBase {
  readonly kind: 'expose';
  /** Each is expanded and then split at blanks. */
  readonly ports: readonly Fragment[];
}

export interface UserInstruction extends InstructionBase {
  readonly kind: 'user';
  readonly user: Fragment;
}

export interface WorkdirInstruction extends InstructionBase {
  readonly kind: 'workdir';
  readonly path: Fragment;
}

export interface VolumeInstruction extends InstructionBase {
  readonly kind: 'volume';
  readonly paths: readonly Fragment[];
}

export interface StopsignalInstruction extends InstructionBase {
  readonly kind: 'stopsignal';
  readonly signal: Fragment;
}

export interface MaintainerInstruction extends InstructionBase {
  readonly kind: 'maintainer';
  readonly name: string;
}

export function buildExpose(raw: RawInstruction, base: InstructionBase): ExposeInstruction {
  refuseFlags(raw);
  return { ...base, kind: 'expose', ports: atLeastOne(raw) };
}

export function buildUser(raw: RawInstruction, base: InstructionBase): UserInstruction {
  refuseFlags(raw);
  return { ...base, kind: 'user', user: exactlyOne(raw) };
}

export function buildWorkdir(raw: RawInstruction, base: InstructionBase): WorkdirInstruction {
  refuseFlags(raw);
  return { ...base, kind: 'workdir', path: exactlyOne(raw) };
}

export function buildVolume(raw: RawInstruction, base: InstructionBase): VolumeInstruction {
  refuseFlags(raw);
  const paths = atLeastOne(raw).map(trimFragment);
  const empty = paths.find(({ text }) => text === '');
  if (empty !== undefined) throw syntaxError(spanOf(empty), 'a VOLUME cannot be an empty string');
  return { ...base, kind: 'volume', paths };
}

/** Flags are refused, though BuildKit swallows them: nothing written may go unheeded. */
export function buildStopsignal(raw: RawInstruction, base: InstructionBase): StopsignalInstruction {
  refuseFlags(raw);
  return { ...base, kind: 'stopsignal', signal: exactlyOne(raw) };
}

export function buildMaintainer(raw: RawInstruction, base: InstructionBase): MaintainerInstruction {
  refuseFlags(raw);
  return { ...base, kind: 'maintainer', name: exactlyOne(raw).text };
}
