/** Which times an image says and holds, from the flags that decide them. */
import { BuilderError } from '../report/builder-error.ts';
import type { LayerTimes } from './seal-layer.ts';

export interface TimeOptions {
  /** Seconds since the epoch. */
  readonly timestamp?: number | undefined;
  readonly sourceDateEpoch?: number | undefined;
  readonly rewriteTimestamp?: boolean | undefined;
}

export interface ImageTimes {
  /** RFC 3339 time for `created` and history: fixed, or that of the call. */
  now(): string;
  readonly layer: LayerTimes;
  /** Times were given: nothing of this machine or moment may show in the image. */
  readonly fixed: boolean;
}

/** @throws `usage.invalid` for contradicting options */
export function imageTimes(o: TimeOptions): ImageTimes {
  if (o.timestamp !== undefined && o.sourceDateEpoch !== undefined) {
    throw new BuilderError('usage.invalid', '--timestamp and --source-date-epoch exclude each other');
  }
  const fixed = o.timestamp ?? o.sourceDateEpoch;
  const at = fixed === undefined ? undefined : { seconds: fixed, nanoseconds: 0 };
  const text = fixed === undefined ? undefined : new Date(fixed * 1000).toISOString().replace('.000Z', 'Z');
  return {
    now: () => text ?? nowNanoseconds(),
    layer: {
      ...(o.timestamp === undefined || at === undefined ? {} : { mtime: at }),
      ...(o.rewriteTimestamp === true && at !== undefined && o.timestamp === undefined ? { clampMtime: at } : {}),
    },
    fixed: fixed !== undefined,
  };
}

/** Now in RFC 3339 with nanoseconds, as Go prints it; later calls give later times. */
export function nowNanoseconds(): string {
  const micros = Math.round((performance.timeOrigin + performance.now()) * 1000);
  const seconds = Math.floor(micros / 1e6);
  const fraction = String((micros % 1e6) * 1000)
    .padStart(9, '0')
    .replace(/0+$/, '');
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}${fraction === '' ? '' : `.${fraction}`}Z`;
}
