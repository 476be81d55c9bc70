/** The lines of the live display: a pure function of the progress, the time and the size of the terminal. */
import type { BuildProgress, FinishedStep, StepProgress } from './build-progress.ts';
import { counted } from './build-summary.ts';
import { secondsOf } from './byte-count.ts';
import { redact } from './redact.ts';
import { printable } from './source-frame.ts';
import type { Style } from './style.ts';
import { displayWidth, fitWidth } from './text-width.ts';

/** Lines of a running step that are shown. */
const SHOWN_TAIL = 6;

export interface FrameSize {
  readonly columns: number;
  readonly rows: number;
}

export interface FrameState {
  readonly progress: BuildProgress;
  /** Cached steps that are not told above the frame yet. */
  readonly foldedSteps: number;
  readonly startedAt: number;
  readonly now: number;
}

/**
 * Header, cached steps, running steps with what they printed last, transfers. Every line is narrower than the
 * terminal by one cell, and there are fewer lines than the terminal has: the cursor stands below them.
 */
export function frameLines(s: FrameState, size: FrameSize, style: Style): string[] {
  const { progress, now } = s;
  const head = [headerLine(s, size, style)];
  if (s.foldedSteps > 0) head.push(cachedLine(s.foldedSteps, size, style));
  const transfers = [...progress.transfers.values()].map((t) =>
    spread(size, style, { sign: style.path(style.signs.running), left: t.label, right: t.text(now) }),
  );
  const room = Math.max(0, size.rows - 1);
  const steps = [...progress.running.values()];
  const forTails = room - head.length - steps.length - transfers.length;
  const perStep = steps.length === 0 ? 0 : Math.max(0, Math.min(SHOWN_TAIL, Math.floor(forTails / steps.length)));
  const lines = [...head, ...steps.flatMap((step) => stepLines(step, perStep, now, size, style)), ...transfers];
  if (lines.length <= room) return lines;
  if (room <= 1) return head.slice(0, room);
  return [...lines.slice(0, room - 1), style.faint(fit(` ${lines.length - room + 1} more`, size, style))];
}

/** ` ✔ [deps 2/3] RUN npm ci                       8.1s` */
export function finishedLine(step: FinishedStep, size: FrameSize, style: Style): string {
  const sign = step.outcome === 'failed' ? style.bad(style.signs.failed) : style.good(style.signs.done);
  return spread(size, style, { sign, left: step.label, right: secondsOf(step.milliseconds) });
}

/** ` ✔ 4 steps cached` */
export function cachedLine(steps: number, size: FrameSize, style: Style): string {
  return style.faint(fit(` ${style.signs.done} ${counted(steps, 'step')} cached`, size, style));
}

function headerLine({ progress, startedAt, now }: FrameState, size: FrameSize, style: Style): string {
  const done = progress.ran + progress.cached;
  const { planned, platform } = progress;
  const facts = [
    ...(planned === undefined && done === 0
      ? []
      : [planned === undefined ? counted(done, 'step') : `${done}/${counted(planned, 'step')}`]),
    ...(progress.cached > 0 ? [`${progress.cached} cached`] : []),
    ...(platform === undefined ? [] : [platform]),
    ...(progress.warnings > 0 ? [counted(progress.warnings, 'warning')] : []),
  ];
  const left = [planned === undefined ? 'working' : 'building', ...facts].join(style.signs.separator);
  return spread(size, style, { sign: '', left, right: secondsOf(now - startedAt), paint: style.strong });
}

function stepLines(step: StepProgress, tail: number, now: number, size: FrameSize, style: Style): string[] {
  const sign = style.path(style.signs.running);
  const head = spread(size, style, { sign, left: step.label, right: secondsOf(now - step.startedAt) });
  return [head, ...step.tail.last(tail).map((line) => style.faint(fit(`     ${line}`, size, style)))];
}

interface Parts {
  readonly sign: string;
  readonly left: string;
  readonly right: string;
  readonly paint?: (text: string) => string;
}

/** Sign and text on the left, a figure on the right. A terminal too narrow for both loses the figure. */
function spread(size: FrameSize, style: Style, { sign, left, right, paint = (t) => t }: Parts): string {
  const width = size.columns - 1;
  const start = sign === '' ? ' ' : ` ${sign} `;
  const indent = sign === '' ? 1 : 3;
  const text = printable(redact(left));
  const forText = width - indent - displayWidth(right) - 2;
  if (right === '' || forText < 8) {
    return width <= indent ? '' : `${start}${paint(fitWidth(text, width - indent, style.signs.ellipsis))}`;
  }
  const cut = fitWidth(text, forText, style.signs.ellipsis);
  return `${start}${paint(cut)}${' '.repeat(forText - displayWidth(cut) + 2)}${style.faint(right)}`;
}

function fit(text: string, size: FrameSize, style: Style): string {
  return fitWidth(text, size.columns - 1, style.signs.ellipsis);
}
