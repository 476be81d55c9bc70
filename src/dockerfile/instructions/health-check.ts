/** HEALTHCHECK: how to tell that a container works. */
import type { HealthConfig } from '../../spec/image-config.ts';
import { type Fragment, spanOf } from '../fragment.ts';
import { parseGoDuration } from '../go-duration.ts';
import type { RawInstruction } from '../parser.ts';
import { flagsOf, type InstructionBase, refuseFlags, syntaxError } from './base.ts';

export interface HealthcheckInstruction extends InstructionBase {
  readonly kind: 'healthcheck';
  /** As it goes into the config; durations in nanoseconds, absent ones are inherited by the engine's defaults. */
  readonly health: HealthConfig;
}

const DURATIONS = {
  interval: 'Interval',
  timeout: 'Timeout',
  'start-period': 'StartPeriod',
  'start-interval': 'StartInterval',
} as const;

const FLAGS = {
  interval: 'string',
  timeout: 'string',
  'start-period': 'string',
  'start-interval': 'string',
  retries: 'string',
} as const;

const MINIMUM_NANOSECONDS = 1e6;

export function buildHealthcheck(raw: RawInstruction, base: InstructionBase): HealthcheckInstruction {
  const [type, ...rest] = raw.args;
  if (type === undefined) throw syntaxError(raw.span, 'HEALTHCHECK requires at least one argument');
  const word = type.text.toUpperCase();
  if (word === 'NONE') return { ...base, kind: 'healthcheck', health: none(raw, rest) };
  if (word !== 'CMD') {
    const message = `unknown type ${JSON.stringify(type.text)} in HEALTHCHECK`;
    throw syntaxError(spanOf(type), message, 'use HEALTHCHECK CMD … or HEALTHCHECK NONE');
  }
  if (rest.length === 0) throw syntaxError(raw.span, 'HEALTHCHECK CMD has no command');
  const flags = flagsOf(raw, FLAGS);
  const health: Record<string, unknown> = { Test: [raw.json ? 'CMD' : 'CMD-SHELL', ...rest.map(({ text }) => text)] };
  for (const [flag, field] of Object.entries(DURATIONS)) {
    const value = duration(flag, flags.text(flag));
    if (value !== 0) health[field] = value;
  }
  const count = retries(flags.text('retries'));
  if (count !== 0) health['Retries'] = count;
  return { ...base, kind: 'healthcheck', health: health as HealthConfig };
}

function none(raw: RawInstruction, rest: readonly Fragment[]): HealthConfig {
  refuseFlags(raw);
  if (rest.length > 0) throw syntaxError(spanOf(rest[0]!), 'HEALTHCHECK NONE takes no arguments');
  return { Test: ['NONE'] };
}

/** 0 means unset. */
function duration(flag: string, value: Fragment | undefined): number {
  if (value === undefined || value.text === '') return 0;
  const nanoseconds = parseGoDuration(value.text);
  if (nanoseconds === undefined) {
    const message = `invalid duration ${JSON.stringify(value.text)} for --${flag}`;
    throw syntaxError(spanOf(value), message, 'write it like 30s, 1m30s or 500ms');
  }
  if (nanoseconds !== 0 && nanoseconds < MINIMUM_NANOSECONDS) {
    throw syntaxError(spanOf(value), `--${flag} cannot be less than 1ms`);
  }
  return nanoseconds;
}

function retries(value: Fragment | undefined): number {
  if (value === undefined || value.text === '') return 0;
  const count = /^[+-]?\d+$/.test(value.text) ? Number(value.text) : Number.NaN;
  if (!(count <= 0x7fff_ffff))
    throw syntaxError(spanOf(value), `invalid value ${JSON.stringify(value.text)} for --retries`);
  if (count < 0) throw syntaxError(spanOf(value), `--retries cannot be negative (${value.text})`);
  return count;
}
