/**
 * The live display: finished steps scroll by as one line each, and below them a small frame tells what runs. At the end
 * the frame gives way to a summary. Redrawn ten times a second at most, each time in one write.
 */
import type { BuildEvent, Emit } from '../../index.ts';
import { BuildProgress } from './build-progress.ts';
import { summaryText } from './build-summary.ts';
import { buildDiagnosticText } from './error-text.ts';
import { LiveFrame } from './live-frame.ts';
import { TAIL_LINES } from './output-tail.ts';
import { cachedLine, finishedLine, frameLines } from './progress-frame.ts';
import { redact } from './redact.ts';
import { type Ending, isIdLine, type Reporter, type ReporterOptions } from './reporter.ts';
import { printable } from './source-frame.ts';
import { StageOrder } from './stage-order.ts';
import { displayWidth } from './text-width.ts';
import { usageText } from './usage-text.ts';

const REDRAW_MS = 100;

export class TtyReporter implements Reporter {
  readonly #o: ReporterOptions;
  readonly #startedAt: number;
  readonly #progress = new BuildProgress();
  readonly #frame: LiveFrame;
  /** For a stdout that is no terminal: Buildah's lines, in the order of the stages. */
  readonly #order = new StageOrder((event) => this.#toStdout(event));
  /** Lines for stdout that wait until the frame is gone. */
  readonly #results: string[] = [];
  /** Text that stays, not yet on the screen. */
  #above = '';
  /** Cached steps in a row, told as one line once something else is. */
  #folded = 0;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;
  readonly #onExit = (): void => this.finish({ error: undefined, isStopped: true });

  constructor(o: ReporterOptions) {
    this.#o = o;
    this.#startedAt = o.now();
    this.#frame = new LiveFrame(o.stderr);
    process.once('exit', this.#onExit);
  }

  readonly emit: Emit = (event) => {
    if (this.#isOver) return;
    if (!this.#o.stdout.isTty) this.#order.emit(event);
    const finished = this.#progress.apply(event, this.#o.now());
    if (finished?.outcome === 'cached') this.#folded += 1;
    else if (finished?.outcome === 'ran') this.#say(`${finishedLine(finished, this.#o.stderr, this.#o.style)}\n`);
    this.#tell(event);
    if (event.type === 'debug-shell' && event.state === 'opened') {
      this.#giveWay(event.step);
      return;
    }
    this.#timer ??= setTimeout(() => this.#redraw(), REDRAW_MS).unref();
  };

  finish(ending: Ending = {}): void {
    if (this.#isOver) return;
    this.#isOver = true;
    process.off('exit', this.#onExit);
    clearTimeout(this.#timer);
    this.#order.end();
    this.#sayFolded();
    for (const step of this.#progress.failed) this.#sayFailed(step);
    this.#saySummary(ending);
    this.#frame.draw(this.#above, []);
    for (const line of this.#results) this.#o.stdout.write(`${line}\n`);
  }

  /** The frame goes; what the step printed stands above the shell. Nothing is drawn before the next event. */
  #giveWay(step: string): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sayFolded();
    for (const line of this.#progress.running.get(step)?.tail.last(TAIL_LINES) ?? []) this.#above += `     ${line}\n`;
    this.#frame.draw(this.#above, []);
    this.#above = '';
  }

  #tell(event: BuildEvent): void {
    const { style, stderr, stdout } = this.#o;
    switch (event.type) {
      case 'note':
        this.#say(`${printable(redact(event.text))}\n`);
        return;
      case 'warning':
        this.#say(`${style.warning('warning:')} ${printable(redact(event.text))}\n`);
        return;
      case 'diagnostic':
        this.#say(buildDiagnosticText(event.diagnostic, { width: stderr.columns, style, verbose: false }));
        return;
      case 'step-finished':
        if (event.usage !== undefined) this.#say(`     ${usageText(event.usage)}\n`);
        return;
      case 'step-line':
        // Steps are shown by the frame; what remains of Buildah's lines are results.
        if (stdout.isTty && !this.#isHidden(event.text) && !STEP_LINE.test(event.text)) this.#results.push(event.text);
        return;
    }
  }

  #toStdout(event: BuildEvent): void {
    const { stdout } = this.#o;
    if (event.type === 'step-line' && !this.#isHidden(event.text)) stdout.write(`${event.text}\n`);
    else if (event.type === 'step-output' && event.stream === 'stdout') stdout.write(event.data);
  }

  #isHidden(text: string): boolean {
    return this.#o.hidesIds && isIdLine(text);
  }

  #say(text: string): void {
    this.#sayFolded();
    this.#above += text;
  }

  #sayFolded(): void {
    if (this.#folded > 0) this.#above += `${cachedLine(this.#folded, this.#o.stderr, this.#o.style)}\n`;
    this.#folded = 0;
  }

  /** At the end, so that what the step printed stands right above the error. */
  #sayFailed(step: BuildProgress['failed'][number]): void {
    const { stderr, style } = this.#o;
    this.#say(`${finishedLine(step, stderr, style)}\n`);
    for (const line of step.tail.last(TAIL_LINES)) this.#above += `     ${line}\n`;
  }

  #saySummary(ending: Ending): void {
    const { stderr, style } = this.#o;
    const milliseconds = this.#o.now() - this.#startedAt;
    const text = summaryText(this.#progress, { milliseconds, ending, style });
    if (text === undefined) return;
    const hasFailed = 'error' in ending || this.#progress.failed.length > 0;
    const sign = hasFailed ? style.bad(style.signs.failed) : style.good(style.signs.done);
    this.#say(` ${sign} ${style.strong(foldFacts(text, stderr.columns - 4, style.signs.separator).join('\n   '))}\n`);
  }

  #redraw(): void {
    this.#timer = undefined;
    if (this.#isOver) return;
    const state = {
      progress: this.#progress,
      foldedSteps: this.#folded,
      startedAt: this.#startedAt,
      now: this.#o.now(),
    };
    this.#frame.draw(this.#above, frameLines(state, this.#o.stderr, this.#o.style));
    this.#above = '';
    if (this.#progress.running.size + this.#progress.transfers.size > 0) {
      this.#timer = setTimeout(() => this.#redraw(), REDRAW_MS).unref();
    }
  }
}

const STEP_LINE = /^(\[[^\]]*\] )*(STEP \d|COMMIT\b|-->)/;

/** Breaks a line between its facts, so that each part fits where that can be had. */
function foldFacts(text: string, width: number, separator: string): string[] {
  const lines: string[] = [];
  for (const fact of text.split(separator)) {
    const longer = lines.length === 0 ? undefined : `${lines.at(-1)}${separator}${fact}`;
    if (longer !== undefined && displayWidth(longer) <= width) lines[lines.length - 1] = longer;
    else lines.push(fact);
  }
  return lines;
}
