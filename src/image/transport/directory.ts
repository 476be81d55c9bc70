/** `dir:PATH`: one image as plain files, `manifest.json` beside blobs named by their hex digest. For looking at images. */
import { readdir, readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readNumbered, readSignatureFile } from '../../registry/lookaside.ts';
import { writeNumbered } from '../../registry/write-signatures.ts';
import { BuilderError } from '../../report/builder-error.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import { type Digest, digestOf, hexOf } from '../../spec/digest.ts';
import type { ImageSignature } from '../../spec/image-signature.ts';
import { isIndex, isManifest } from '../../spec/media-type.ts';
import { MAX_DOCUMENT_BYTES, parseManifest } from '../../spec/schema.ts';
import type { Bytes, Cancellable } from '../../spec/target.ts';
import { errnoOf } from '../../sys/libc.ts';
import { makeDirectories } from '../../sys/make-directories.ts';
import type { HoldsSignatures } from '../admission.ts';
import type { KeepsSignatures } from '../image-signer.ts';
import { BlobDirectory, openFile, writeWhole } from './blob-directory.ts';
import type { OpenTarget, Transport } from './transport.ts';

const VERSION_TEXT = 'Directory Transport Version: 1.1\n';

/** A place that keeps signatures of its images. */
export type SignableTarget = OpenTarget & HoldsSignatures & KeepsSignatures;

export const directoryTransport: Omit<Transport, 'open'> & {
  open(...words: Parameters<Transport['open']>): Promise<SignableTarget>;
} = {
  scheme: 'dir',
  async open(path, access) {
    if (access === 'write') await prepare(path);
    return new ImageDirectory(path);
  },
};

/** A directory with other things in it is not taken over. */
async function prepare(path: string): Promise<void> {
  makeDirectories(path);
  const names = await readdir(path);
  if (names.length > 0 && !names.includes('version')) {
    throw new BuilderError('transport.unsupported', `cannot write an image into ${path}: the directory is not empty`);
  }
  await writeWhole(join(path, 'version'), VERSION_TEXT);
}

class ImageDirectory implements OpenTarget, HoldsSignatures, KeepsSignatures {
  readonly #root: string;
  readonly #blobs: BlobDirectory;
  readonly #manifests: BlobDirectory;

  constructor(root: string) {
    this.#root = root;
    this.#blobs = new BlobDirectory(root, hexOf);
    this.#manifests = new BlobDirectory(root, (digest) => `${hexOf(digest)}.manifest.json`);
  }

  get #manifestPath(): string {
    return join(this.#root, 'manifest.json');
  }

  /** The directory holds one image, whatever its name. */
  async resolve(): Promise<Descriptor> {
    const content = await this.#mainManifest();
    if (content === undefined) {
      throw new BuilderError('image.not-known', `${this.#root} holds no image: there is no manifest.json`);
    }
    return { mediaType: parseManifest(content).mediaType, digest: digestOf(content), size: content.length };
  }

  async #mainManifest(): Promise<Buffer | undefined> {
    const found = await stat(this.#manifestPath).catch(() => undefined);
    if (found?.isFile() !== true) return undefined;
    if (found.size <= MAX_DOCUMENT_BYTES) return readFile(this.#manifestPath);
    throw new BuilderError('manifest.invalid', `${this.#manifestPath} is larger than ${MAX_DOCUMENT_BYTES} bytes`);
  }

  #placeOf(d: Descriptor): BlobDirectory {
    return isManifest(d.mediaType) || isIndex(d.mediaType) ? this.#manifests : this.#blobs;
  }

  exists(d: Descriptor): Promise<boolean> {
    return this.#placeOf(d).exists(d);
  }

  async open(d: Descriptor): Promise<Bytes> {
    const place = this.#placeOf(d);
    if (place === this.#manifests && !(await place.exists(d))) {
      const main = await this.#mainManifest();
      if (main !== undefined && digestOf(main) === d.digest) return openFile(this.#manifestPath, 'the manifest');
    }
    return place.open(d);
  }

  push(expected: Descriptor, content: Bytes, o: Cancellable = {}): Promise<void> {
    return this.#placeOf(expected).push(expected, content, o);
  }

  pushUnsized(content: Bytes, o: Cancellable = {}): ReturnType<BlobDirectory['pushUnsized']> {
    return this.#blobs.pushUnsized(content, o);
  }

  /** `signature-N` for the directory's image, `HEX.signature-N` for one of a list that it holds. */
  async signaturesOf(manifest: Digest): Promise<readonly ImageSignature[]> {
    const pathOf = await this.#signaturePaths(manifest);
    return readNumbered((number) => readSignatureFile(pathOf(number)));
  }

  /** Any kind of signature is a file here. */
  requireSignatureStore(): Promise<void> {
    return Promise.resolve();
  }

  async putSignatures(manifest: Digest, signatures: readonly ImageSignature[]): Promise<void> {
    await writeNumbered(signatures, await this.#signaturePaths(manifest));
  }

  async #signaturePaths(manifest: Digest): Promise<(number: number) => string> {
    const main = await this.#mainManifest();
    const prefix = main !== undefined && digestOf(main) === manifest ? '' : `${hexOf(manifest)}.`;
    return (number) => join(this.#root, `${prefix}signature-${number}`);
  }

  /** Only manifests of a list lie beside `manifest.json`, so that of the image itself is moved there. */
  async tag(d: Descriptor): Promise<void> {
    try {
      await rename(join(this.#root, `${hexOf(d.digest)}.manifest.json`), this.#manifestPath);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
      await writeWhole(this.#manifestPath, await this.open(d));
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}
