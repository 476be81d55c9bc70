/**
 * The terminal of a container as its runtime hands it over, shown on the caller's streams. For crun, whose releases before
 * 1.9 never tell the container that the caller's terminal has another size.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { DescriptorSocket } from '../sys/descriptor-socket.ts';
import type { ProcessIo } from './executor.ts';
import { TerminalRelay } from './terminal-relay.ts';

const LOOK_AGAIN_MS = 5;

export class RuntimeTerminal implements Disposable {
  /** Of the runtime itself: what it has to say goes to its log. */
  readonly fds = ['ignore', 'ignore', 'ignore'] as const;
  /** What the runtime's `--console-socket` names. */
  readonly path: string;
  readonly #socket: DescriptorSocket;
  readonly #arrival: Promise<void>;
  #relay: TerminalRelay | undefined;
  #isOver = false;
  #isClosed = false;

  /** @param path where nothing is yet, in a directory of our own */
  constructor(path: string, io: ProcessIo) {
    this.path = path;
    this.#socket = new DescriptorSocket(path);
    this.#arrival = this.#await(io);
    this.#arrival.catch(() => {});
  }

  async #await(io: ProcessIo): Promise<void> {
    while (!this.#isClosed) {
      const isLast = this.#isOver;
      const fd = this.#socket.take();
      if (fd !== undefined) this.#relay = new TerminalRelay(fd, io);
      if (fd !== undefined || isLast) return;
      await delay(LOOK_AGAIN_MS);
    }
  }

  closeTheirs(): void {}

  /** Resolves when everything written to the terminal has been shown; to be called when the runtime has ended. */
  async drained(): Promise<void> {
    this.#isOver = true;
    await this.#arrival;
    await this.#relay?.drained();
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#relay?.[Symbol.dispose]();
    this.#socket[Symbol.dispose]();
  }
}
