/**
 * Keeps a display quiet while somebody has the terminal: what happens meanwhile is told when it is free again. Of what
 * steps print, the first few megabytes are kept.
 */
import type { BuildEvent, Emit } from '../../index.ts';
import type { Output } from './output.ts';
import { redact } from './redact.ts';
import { printable } from './source-frame.ts';

export const MOST_HELD_BYTES = 4 * 1024 * 1024;

export class HeldDisplay {
  readonly #next: Emit;
  readonly #stderr: Output;
  #held: BuildEvent[] | undefined;
  #bytes = 0;
  #lost = 0;

  /** @param stderr where the person is told what this shell is */
  constructor(next: Emit, stderr: Output) {
    this.#next = next;
    this.#stderr = stderr;
  }

  readonly emit: Emit = (event) => {
    if (event.type === 'debug-shell') {
      this.#next(event);
      if (event.state === 'closed') this.#release();
      else this.#hold(event.text ?? '');
    } else if (this.#held === undefined) {
      this.#next(event);
    } else {
      this.#keep(event);
    }
  };

  #hold(text: string): void {
    this.#held = [];
    this.#bytes = 0;
    this.#lost = 0;
    const lines = redact(text).split('\n');
    this.#stderr.write(`\n${lines.map((line) => `${printable(line)}\n`).join('')}`);
  }

  #keep(event: BuildEvent): void {
    if (event.type !== 'step-output') {
      this.#held!.push(event);
    } else if (this.#bytes + event.data.length > MOST_HELD_BYTES) {
      this.#lost += event.data.length;
    } else {
      this.#bytes += event.data.length;
      // The sender may use its buffer again.
      this.#held!.push({ ...event, data: Uint8Array.from(event.data) });
    }
  }

  #release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const event of held) this.#next(event);
    if (this.#lost > 0) {
      this.#next({ type: 'note', text: `${this.#lost} bytes that other steps printed meanwhile are left out` });
    }
  }
}
