/**
 * The live display: finished steps scroll by as one line each, and below them a small frame tells what runs. The frame
 * never outgrows the terminal, is redrawn ten times a second at most, and leaves nothing behind.
 */
import { StringDecoder } from 'node:string_decoder';
import type { BuildEvent, Emit } from '../../index.ts';
import { ControlFilter } from './control-filter.ts';
import { diagnosticText } from './error-text.ts';
import { humanSize } from './human.ts';
import { isIdLine, type Reporter, type ReporterOptions } from './reporter.ts';
import { printable } from './source-frame.ts';
import { displayWidth, fitWidth } from './text-width.ts';

const REDRAW_MS = 100;
const TAIL_LINES = 6;
/** Lines of a failed step that are repeated at the end. */
const FAILURE_LINES = 20;

interface RunningStep {
  readonly name: string;
  readonly startedAt: number;
  readonly lines: string[];
  readonly filter: ControlFilter;
  readonly decoder: StringDecoder;
  rest: string;
}

interface Transfer {
  readonly label: string;
  current: number;
  total: number | undefined;
}

export class TtyReporter implements Reporter {
  readonly #o: ReporterOptions;
  readonly #startedAt: number;
  readonly #running = new Map<string, RunningStep>();
  readonly #transfers = new Map<string, Transfer>();
  /** Lines for stdout that wait until the frame is gone. */
  readonly #results: string[] = [];
  readonly #restore = (): void => this.finish();
  #timer: NodeJS.Timeout | undefined;
  #frameHeight = 0;
  #finished = 0;
  #cached = 0;
  #isOver = false;

