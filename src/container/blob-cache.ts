/**
 * `--blob-cache`: blobs in a directory of the caller's, which outlives the store. What is there is not fetched and not
 * compressed again. The directory has the layout of containers/image: a file for each blob, named by its digest, and
 * beside an uncompressed one `DIGEST.compressed` with the digest of a compressed one.
 */
import { createHash, type Hash, randomBytes } from 'node:crypto';
import { type FileHandle, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type DetectedCompression, decompress, detectCompression } from '../archive/compression.ts';
import { verified } from '../archive/verify.ts';
import { BlobDirectory, writeWhole } from '../image/transport/blob-directory.ts';
import { BuilderError } from '../report/builder-error.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { type DiffId, type Digest, digestFromHex, parseDigest } from '../spec/digest.ts';
import type { LayerCompression } from '../spec/media-type.ts';
import type { Bytes, Cancellable, ReadTarget } from '../spec/target.ts';
import { makeDirectories } from '../sys/make-directories.ts';
import type { Engine } from './engine.ts';
import type { BlobCacheOptions } from './verb-options.ts';

/** A note holds one digest. */
const MAX_NOTE_BYTES = 200;

export class BlobCache {
  readonly #engine: Engine;
  readonly #path: string;
  readonly #blobs: BlobDirectory;
  #isTold = false;

  /** The cache that is asked for, if one is. @throws `usage.invalid` for what can be no directory */
  static of(engine: Engine, { blobCache }: BlobCacheOptions): BlobCache | undefined {
    if (blobCache === undefined) return undefined;
    const path = resolve(engine.cwd, blobCache);
    try {
      makeDirectories(path, 0o700);
    } catch (cause) {
      throw new BuilderError('usage.invalid', `cannot use the blob cache ${path}: ${(cause as Error).message}`, {
        cause,
      });
    }
    return new BlobCache(engine, path);
  }

  private constructor(engine: Engine, path: string) {
    this.#engine = engine;
    this.#path = path;
    this.#blobs = new BlobDirectory(path, (digest) => digest, { isDurable: false });
  }

  /** The same place, but blobs come from the cache where it has them, and are kept there where it has not. */
  reading(source: ReadTarget): ReadTarget {
    return {
      resolve: (name, o) => source.resolve(name, o),
      exists: async (d, o) => (await this.#has(d)) || (await source.exists(d, o)),
      open: async (d, o) => ((await this.#has(d)) ? this.#blobs.open(d) : this.#kept(d, await source.open(d, o))),
    };
  }

  /** A compressed form of the layer, checked to come to it. */
  async formOf(diffId: DiffId, wanted: LayerCompression): Promise<CachedForm | undefined> {
    const digest = parseDigest(await this.#note(diffId));
    if (digest === undefined) return undefined;
    const path = this.#blobs.pathOf(digest);
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile() !== true || (await compressionIn(path)) !== wanted) return undefined;
    const { size } = found;
    const read = async (): Promise<Bytes> => this.#blobs.open({ mediaType: '', digest, size });
    const compressed = verified(await read(), { digest, size }, `blob ${digest}`);
    const isWhole = await passes(verified(decompress(compressed), { digest: diffId }, `layer ${diffId}`), this.#signal);
    return isWhole ? { digest, size, open: read } : undefined;
  }

  /** Keeps a form that was made of a layer. */
  async keepForm(diffId: DiffId, form: Descriptor, content: () => Promise<Bytes>): Promise<void> {
    try {
      await this.#blobs.push(form, await content(), { signal: this.#signal });
      await writeWhole(this.#notePath(diffId), form.digest, { isDurable: false });
    } catch (error) {
      this.#signal?.throwIfAborted();
      this.#tell(error);
    }
  }

  get #signal(): AbortSignal | undefined {
    return this.#engine.signal;
  }

  #notePath(diffId: DiffId): string {
    return join(this.#path, `${diffId}.compressed`);
  }

  async #note(diffId: DiffId): Promise<string> {
    const text = await readFile(this.#notePath(diffId), 'utf8').catch(() => '');
    return text.length > MAX_NOTE_BYTES ? '' : text.trim();
  }

  /** Whole and true; what is not goes away. */
  async #has(d: Descriptor): Promise<boolean> {
    if (!(await this.#blobs.exists(d))) return false;
    if (await passes(verified(await this.#blobs.open(d), d, `blob ${d.digest}`), this.#signal)) return true;
    await rm(this.#blobs.pathOf(d.digest), { force: true });
    return false;
  }

  /** Passes a blob on and keeps it, if it is what it should be. A cache that cannot be written to holds nothing up. */
  async *#kept(d: Descriptor, bytes: Bytes): Bytes {
    const beside = join(this.#path, `.new-${randomBytes(8).toString('hex')}`);
    const copy = new FileCopy(beside, (error) => this.#tell(error));
    try {
      for await (const chunk of bytes) {
        await copy.write(chunk);
        yield chunk;
      }
      if ((await copy.end()) === d.digest) await rename(beside, this.#blobs.pathOf(d.digest));
    } finally {
      await copy.close();
      await rm(beside, { force: true });
    }
  }

  #tell(error: unknown): void {
    if (this.#isTold) return;
    this.#isTold = true;
    const text = `cannot keep blobs in ${this.#path}: ${error instanceof Error ? error.message : String(error)}`;
    this.#engine.emit({ type: 'warning', text });
  }
}

export interface CachedForm {
  readonly digest: Digest;
  readonly size: number;
  open(): Promise<Bytes>;
}

/** By its first bytes. */
async function compressionIn(path: string): Promise<DetectedCompression> {
  await using file = await open(path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(6), 0, 6, 0);
  return detectCompression(buffer.subarray(0, bytesRead));
}

/** Reads to the end; false where that throws. */
async function passes(bytes: Bytes, signal: Cancellable['signal']): Promise<boolean> {
  try {
    for await (const _ of bytes) signal?.throwIfAborted();
    return true;
  } catch {
    signal?.throwIfAborted();
    return false;
  }
}

/** A file that is written while something else is the point: its first failure is told, and ends it. */
class FileCopy {
  readonly #path: string;
  readonly #failed: (error: unknown) => void;
  readonly #hash: Hash = createHash('sha256');
  #file: FileHandle | undefined;
  #isOver = false;

  constructor(path: string, failed: (error: unknown) => void) {
    this.#path = path;
    this.#failed = failed;
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.#isOver) return;
    this.#hash.update(chunk);
    try {
      this.#file ??= await open(this.#path, 'wx', 0o600);
      for (let at = 0; at < chunk.length; ) at += (await this.#file.write(chunk, at)).bytesWritten;
    } catch (error) {
      this.#isOver = true;
      this.#failed(error);
    }
  }

  /** Digest of what is in the file; undefined when not all of it could be written, or nothing was. */
  async end(): Promise<Digest | undefined> {
    const isWhole = !this.#isOver && this.#file !== undefined;
    await this.close();
    return isWhole ? digestFromHex(this.#hash.digest('hex')) : undefined;
  }

  async close(): Promise<void> {
    this.#isOver = true;
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }
}
