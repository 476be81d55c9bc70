/**
 * Blobs by digest. A blob is visible only once it was written whole, verified and flushed; writing one that is already
 * there is success and reads nothing.
 */
import { createHash } from 'node:crypto';
import {
  createReadStream,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { type Digest, digestFromHex, digestOf, hexOf } from '../spec/digest.ts';
import type { Bytes, Cancellable } from '../spec/target.ts';
import { namingFile, writeFile } from '../sys/file-write.ts';
import { errnoOf } from '../sys/libc.ts';
import { syncDirectory } from './atomic-file.ts';

const READ_CHUNK = 1 << 20;

/** A blob being written. Disposing without `commit` leaves nothing behind. */
export interface Ingest extends AsyncDisposable {
  write(chunk: Uint8Array): Promise<void>;
  /** @throws `blob.digest-mismatch` */
  commit(expected?: {
    readonly digest?: Digest;
    readonly size?: number;
  }): Promise<{ readonly digest: Digest; readonly size: number }>;
}

export class ContentStore {
  readonly #blobs: string;
  readonly #scratch: () => string;
  #counter = 0;

  /** @param scratch gives this process's private temporary directory on the same file system */
  constructor(blobs: string, scratch: () => string) {
    this.#blobs = blobs;
    this.#scratch = scratch;
  }

  pathOf(digest: Digest): string {
    return join(this.#blobs, hexOf(digest));
  }

  has(digest: Digest): boolean {
    return existsSync(this.pathOf(digest));
  }

  sizeOf(digest: Digest): number | undefined {
    return statSync(this.pathOf(digest), { throwIfNoEntry: false })?.size;
  }

  exists(d: Descriptor): Promise<boolean> {
    return Promise.resolve(this.sizeOf(d.digest) === d.size);
  }

  /** Streams a blob; the consumer verifies what matters to it. @throws `blob.not-found`, `store.damaged` from the stream */
  async open(d: { readonly digest: Digest }): Promise<Bytes> {
    if (!this.has(d.digest)) throw this.#missing(d.digest);
    return this.#stream(d.digest);
  }

  async *#stream(digest: Digest): AsyncGenerator<Uint8Array> {
    try {
      yield* createReadStream(this.pathOf(digest), { highWaterMark: READ_CHUNK });
    } catch (error) {
      throw unreadable(digest, error);
    }
  }

  /** A small blob whole, verified. @throws `blob.not-found`, `store.damaged` */
  read(digest: Digest): Buffer {
    let content: Buffer;
    try {
      content = readFileSync(this.pathOf(digest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw this.#missing(digest);
      throw unreadable(digest, error);
    }
    if (digestOf(content) !== digest) {
      throw new BuilderError('store.damaged', `the blob ${digest} in the store has other content`, {
        hint: '`slipway system check --repair` clears it away; then pull or build the image again',
      });
    }
    return content;
  }

  #missing(digest: Digest): BuilderError {
    return new BuilderError('blob.not-found', `the blob ${digest} is not in the store`, {
      hint: 'pull or build the image again',
      facts: { digest },
    });
  }

  /** Stores a small blob and gives its digest. */
  put(content: Uint8Array): Digest {
    const digest = digestOf(content);
    if (this.has(digest)) return digest;
    const path = this.#fresh();
    try {
      writeFile(path, content, { mode: 0o600, flag: 'wx', flush: true });
      renameSync(path, this.pathOf(digest));
    } catch (error) {
      rmSync(path, { force: true });
      throw error;
    }
    return digest;
  }

  /** Flushes the directory of blobs: call once before something durable refers to new blobs. */
  flush(): void {
    syncDirectory(this.#blobs);
  }

  async push(expected: Descriptor, content: Bytes, o: Cancellable = {}): Promise<void> {
    if (await this.exists(expected)) return;
    await using ingest = await this.ingest();
    let received = 0;
    for await (const chunk of content) {
      o.signal?.throwIfAborted();
      received += chunk.length;
      if (received > expected.size) break;
      await ingest.write(chunk);
    }
    if (received !== expected.size) {
      throw new BuilderError(
        'blob.digest-mismatch',
        `the content of ${expected.digest} has ${received > expected.size ? 'more than' : `${received} instead of`} ${expected.size} bytes`,
      );
    }
    await ingest.commit(expected);
  }

  async ingest(): Promise<Ingest> {
    const path = this.#fresh();
    const file: FileHandle = await open(path, 'wx', 0o600);
    const hash = createHash('sha256');
    let size = 0;
    let state: 'open' | 'done' = 'open';
    const finish = async (): Promise<void> => {
      if (state === 'done') return;
      state = 'done';
      await file.close();
      rmSync(path, { force: true });
    };
    return {
      write: async (chunk) => {
        hash.update(chunk);
        size += chunk.length;
        try {
          for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
        } catch (error) {
          throw namingFile(error, path);
        }
      },
      commit: async (expected = {}) => {
        const digest = digestFromHex(hash.digest('hex'));
        if (expected.digest !== undefined && expected.digest !== digest) {
          throw new BuilderError('blob.digest-mismatch', `expected content ${expected.digest} and got ${digest}`);
        }
        if (expected.size !== undefined && expected.size !== size) {
          throw new BuilderError(
            'blob.digest-mismatch',
            `expected ${expected.size} bytes of ${digest} and got ${size}`,
          );
        }
        await file.sync().catch((error: unknown) => {
          throw namingFile(error, path);
        });
        state = 'done';
        await file.close();
        renameSync(path, this.pathOf(digest));
        return { digest, size };
      },
      [Symbol.asyncDispose]: finish,
    };
  }

  #fresh(): string {
    this.#counter += 1;
    return join(this.#scratch(), `blob-${this.#counter}`);
  }

  /** Shows the blob of another store, a whole one that is only read. */
  borrow(digest: Digest, from: ContentStore): void {
    if (this.has(digest)) return;
    // One whose store is gone.
    this.delete(digest);
    try {
      symlinkSync(from.pathOf(digest), this.pathOf(digest));
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
    }
  }

  /** Bytes it takes in this store: none where it is borrowed. */
  takenBytes(digest: Digest): number {
    const stat = lstatSync(this.pathOf(digest), { throwIfNoEntry: false });
    return stat?.isFile() === true ? stat.size : 0;
  }

  /** Every blob, in no order. */
  list(): readonly Digest[] {
    return readdirSync(this.#blobs)
      .filter((name) => /^[0-9a-f]{64}$/.test(name))
      .map(digestFromHex);
  }

  delete(digest: Digest): void {
    rmSync(this.pathOf(digest), { force: true });
  }
}

/** A disk that gives an error instead of bytes; what a consumer of the stream throws is none, and passes through. */
function unreadable(digest: Digest, error: unknown): unknown {
  const errno = error instanceof BuilderError ? undefined : errnoOf(error);
  if (errno !== 'EIO' && errno !== 'EUCLEAN' && errno !== 'EBADMSG') return error;
  return new BuilderError('store.damaged', `cannot read the blob ${digest} of the store: the disk says ${errno}`, {
    cause: error,
    hint: 'remove the image, then pull or build it again; the disk may be failing',
    facts: { digest, errno },
  });
}
