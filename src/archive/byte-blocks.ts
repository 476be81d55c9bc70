/** Regrouping of streams: whole blocks out of chunks of any size, and reads of exact lengths. */
import type { Bytes } from '../spec/target.ts';

/** Blocks of exactly `size` bytes, the last one shorter; each is the consumer's to keep. Nothing gives no block. */
export async function* blocksOf(bytes: Bytes, size: number): AsyncGenerator<Buffer, void, undefined> {
  let block: Buffer | undefined;
  let filled = 0;
  for await (const chunk of bytes) {
    for (let at = 0; at < chunk.length; ) {
      block ??= Buffer.allocUnsafeSlow(size);
      const taken = Math.min(size - filled, chunk.length - at);
      block.set(chunk.subarray(at, at + taken), filled);
      at += taken;
      filled += taken;
      if (filled < size) continue;
      yield block;
      block = undefined;
      filled = 0;
    }
  }
  if (block !== undefined) yield block.subarray(0, filled);
}

/** Reads exact numbers of bytes from a stream. Close it when done with, read to the end or not. */
export class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);
  #at = 0;
  #isEnded = false;

  constructor(bytes: Bytes) {
    this.#source = bytes[Symbol.asyncIterator]();
  }

  /** The next `length` bytes, or fewer where the stream ends; valid until the next call. */
  async read(length: number): Promise<Uint8Array> {
    const here = this.#chunk.length - this.#at;
    if (here >= length) {
      this.#at += length;
      return this.#chunk.subarray(this.#at - length, this.#at);
    }
    const parts = Buffer.allocUnsafe(length);
    let filled = 0;
    while (filled < length && (await this.#refill())) {
      const taken = Math.min(length - filled, this.#chunk.length - this.#at);
      parts.set(this.#chunk.subarray(this.#at, this.#at + taken), filled);
      this.#at += taken;
      filled += taken;
    }
    return parts.subarray(0, filled);
  }

  /** The next bytes there are, at most `length`; empty only at the end. Valid until the next call. */
  async readSome(length: number): Promise<Uint8Array> {
    if (!(await this.#refill())) return this.#chunk.subarray(0, 0);
    return this.read(Math.min(length, this.#chunk.length - this.#at));
  }

  async close(): Promise<void> {
    if (this.#isEnded) return;
    this.#isEnded = true;
    await this.#source.return?.();
  }

  /** False at the end of the stream. */
  async #refill(): Promise<boolean> {
    while (this.#at === this.#chunk.length) {
      if (this.#isEnded) return false;
      const { done, value } = await this.#source.next();
      if (done === true) {
        this.#isEnded = true;
        return false;
      }
      this.#chunk = value;
      this.#at = 0;
    }
    return true;
  }
}
