/**
 * Lets a long synchronous loop give way now and then, so that signals, timers and displays stay alive, without paying
 * for an `await` per file.
 */
import { setImmediate as turn } from 'node:timers/promises';

/** Units between two rests; a small file counts one, 64 KiB of a large one count one. */
const UNITS_PER_REST = 1024;

export class Pace {
  #units = 0;
  readonly #signal: AbortSignal | undefined;

  constructor(signal?: AbortSignal) {
    this.#signal = signal;
  }

  /** Counts work done; true when `rest` should be awaited. */
  due(units = 1): boolean {
    this.#units += units;
    return this.#units >= UNITS_PER_REST;
  }

  /** One turn of the event loop. @throws the signal's reason when aborted */
  async rest(): Promise<void> {
    this.#units = 0;
    await turn();
    this.#signal?.throwIfAborted();
  }
}