  constructor(o: ReporterOptions) {
    this.#o = o;
    this.#startedAt = o.now();
    process.once('exit', this.#restore);
  }

  readonly emit: Emit = (event) => {
    switch (event.type) {
      case 'step-started':
        this.#running.set(event.step, {
          name: event.name,
          startedAt: event.at,
          lines: [],
          filter: new ControlFilter(),
          decoder: new StringDecoder('utf8'),
          rest: '',
        });
        break;
      case 'step-output':
        this.#output(event);
        break;
      case 'step-finished':
        this.#stepFinished(event);
        break;
      case 'step-line':
        this.#stepLine(event.text);
        break;
      case 'transfer':
        this.#transfer(event);
        break;
      case 'note':
        this.#above(`${printable(event.text)}\n`);
        break;
      case 'warning':
        this.#above(`${this.#o.style.warning('warning:')} ${printable(event.text)}\n`);
        break;
      case 'diagnostic':
        this.#above(
          diagnosticText(event.diagnostic, { width: this.#o.stderr.columns, style: this.#o.style, verbose: false }),
        );
        break;
    }
    if (!this.#isOver) this.#timer ??= setTimeout(() => this.#redraw(), REDRAW_MS).unref();
  };

  finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    process.off('exit', this.#restore);
    clearTimeout(this.#timer);
    this.#erase();
    if (this.#finished + this.#cached > 0) this.#o.stderr.write(`${this.#header()}\n`);
    for (const line of this.#results) this.#o.stdout.write(`${line}\n`);
  }

  /** Steps are shown by the frame; what remains of Buildah's lines are results. A stdout that is no terminal gets all. */
  #stepLine(text: string): void {
    if (this.#o.hidesIds && isIdLine(text)) return;
    if (!this.#o.stdout.isTty) this.#o.stdout.write(`${text}\n`);
    else if (!/^(\[[^\]]*\] )*(STEP \d|COMMIT\b|-->)/.test(text)) this.#results.push(text);
  }

  #output(event: Extract<BuildEvent, { type: 'step-output' }>): void {
    if (event.stream === 'stdout' && !this.#o.stdout.isTty) this.#o.stdout.write(event.data);
    const step = this.#running.get(event.step);
    if (step === undefined) return;
    const text = step.rest + step.decoder.write(Buffer.from(step.filter.filter(event.data)));
    const lines = text.replace(/\x1b\[[\d;:]*m/g, '').split('\n');
    step.rest = lines.pop() ?? '';
    // A carriage return means that the line was drawn over: the last drawing counts.
    step.lines.push(...lines.map((line) => line.replace(/\r$/, '').split('\r').at(-1)!));
    if (step.lines.length > FAILURE_LINES) step.lines.splice(0, step.lines.length - FAILURE_LINES);
  }

  #stepFinished(event: Extract<BuildEvent, { type: 'step-finished' }>): void {
    const step = this.#running.get(event.step);
    this.#running.delete(event.step);
    if (event.outcome === 'cached') this.#cached += 1;
    else this.#finished += 1;
    if (step === undefined || event.outcome === 'cached' || event.outcome === 'canceled') return;
    const { good, bad, signs } = this.#o.style;
    const sign = event.outcome === 'failed' ? bad(signs.failed) : good(signs.done);
    let text = `${this.#line(sign, step.name, event.at - step.startedAt)}\n`;
    if (event.outcome === 'failed') {
      const lines = step.rest === '' ? step.lines : [...step.lines, step.rest];
      text += lines.map((line) => `    ${printable(line)}\n`).join('');
    }
    this.#above(text);
  }

  #transfer(event: Extract<BuildEvent, { type: 'transfer' }>): void {
    if (event.state === 'started' || event.state === 'progress') {
      const known = this.#transfers.get(event.id) ?? { label: event.label, current: 0, total: undefined };
      known.current = event.current ?? known.current;
      known.total = event.total ?? known.total;
      this.#transfers.set(event.id, known);
    } else {
      this.#transfers.delete(event.id);
    }
  }

  /** Writes lines that stay, above the frame. */
  #above(text: string): void {
    this.#erase();
    this.#o.stderr.write(text);
  }

  #erase(): void {
    if (this.#frameHeight === 0) return;
    this.#o.stderr.write(`\x1b[${this.#frameHeight}A\x1b[0J\x1b[?25h`);
    this.#frameHeight = 0;
  }

  #redraw(): void {
    this.#timer = undefined;
    if (this.#isOver) return;
    const lines = this.#frame();
    // One write, so that no terminal shows the moment in between; the cursor stays hidden until the frame goes.
    const up = this.#frameHeight === 0 ? '\x1b[?25l' : `\x1b[${this.#frameHeight}A\x1b[0J`;
    this.#o.stderr.write(`${up}${lines.map((line) => `${line}\n`).join('')}`);
    this.#frameHeight = lines.length;
    if (this.#running.size + this.#transfers.size > 0) {
      this.#timer = setTimeout(() => this.#redraw(), REDRAW_MS).unref();
    }
  }

  #frame(): string[] {
    const { faint, path, signs } = this.#o.style;
    const lines = [this.#header()];
    for (const step of this.#running.values()) {
      lines.push(this.#line(path(signs.running), step.name, this.#o.now() - step.startedAt));
      for (const text of step.lines.slice(-TAIL_LINES)) {
        lines.push(faint(fitWidth(`    ${printable(text)}`, this.#o.stderr.columns - 1)));
      }
    }
    for (const t of this.#transfers.values()) {
      const size =
        t.total === undefined
          ? t.current === 0
            ? ''
            : humanSize(t.current)
          : `${humanSize(t.current)} / ${humanSize(t.total)}`;
      lines.push(this.#spread(path(signs.running), t.label, size));
    }
    const room = Math.max(2, this.#o.stderr.rows - 1);
    return lines.length <= room ? lines : [...lines.slice(0, room - 1), faint(` ${lines.length - room + 1} more`)];
  }

  #header(): string {
    const { strong } = this.#o.style;
    const steps = this.#finished + this.#cached;
    const counts = [
      `${steps} ${steps === 1 ? 'step' : 'steps'}`,
      ...(this.#cached > 0 ? [`${this.#cached} cached`] : []),
    ].join(' · ');
    const elapsed = seconds(this.#o.now() - this.#startedAt);
    return this.#spread('', counts, elapsed, strong);
  }

  #line(sign: string, name: string, milliseconds: number): string {
    return this.#spread(sign, name, seconds(milliseconds));
  }

  /** Sign and text on the left, a figure on the right, within the terminal's width. */
  #spread(sign: string, text: string, right: string, paint: (text: string) => string = (t) => t): string {
    const width = Math.max(20, this.#o.stderr.columns - 1);
    const room = width - 4 - displayWidth(right) - 1;
    const left = fitWidth(printable(text), room);
    const gap = ' '.repeat(Math.max(1, room - displayWidth(left) + 1));
    return ` ${sign === '' ? '' : `${sign} `}${paint(left)}${gap}${sign === '' ? '  ' : ''}${this.#o.style.faint(right)}`;
  }
}

function seconds(milliseconds: number): string {
  return `${(Math.max(0, milliseconds) / 1000).toFixed(1)}s`;
}
