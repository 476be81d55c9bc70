/** Figures as the page shows them. */
import type { StepOutcome } from '../../report/step-phase.ts';

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** `999 B`, `1.5 MB` */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // 999.95 would be written as 1000.0.
  while (value >= 999.95 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}

/** `12 ms`, `1.9 s`, `2 min 05 s` */
export function timeText(milliseconds: number): string {
  if (milliseconds < 999.5) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 59_950) return `${(milliseconds / 1000).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / 1000);
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`;
}

/** Rounded down: 100 % is what wastes nothing. */
export function percentText(part: number): string {
  return `${(Math.floor(part * 1000) / 10).toFixed(1)} %`;
}

export interface OutcomeLook {
  readonly sign: string;
  readonly word: string;
  /** Of the style sheet. */
  readonly className: string;
}

const LOOKS: Readonly<Record<StepOutcome | 'ready' | 'waiting', OutcomeLook>> = {
  ready: { sign: '○', word: 'ready', className: 'ran' },
  ran: { sign: '●', word: 'ran', className: 'ran' },
  cached: { sign: '↻', word: 'cached', className: 'cached' },
  failed: { sign: '✘', word: 'failed', className: 'failed' },
  canceled: { sign: '■', word: 'canceled', className: 'canceled' },
  waiting: { sign: '–', word: 'not run', className: 'waiting' },
};

/** A sign and a word for every colour. A base that was there already has an outcome and no time. */
export function lookOf(step: {
  readonly outcome: StepOutcome | undefined;
  readonly startMs?: number | undefined;
}): OutcomeLook {
  if (step.outcome === 'ran' && step.startMs === undefined) return LOOKS.ready;
  return LOOKS[step.outcome ?? 'waiting'];
}

/** At most `most` UTF-16 units, on one line. */
export function cutText(text: string, most: number): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length <= most ? line : `${line.slice(0, most - 1).trimEnd()}…`;
}

/** Id of the row of a step, fit for a link: those of several platforms have blanks and slashes. */
export function anchorOf({ id }: { readonly id: string }): string {
  return `step-${id.replace(/[^\w.-]/g, '-')}`;
}
