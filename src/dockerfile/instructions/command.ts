/** RUN, CMD, ENTRYPOINT and SHELL: instructions whose argument is a command. */
import { type Fragment, spanOf } from '../fragment.ts';
import type { Heredoc } from '../heredoc.ts';
import type { RawInstruction } from '../parser.ts';
import { type MountRequest, scanMount } from '../run-mount.ts';
import { atLeastOne, flagsOf, type InstructionBase, refuseFlags, syntaxError } from './base.ts';
import { type DeviceRequest, parseDevice } from './device.ts';

/** A command as written: never expanded by the builder. */
export type CommandForm =
  | { readonly form: 'exec'; readonly argv: readonly string[] }
  | { readonly form: 'shell'; readonly text: string };

export interface RunInstruction extends InstructionBase {
  readonly kind: 'run';
  readonly command: CommandForm;
  readonly heredocs: readonly Heredoc[];
  readonly mounts: readonly MountRequest[];
  readonly network: 'default' | 'none' | 'host';
  readonly security: 'sandbox' | 'insecure';
  readonly devices: readonly DeviceRequest[];
}

export interface CmdInstruction extends InstructionBase {
  readonly kind: 'cmd';
  readonly command: CommandForm;
}

export interface EntrypointInstruction extends InstructionBase {
  readonly kind: 'entrypoint';
  readonly command: CommandForm;
}

export interface ShellInstruction extends InstructionBase {
  readonly kind: 'shell';
  readonly shell: readonly string[];
}

const RUN_FLAGS = { mount: 'list', network: 'string', security: 'string', device: 'list' } as const;

export function buildRun(raw: RawInstruction, base: InstructionBase): RunInstruction {
  const flags = flagsOf(raw, RUN_FLAGS);
  atLeastOne(raw);
  return {
    ...base,
    kind: 'run',
    command: commandOf(raw),
    heredocs: raw.heredocs,
    mounts: flags.list('mount').map(scanMount),
    network: oneOf(flags.text('network'), 'network mode', ['default', 'none', 'host']),
    security: oneOf(flags.text('security'), 'security mode', ['sandbox', 'insecure']),
    devices: flags.list('device').map(parseDevice),
  };
}

export function buildCmd(raw: RawInstruction, base: InstructionBase): CmdInstruction {
  refuseFlags(raw);
  return { ...base, kind: 'cmd', command: commandOf(raw) };
}

export function buildEntrypoint(raw: RawInstruction, base: InstructionBase): EntrypointInstruction {
  refuseFlags(raw);
  return { ...base, kind: 'entrypoint', command: commandOf(raw) };
}

export function buildShell(raw: RawInstruction, base: InstructionBase): ShellInstruction {
  refuseFlags(raw);
  if (raw.args.length > 0 && !raw.json) {
    throw syntaxError(spanOf(raw.args[0]!), 'SHELL requires the JSON array form', 'write SHELL ["/bin/bash", "-c"]');
  }
  return { ...base, kind: 'shell', shell: atLeastOne(raw).map(({ text }) => text) };
}

export function commandOf(raw: RawInstruction): CommandForm {
  const words = raw.args.map(({ text }) => text);
  return raw.json ? { form: 'exec', argv: words } : { form: 'shell', text: words.join(' ') };
}

/** The value if it is one of `allowed`, the first of these when there is none. */
function oneOf<T extends string>(value: Fragment | undefined, what: string, allowed: readonly [T, ...T[]]): T {
  if (value === undefined) return allowed[0];
  const found = allowed.find((candidate) => candidate === value.text);
  if (found !== undefined) return found;
  throw syntaxError(spanOf(value), `invalid ${what} ${JSON.stringify(value.text)}`, `use one of ${allowed.join(', ')}`);
}
