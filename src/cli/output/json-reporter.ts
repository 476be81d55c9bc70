/**
 * One JSON object per line on stderr, for programs; docs/events.md tells of them. `schema` changes when a member
 * changes its meaning or goes, not when members or types of events are added.
 */
import type { BuildEvent, Emit, Span } from '../../index.ts';
import { BuildProgress } from './build-progress.ts';
import { causesOf, isCoded, isSystemError } from './error-text.ts';
import { exitWords } from './exit-words.ts';
import type { Output } from './output.ts';
import { TAIL_LINES } from './output-tail.ts';
import { redact, redactAll } from './redact.ts';
import type { Ending, Reporter, ReporterOptions } from './reporter.ts';

export const PROGRESS_SCHEMA = 1;

export class JsonReporter implements Reporter {
  readonly #stderr: Output;
  readonly #now: () => number;
  readonly #progress = new BuildProgress();
  #isOver = false;

  constructor(o: Pick<ReporterOptions, 'stderr' | 'now'>) {
    this.#stderr = o.stderr;
    this.#now = o.now;
  }

  readonly emit: Emit = (event) => {
    this.#progress.apply(event, this.#now());
    this.#write(shapeOf(event));
  };

  /** The last line of a failure tells why. */
  finish(ending: Ending = {}): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if ('error' in ending) this.#write(this.#errorEvent(ending));
  }

  #errorEvent({ error, isStopped }: Ending): object {
    if (!isCoded(error)) {
      const message = error instanceof Error ? error.message : String(error);
      const code = isStopped === true ? 'sys.cancelled' : isSystemError(error) ? 'sys.call-failed' : 'internal';
      return { type: 'error', code, message: redact(message), causes: [] };
    }
    const { code, message, hint, facts, span } = error;
    const exit = exitWords(facts);
    const tail = exit === undefined && facts?.['exitCode'] === undefined ? [] : this.#failedOutput();
    return {
      type: 'error',
      code,
      message: redact(message),
      causes: causesOf(error).map(redact),
      ...(hint === undefined ? {} : { hint: redact(hint) }),
      ...(facts === undefined ? {} : { facts: redactAll(facts) }),
      ...(span === undefined ? {} : { place: placeOf(span) }),
      ...(exit === undefined ? {} : { exit }),
      ...(tail.length === 0 ? {} : { output: tail }),
    };
  }

  #failedOutput(): readonly string[] {
    return this.#progress.failed.at(-1)?.tail.last(TAIL_LINES) ?? [];
  }

  #write(event: object): void {
    this.#stderr.write(`${JSON.stringify({ schema: PROGRESS_SCHEMA, ...event })}\n`);
  }
}

/** What a command prints goes out as it is, all else without credentials. */
function shapeOf(event: BuildEvent): object {
  if (event.type === 'step-output') {
    const { data, ...rest } = event;
    return { ...rest, ...textOrBytes(data) };
  }
  if (event.type === 'steps-planned') {
    const steps = event.steps.map(({ span, ...step }) => ({
      ...(redactAll(step) as object),
      ...(span === undefined ? {} : { place: placeOf(span) }),
    }));
    return { type: event.type, steps };
  }
  if (event.type !== 'diagnostic') return redactAll(event) as object;
  const { severity, code, message, span, notes, help } = event.diagnostic;
  return {
    type: 'diagnostic',
    severity,
    code,
    message: redact(message),
    place: placeOf(span),
    notes: notes.map((note) => ({
      message: redact(note.message),
      ...(note.span === undefined ? {} : { place: placeOf(note.span) }),
    })),
    ...(help === undefined ? {} : { help: redact(help) }),
  };
}

function textOrBytes(data: Uint8Array): { text: string } | { base64: string } {
  try {
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data) };
  } catch {
    return { base64: Buffer.from(data).toString('base64') };
  }
}

/** Lines and columns count from one; columns are UTF-16 units. */
function placeOf(span: Span): object {
  const at = (offset: number): { line: number; column: number } => {
    const before = span.file.text.slice(0, offset);
    return { line: before.split('\n').length, column: offset - (before.lastIndexOf('\n') + 1) + 1 };
  };
  return { file: redact(span.file.name), start: at(span.start), end: at(span.end) };
}
