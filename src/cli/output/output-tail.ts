/**
 * The last lines a command printed, as plain text: no sequence of its own reaches the terminal through them. Bytes are
 * only kept while they come in; they are read when somebody looks, ten times a second at most.
 */
import { StringDecoder } from 'node:string_decoder';
import { ControlFilter } from './control-filter.ts';
import { printable } from './source-frame.ts';

/** Lines kept of a step: what a failure shows again. */
export const TAIL_LINES = 20;
const MAX_BYTES = 32 * 1024;

interface Piece {
  readonly stream: string;
  readonly data: Uint8Array;
}

export class OutputTail {
  #pieces: Piece[] = [];
  #bytes = 0;
  /** Streams whose oldest bytes are gone: what is left begins in the middle of a line. */
  readonly #cut = new Set<string>();

  /** @param data is copied: the sender may use its buffer again */
  push(stream: string, data: Uint8Array): void {
    if (data.length > MAX_BYTES) this.#cut.add(stream);
    const kept = Uint8Array.from(data.subarray(-MAX_BYTES));
    this.#pieces.push({ stream, data: kept });
    this.#bytes += kept.length;
    while (this.#bytes > MAX_BYTES && this.#pieces.length > 1) {
      const { stream: name, data: gone } = this.#pieces.shift()!;
      this.#cut.add(name);
      this.#bytes -= gone.length;
    }
  }

  /** The last `count` lines, unfinished ones included; empty ones at the end are left out. */
  last(count: number): readonly string[] {
    const lines: string[] = [];
    const rests = new Map<string, string>();
    for (const { stream, text } of this.#texts()) {
      const parts = `${rests.get(stream) ?? ''}${text}`.split('\n');
      rests.set(stream, parts.pop()!);
      lines.push(...parts);
    }
    lines.push(...[...rests.values()].filter((rest) => rest !== ''));
    while (lines.length > 0 && drawn(lines.at(-1)!).trim() === '') lines.pop();
    return count <= 0 ? [] : lines.slice(-count).map(drawn);
  }

  /** Both streams of a command may be in the middle of a character or a sequence. */
  *#texts(): Iterable<{ readonly stream: string; readonly text: string }> {
    const readers = new Map<string, { readonly filter: ControlFilter; readonly decoder: StringDecoder }>();
    const cut = new Set(this.#cut);
    for (const { stream, data } of this.#pieces) {
      const reader = readers.get(stream) ?? { filter: new ControlFilter(), decoder: new StringDecoder('utf8') };
      readers.set(stream, reader);
      const start = cut.has(stream) ? lineStart(data) : 0;
      if (start === undefined) continue;
      cut.delete(stream);
      const text = reader.decoder.write(Buffer.from(reader.filter.filter(data.subarray(start))));
      yield { stream, text: text.replace(COLOR, '') };
    }
  }
}

const COLOR = /\x1b\[[\d;:]*m/g;
const LF = 0x0a;
const CR = 0x0d;

function lineStart(data: Uint8Array): number | undefined {
  const at = data.findIndex((byte) => byte === LF || byte === CR);
  return at === -1 ? undefined : at + 1;
}

/** A carriage return means that the line was drawn over: the last drawing counts. */
function drawn(line: string): string {
  const last = line.replace(/\r+$/, '').split('\r').at(-1)!;
  return printable(last.replace(/\t/g, '    '));
}
