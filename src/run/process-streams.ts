/**
 * The streams between this program and a process that was not started through node: pipes, or our own descriptors.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { openPipe } from '../sys/spawn.ts';
import type { ProcessIo } from './executor.ts';

/** The descriptors for the process, and our side of them. */
export class ProcessStreams implements Disposable {
  /** What becomes 0, 1 and 2 of the process. */
  readonly fds: readonly number[];
  readonly #theirs: number[] = [];
  readonly #readers: Promise<void>[] = [];
  readonly #sockets: Socket[] = [];

  constructor(io: ProcessIo) {
    this.fds = [this.#input(io.stdin), this.#output(io.stdout, 1), this.#output(io.stderr, 2)];
  }

  #input(source: ProcessIo['stdin']): number {
    if (source === 'inherit') return 0;
    if (source === 'ignore') {
      const fd = openSync('/dev/null', constants.O_RDONLY);
      this.#theirs.push(fd);
      return fd;
    }
    const pipe = openPipe();
    this.#theirs.push(pipe.read);
    const socket = new Socket({ fd: pipe.write, readable: false, writable: true });
    this.#sockets.push(socket);
    // A process may end without reading what it is given.
    socket.on('error', () => {});
    void feed(socket, source);
    return pipe.read;
  }

  #output(sink: ProcessIo['stdout'], inherited: number): number {
    if (sink === 'inherit') return inherited;
    const pipe = openPipe();
    this.#theirs.push(pipe.write);
    const socket = new Socket({ fd: pipe.read, readable: true, writable: false });
    this.#sockets.push(socket);
    socket.on('data', (chunk: Buffer) => sink(chunk));
    this.#readers.push(
      new Promise((resolve) => {
        socket.once('error', () => resolve());
        socket.once('close', () => resolve());
      }),
    );
    return pipe.write;
  }

  /** To be called once the process has its own copies: only then can the end of its output be seen. */
  closeTheirs(): void {
    for (const fd of this.#theirs.splice(0)) closeSync(fd);
  }

  /** Resolves when everything the process wrote has been delivered. */
  async drained(): Promise<void> {
    await Promise.all(this.#readers);
  }

  [Symbol.dispose](): void {
    this.closeTheirs();
    for (const socket of this.#sockets.splice(0)) socket.destroy();
  }
}

async function feed(socket: Socket, source: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    for await (const chunk of source) {
      if (socket.destroyed) return;
      if (!socket.write(chunk)) {
        await new Promise<void>((resolve) => {
          socket.once('drain', resolve);
          socket.once('close', resolve);
        });
      }
    }
  } finally {
    socket.end();
  }
}
