/**
 * A terminal of the container shown on the caller's streams: what is typed goes in raw, what is written comes out, the
 * size follows. The container never holds our own terminal, so it cannot push input into it (TIOCSTI).
 */
import { ReadStream } from 'node:tty';
import { setTerminalSize } from '../sys/terminal.ts';
import type { ProcessIo } from './executor.ts';

export class TerminalRelay implements Disposable {
  readonly #stream: ReadStream;
  readonly #fd: number;
  readonly #undo: (() => void)[] = [];
  readonly #closed: Promise<void>;

  /** @param fd the program's end of the terminal; the relay closes it */
  constructor(fd: number, io: ProcessIo) {
    this.#fd = fd;
    this.#stream = new ReadStream(fd);
    // The last process in the terminal closing it reads as EIO: that is its end of file.
    this.#stream.on('error', () => {});
    this.#closed = new Promise((resolve) => {
      this.#stream.once('close', () => resolve());
    });
    const out = io.stdout;
    this.#stream.on('data', (chunk: Buffer) => (out === 'inherit' ? process.stdout.write(chunk) : out(chunk)));
    if (io.stdin === 'inherit') this.#typeFrom(process.stdin);
    else if (io.stdin !== 'ignore') void this.#feed(io.stdin);
    if (process.stdout.isTTY) this.#followSize();
  }

  #typeFrom(keyboard: NodeJS.ReadStream): void {
    const onData = (chunk: Buffer): void => void this.#stream.write(chunk);
    if (keyboard.isTTY) {
      keyboard.setRawMode(true);
      this.#undo.push(() => void keyboard.setRawMode(false));
    }
    keyboard.on('data', onData);
    keyboard.resume();
    this.#undo.push(() => {
      keyboard.off('data', onData);
      keyboard.pause();
    });
  }

  async #feed(source: AsyncIterable<Uint8Array>): Promise<void> {
    const EOT = Buffer.from([4]);
    for await (const chunk of source) this.#stream.write(chunk);
    this.#stream.write(EOT);
  }

  #followSize(): void {
    const follow = (): void => setTerminalSize(this.#fd, process.stdout.rows, process.stdout.columns);
    follow();
    process.stdout.on('resize', follow);
    this.#undo.push(() => void process.stdout.off('resize', follow));
  }

  /** Resolves when everything written to the terminal has been shown. */
  async drained(): Promise<void> {
    await this.#closed;
  }

  [Symbol.dispose](): void {
    for (const undo of this.#undo.splice(0)) undo();
    this.#stream.destroy();
  }
}
