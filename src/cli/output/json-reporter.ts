/** One JSON object per line on stderr, for programs. `schema` changes when a member changes its meaning. */
import type { Emit, Span } from '../../index.ts';
import type { Output } from './output.ts';
import type { Reporter, ReporterOptions } from './reporter.ts';

export const PROGRESS_SCHEMA = 1;

export class JsonReporter implements Reporter {
  readonly #stderr: Output;

  constructor(o: Pick<ReporterOptions, 'stderr'>) {
    this.#stderr = o.stderr;
  }

  readonly emit: Emit = (event) => {
    if (event.type === 'step-output') {
      const { data, ...rest } = event;
      this.#write({ ...rest, ...textOrBytes(data) });
    } else if (event.type === 'diagnostic') {
      const { span, notes, ...rest } = event.diagnostic;
      const places = notes.map(({ message, span: s }) => ({
        message,
        ...(s === undefined ? {} : { place: placeOf(s) }),
      }));
      this.#write({ type: 'diagnostic', ...rest, place: placeOf(span), notes: places });
    } else {
      this.#write(event);
    }
  };

  finish(): void {}

  #write(event: object): void {
    this.#stderr.write(`${JSON.stringify({ schema: PROGRESS_SCHEMA, ...event })}\n`);
  }
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
  return { file: span.file.name, start: at(span.start), end: at(span.end) };
}
