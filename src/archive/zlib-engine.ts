/**
 * Drives one of Node's zlib streams by pulling. `pipeline` and events would let errors of the source and of the engine
 * mix and leave the source open when the consumer stops; here the source is only asked from within the generator, so
 * both end as in any loop.
 */
import type { Transform } from 'node:stream';
import type { Bytes } from '../spec/target.ts';

/** Output buffer of an engine: with 1 MiB inflating runs three times as fast as with Node's 16 KiB. */
export const ENGINE_CHUNK_SIZE = 1024 * 1024;

/** A zlib stream: `bytesWritten` counts the input it has taken in. */
export type ZlibEngine = Transform & { readonly bytesWritten: number };

/**
 * What the engine makes of `bytes`.
 * @param rest is given what the engine leaves unread once it has reached the end of its format: the rest of that chunk
 *   and every later one; it throws when such bytes are not welcome
 * @param failed turns an error of the engine into the one to throw; the source's own errors pass as they are
 */
export async function* throughEngine(
  engine: ZlibEngine,
  bytes: Bytes,
  rest: (unread: Uint8Array) => void,
  failed: (error: unknown) => Error,
): Bytes {
  const drive = new EngineDrive(engine, failed);
  try {
    for await (const chunk of bytes) {
      if (chunk.length === 0) continue;
      if (!drive.hasStopped) yield* drive.write(chunk);
      if (drive.hasStopped) rest(chunk.subarray(chunk.length - drive.takeUnread(chunk.length)));
    }
    yield* drive.end();
  } finally {
    engine.destroy();
  }
}

class EngineDrive {
  readonly #engine: ZlibEngine;
  readonly #failed: (error: unknown) => Error;
  #wake: () => void = () => {};
  #error: unknown;
  #hasEnded = false;
  /** Bytes given to the engine. */
  #fed = 0;
  #unread = 0;

  constructor(engine: ZlibEngine, failed: (error: unknown) => Error) {
    this.#engine = engine;
    this.#failed = failed;
    engine.on('readable', () => this.#wake());
    engine.on('end', () => {
      this.#hasEnded = true;
      this.#wake();
    });
    engine.on('error', (error) => {
      this.#error = error;
      this.#wake();
    });
  }

  /** Whether the engine has met the end of its format and takes no more. */
  hasStopped = false;

  /** How much of the chunk at hand the engine has not taken. */
  takeUnread(chunkLength: number): number {
    const unread = this.#unread === 0 ? chunkLength : this.#unread;
    this.#unread = 0;
    return unread;
  }

  async *write(chunk: Uint8Array): Bytes {
    let isTaken = false;
    this.#fed += chunk.length;
    this.#engine.write(chunk, () => {
      isTaken = true;
      this.#wake();
    });
    yield* this.#drain(() => isTaken);
    this.#unread = this.#fed - this.#engine.bytesWritten;
    this.hasStopped = this.#unread > 0;
  }

  async *end(): Bytes {
    this.#engine.end();
    yield* this.#drain(() => this.#hasEnded);
  }

  async *#drain(isDone: () => boolean): Bytes {
    for (;;) {
      const output = this.#engine.read() as Buffer | null;
      if (this.#error !== undefined) throw this.#failed(this.#error);
      if (output !== null) yield output;
      else if (isDone()) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
