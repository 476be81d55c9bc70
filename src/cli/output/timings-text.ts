/** Where the time of a build went, for people: the longest first, with bars, and the critical path marked. */
import type { BuildTimings, PhaseTiming, StepTiming } from '../../index.ts';
import { counted } from './build-summary.ts';
import { secondsOf } from './byte-count.ts';
import { redact } from './redact.ts';
import { printable } from './source-frame.ts';
import type { Style } from './style.ts';
import { fitWidth } from './text-width.ts';

/** Further rows are summed up in one. */
const MOST_ROWS = 20;
/** Phases that take less of the longest step than this are not worth their room. */
const LEAST_PART = 0.02;
const TIME_WIDTH = 8;

interface Row {
  readonly durationMs: number;
  readonly mark: string;
  readonly label: string;
  readonly phases: readonly PhaseTiming[];
}

/** @param o.width columns the text may take */
export function timingsText(timings: BuildTimings, o: { readonly width: number; readonly style: Style }): string {
  const { style, width } = o;
  const rows = rowsOf(timings, style);
  const longest = rows[0]?.durationMs ?? 0;
  const barWidth = Math.max(4, Math.min(24, Math.floor(width / 4)));
  const cut = (text: string, cells: number): string => fitWidth(text, cells, style.signs.ellipsis);
  let out = `${cut(heading(timings, style), width)}\n`;
  for (const row of rows.slice(0, MOST_ROWS)) {
    const left = `${timeOf(row.durationMs).padStart(TIME_WIDTH)}  ${bar(row.durationMs / longest, barWidth, style)} `;
    const room = Math.max(10, width - TIME_WIDTH - 2 - barWidth - 3);
    out += `${left}${row.mark} ${cut(row.label, room)}\n`;
    const phases = phasesText(row, longest * LEAST_PART);
    if (phases !== '') out += `${' '.repeat(TIME_WIDTH + barWidth + 5)}${style.faint(cut(phases, room))}\n`;
  }
  if (rows.length > MOST_ROWS) {
    const rest = rows.slice(MOST_ROWS);
    const sum = rest.reduce((total, row) => total + row.durationMs, 0);
    out += `${timeOf(sum).padStart(TIME_WIDTH)}  ${rest.length} more\n`;
  }
  const path = `${MARK} critical path: ${timeOf(timings.criticalPathMs)}`;
  return timings.steps.some(({ isCritical }) => isCritical) ? `${out}${cut(path, width)}\n` : out;
}

const MARK = '*';

function heading({ totalMs, overlap, steps }: BuildTimings, style: Style): string {
  const cached = steps.filter(({ outcome }) => outcome === 'cached').length;
  const facts = [
    `where the time went: ${timeOf(totalMs)}`,
    ...(overlap >= 1.05 ? [`${overlap.toFixed(1)} steps at once`] : []),
    ...(cached > 0 ? [`${counted(cached, 'step')} cached`] : []),
  ];
  return style.strong(facts.join(style.signs.separator));
}

/** What took no time at all is left out. */
function rowsOf({ steps, phases }: BuildTimings, style: Style): Row[] {
  const isSingle = new Set(steps.map(({ stage }) => stage)).size === 1;
  return [
    ...steps.map((step) => ({
      durationMs: step.durationMs,
      mark: step.isCritical ? style.strong(MARK) : ' ',
      label: labelOf(step, isSingle),
      phases: step.phases,
    })),
    ...phases.map(({ phase, durationMs }) => ({ durationMs, mark: ' ', label: phase, phases: [] })),
  ]
    .filter(({ durationMs }) => durationMs > 0)
    .sort((a, b) => b.durationMs - a.durationMs);
}

function labelOf({ stageName, number, of, name, outcome }: StepTiming, isSingle: boolean): string {
  const place = `[${isSingle ? '' : `${stageName} `}${number}/${of}]`;
  const word = outcome === 'ran' ? '' : `${outcome ?? 'unfinished'}: `;
  return printable(redact(`${place} ${word}${name.replace(/\s+/g, ' ')}`));
}

function phasesText({ phases, durationMs }: Row, leastMs: number): string {
  const told = phases.filter((phase) => phase.durationMs >= leastMs);
  // One phase that is the whole step says nothing new.
  if (told.length === 1 && durationMs - told[0]!.durationMs < leastMs) return '';
  return told.map((phase) => `${phase.phase} ${timeOf(phase.durationMs)}`).join(', ');
}

function bar(part: number, width: number, { signs, path }: Style): string {
  const full = Math.max(1, Math.round(part * width));
  const block = signs.ellipsis === '…' ? '█' : '#';
  return path(block.repeat(full)) + ' '.repeat(width - full);
}

/** Below a second tenths are too coarse. */
function timeOf(milliseconds: number): string {
  return milliseconds < 1000 ? `${Math.round(milliseconds)}ms` : secondsOf(milliseconds);
}
