/** Reading a tar archive by pulling: for consumers that must wait between members, as copying and importing do. */
import type { Bytes } from '../spec/target.ts';
import type { TarEntry } from './tar-entry.ts';
import type { TarLimits } from './tar-limits.ts';
import { TarParser } from './tar-parser.ts';

export interface TarMember {
  readonly entry: TarEntry;
  /** To be read, once, before the next member is asked for; what is left unread is skipped. */
  readonly content: Bytes;
}

/** What the parser found in one piece of input, in order. */
type Found =
  | { readonly type: 'entry'; readonly entry: TarEntry }
  | { readonly type: 'data'; readonly chunk: Buffer }
  | { readonly type: 'hole'; size: number };

/** Input is parsed in pieces of this size: a piece of nothing but headers makes 512 entries to hold. */
const PIECE_SIZE = 256 * 1024;
const ZEROS = Buffer.alloc(256 * 1024);

/**
 * The members of an archive in order.
 * @throws BuilderError `tar.invalid`, as `TarParser`; content chunks keep the rule of `Bytes`
 */
export async function* readTar(
  bytes: Bytes,
  limits: Partial<TarLimits> = {},
): AsyncGenerator<TarMember, void, undefined> {
  const queue = new FoundQueue(bytes, limits);
  try {
    for (;;) {
      const found = await queue.next();
      if (found === undefined) return;
      // Content that nobody asked for.
      if (found.type === 'entry') yield { entry: found.entry, content: queue.content() };
    }
  } finally {
    await queue.close();
  }
}

class FoundQueue {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #parser: TarParser;
  #piece: Uint8Array = ZEROS.subarray(0, 0);
  #found: Found[] = [];
  #next = 0;
  #isFinished = false;
  #member = 0;

  constructor(bytes: Bytes, limits: Partial<TarLimits>) {
    this.#source = bytes[Symbol.asyncIterator]();
    this.#parser = new TarParser(
      {
        entry: (entry) => this.#found.push({ type: 'entry', entry }),
        // The slices stay valid: the source is not asked for more before the queue is empty.
        data: (chunk) => this.#found.push({ type: 'data', chunk }),
        hole: (size) => this.#found.push({ type: 'hole', size }),
      },
      limits,
    );
  }

  /** The next thing found, removed from the queue; undefined at the end of the archive. */
  async next(): Promise<Found | undefined> {
    const found = await this.#peek();
    if (found === undefined) return undefined;
    this.#next += 1;
    if (found.type === 'entry') this.#member += 1;
    return found;
  }

  /** Content of the member that was taken last. */
  content(): Bytes {
    return this.#contentOf(this.#member);
  }

  async *#contentOf(member: number): Bytes {
    for (;;) {
      if (member !== this.#member) throw new Error('the content of a tar member was read after the next member');
      const found = await this.#peek();
      if (found === undefined || found.type === 'entry') return;
      if (found.type === 'data') {
        this.#next += 1;
        yield found.chunk;
        continue;
      }
      const size = Math.min(found.size, ZEROS.length);
      found.size -= size;
      if (found.size === 0) this.#next += 1;
      yield ZEROS.subarray(0, size);
    }
  }

  async close(): Promise<void> {
    if (!this.#isFinished) await this.#source.return?.();
    this.#isFinished = true;
  }

  async #peek(): Promise<Found | undefined> {
    while (this.#next === this.#found.length) {
      if (this.#isFinished) return undefined;
      this.#found = [];
      this.#next = 0;
      await this.#parseMore();
    }
    return this.#found[this.#next];
  }

  async #parseMore(): Promise<void> {
    if (this.#piece.length === 0) {
      const { done, value } = await this.#source.next();
      if (done === true) {
        this.#isFinished = true;
        this.#parser.finish();
        return;
      }
      this.#piece = value;
    }
    const now = this.#piece.subarray(0, PIECE_SIZE);
    this.#piece = this.#piece.subarray(now.length);
    this.#parser.push(now);
  }
}
