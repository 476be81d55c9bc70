/** Buildah's words on Buildah's streams, append-only. */
import type { BuildEvent, Diagnostic, Emit } from '../../index.ts';
import { BuildProgress } from './build-progress.ts';
import { summaryText } from './build-summary.ts';
import { ControlFilter } from './control-filter.ts';
import { buildDiagnosticText } from './error-text.ts';
import type { Output } from './output.ts';
import { redact } from './redact.ts';
import { type Ending, isIdLine, type Reporter, type ReporterOptions } from './reporter.ts';
import { printable } from './source-frame.ts';
import { StageOrder } from './stage-order.ts';
import { usageText } from './usage-text.ts';

const FIRST_LINE = 'Getting image source signatures';
const LAST_LINE = 'Writing manifest to image destination';

export class PlainReporter implements Reporter {
  readonly #o: ReporterOptions;
  readonly #filters = new Map<string, ControlFilter>();
  readonly #startedAt: number;
  readonly #progress = new BuildProgress();
  readonly #order = new StageOrder((event) => this.#tell(event));
  readonly #seen = new Set<string>();
  /** A transfer has begun and its manifest is not written yet. */
  #isCopying = false;
  #isOver = false;

  constructor(o: ReporterOptions) {
    this.#o = o;
    this.#startedAt = o.now();
  }

  /** Stages built side by side are told of one after the other. */
  readonly emit: Emit = (event) => {
    if (event.type !== 'step-output') this.#progress.apply(event, this.#o.now());
    this.#order.emit(event);
  };

  finish(ending: Ending = {}): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#order.end();
    if (this.#o.hasSummary !== true || this.#o.quiet || !this.#isLoud()) return;
    const milliseconds = this.#o.now() - this.#startedAt;
    const text = summaryText(this.#progress, { milliseconds, ending, style: this.#o.style });
    if (text !== undefined) this.#o.stderr.write(`${text}\n`);
  }

  #tell(event: BuildEvent): void {
    const { stdout, stderr, quiet, hidesIds } = this.#o;
    switch (event.type) {
      case 'step-line':
        if (!quiet && !(hidesIds && isIdLine(event.text))) stdout.write(`${event.text}\n`);
        return;
      case 'step-output':
        if (event.stream === 'stderr') this.#output(stderr, event);
        else if (!quiet) this.#output(stdout, event);
        return;
      case 'transfer':
        if (!quiet) this.#transfer(event);
        return;
      case 'note':
        if (!quiet && this.#isLoud()) stderr.write(`${printable(redact(event.text))}\n`);
        return;
      case 'warning':
        if (this.#isLoud()) stderr.write(`${this.#o.style.warning('warning:')} ${printable(redact(event.text))}\n`);
        return;
      case 'diagnostic':
        this.#diagnostic(event.diagnostic);
        return;
      case 'step-finished':
        if (!quiet && event.usage !== undefined) stdout.write(`${usageText(event.usage)}\n`);
        return;
      case 'step-started':
      case 'build-started':
      case 'steps-planned':
      case 'debug-shell':
      case 'phase':
      case 'timings':
      case 'stage-finished':
      case 'build-finished':
      case 'explained':
        return;
    }
  }

  #diagnostic(diagnostic: Diagnostic): void {
    const { stderr, style, quiet } = this.#o;
    if (diagnostic.severity === 'warning' && (quiet || !this.#isLoud())) return;
    stderr.write(buildDiagnosticText(diagnostic, { width: stderr.columns, style, verbose: false }));
  }

  #isLoud(): boolean {
    return !['error', 'fatal', 'panic'].includes(this.#o.logLevel);
  }

  #output(to: Output, event: Extract<BuildEvent, { type: 'step-output' }>): void {
    if (!to.isTty) {
      to.write(event.data);
      return;
    }
    const key = `${event.step} ${event.stream}`;
    const filter = this.#filters.get(key) ?? new ControlFilter();
    this.#filters.set(key, filter);
    to.write(filter.filter(event.data));
  }

  /**
   * One line when a thing begins; nothing when it ends. Every copy begins and ends with the same lines, and what is
   * copied twice on one way, through the store and on, is told once.
   */
  #transfer(event: Extract<BuildEvent, { type: 'transfer' }>): void {
    const { label, state } = event;
    if (!this.#isCopying) {
      if (label === LAST_LINE) return;
      this.#isCopying = true;
      this.#seen.clear();
      this.#seen.add(FIRST_LINE);
      this.#o.stderr.write(`${FIRST_LINE}\n`);
    }
    if (!this.#seen.has(label)) {
      this.#seen.add(label);
      this.#o.stderr.write(`${printable(redact(label))}${state === 'skipped' ? ' skipped: already exists' : ''}\n`);
    }
    if (label === LAST_LINE) this.#isCopying = false;
  }
}
