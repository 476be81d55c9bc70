/** Blobs as files named by their digest: visible only when whole and verified. */
import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { hashing, verified } from '../../archive/verify.ts';
import { BuilderError } from '../../report/builder-error.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import type { Digest } from '../../spec/digest.ts';
import type { Bytes, Cancellable } from '../../spec/target.ts';
import { namingFile } from '../../sys/file-write.ts';
import { makeDirectories } from '../../sys/make-directories.ts';

const READ_CHUNK = 1 << 20;

export class BlobDirectory {
  readonly #root: string;
  readonly #fileOf: (digest: Digest) => string;
  readonly #isDurable: boolean;

  /** @param fileOf path of a blob relative to `root` */
  constructor(root: string, fileOf: (digest: Digest) => string, o: { readonly isDurable?: boolean } = {}) {
    this.#root = root;
    this.#fileOf = fileOf;
    this.#isDurable = o.isDurable !== false;
  }

  pathOf(digest: Digest): string {
    return join(this.#root, this.#fileOf(digest));
  }

  async exists(d: Descriptor): Promise<boolean> {
    const found = await stat(this.pathOf(d.digest)).catch(() => undefined);
    return found?.isFile() === true && found.size === d.size;
  }

  async open(d: Descriptor): Promise<Bytes> {
    return openFile(this.pathOf(d.digest), `blob ${d.digest}`);
  }

  async push(expected: Descriptor, content: Bytes, o: Cancellable = {}): Promise<void> {
    if (await this.exists(expected)) return;
    await writeWhole(this.pathOf(expected.digest), verified(content, expected, `blob ${expected.digest}`), {
      ...o,
      isDurable: this.#isDurable,
    });
  }

  /** Stores content whose digest is known only at its end. */
  async pushUnsized(content: Bytes, o: Cancellable = {}): Promise<{ readonly digest: Digest; readonly size: number }> {
    let known: { readonly digest: Digest; readonly size: number } | undefined;
    const hashed = hashing(content, (result) => {
      known = result;
    });
    const path = join(this.#root, `.new-${randomBytes(8).toString('hex')}`);
    await writeWhole(path, hashed, { ...o, isDurable: this.#isDurable });
    const final = this.pathOf(known!.digest);
    makeDirectories(dirname(final));
    await rename(path, final);
    return known!;
  }
}

/** Streams a regular file; a fifo or device in its place is refused before it can block. @throws `blob.not-found` */
export async function openFile(path: string, what: string): Promise<Bytes> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() !== true)
    throw new BuilderError('blob.not-found', `${what} is missing: there is no file ${path}`);
  return createReadStream(path, { highWaterMark: READ_CHUNK });
}

/**
 * Writes a file that is either the old one or the new one, never half. Unless `isDurable` is false it is flushed, so
 * that success survives a power loss; temporary files need not.
 */
export async function writeWhole(
  path: string,
  content: Bytes | Uint8Array | string,
  o: Cancellable & { readonly isDurable?: boolean } = {},
): Promise<void> {
  makeDirectories(dirname(path));
  const beside = join(dirname(path), `.new-${randomBytes(8).toString('hex')}`);
  try {
    const file = await open(beside, 'wx', 0o644);
    try {
      if (typeof content === 'string' || content instanceof Uint8Array) await file.writeFile(content);
      else {
        for await (const chunk of content) {
          o.signal?.throwIfAborted();
          for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
        }
      }
      if (o.isDurable !== false) await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw namingFile(error, path);
  }
}
