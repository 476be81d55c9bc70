/**
 * `oci:DIR[:name]`: an OCI image layout.
 * @see OCI image-spec 1.1, image-layout.md
 */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BuilderError } from '../../report/builder-error.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import { hexOf } from '../../spec/digest.ts';
import type { ImageIndex } from '../../spec/manifest.ts';
import { MEDIA } from '../../spec/media-type.ts';
import { MAX_DOCUMENT_BYTES, parseManifest } from '../../spec/schema.ts';
import type { Bytes, Cancellable } from '../../spec/target.ts';
import { makeDirectories } from '../../sys/make-directories.ts';
import { BlobDirectory, writeWhole } from './blob-directory.ts';
import { type OpenTarget, splitLocation, type Transport } from './transport.ts';

const REF_NAME = 'org.opencontainers.image.ref.name';
/** Where containerd and BuildKit put the full name. */
const CONTAINERD_NAME = 'io.containerd.image.name';
const LAYOUT = '{"imageLayoutVersion":"1.0.0"}';

export const ociLayoutTransport: Transport = {
  scheme: 'oci',
  async open(location, access) {
    const { path, name } = splitLocation(location);
    return access === 'write' ? OciLayout.create(path, name) : OciLayout.open(path, name);
  },
};

export class OciLayout implements OpenTarget {
  readonly requiredFormat = 'oci' as const;
  readonly #root: string;
  readonly #name: string;
  readonly #blobs: BlobDirectory;

  private constructor(root: string, name: string, o: { readonly isDurable?: boolean }) {
    this.#root = root;
    this.#name = name;
    this.#blobs = new BlobDirectory(root, (digest) => join('blobs/sha256', hexOf(digest)), o);
  }

  /** @throws `transport.unsupported` when `root` is no layout */
  static async open(root: string, name: string, o: { readonly isDurable?: boolean } = {}): Promise<OciLayout> {
    const layout = new OciLayout(root, name, o);
    await layout.#checkVersion();
    await layout.#readIndex();
    return layout;
  }

  /** Opens a layout, making an empty one where there is none. */
  static async create(root: string, name: string, o: { readonly isDurable?: boolean } = {}): Promise<OciLayout> {
    refusePosition(root, name);
    const layout = new OciLayout(root, name, o);
    makeDirectories(join(root, 'blobs/sha256'));
    if ((await stat(join(root, 'oci-layout')).catch(() => undefined)) === undefined) {
      await writeWhole(join(root, 'oci-layout'), LAYOUT);
    } else await layout.#checkVersion();
    if ((await stat(join(root, 'index.json')).catch(() => undefined)) === undefined) await layout.#writeIndex([]);
    return layout;
  }

  async #checkVersion(): Promise<void> {
    const text = await this.#read('oci-layout', 4096);
    let version: unknown;
    try {
      version = (JSON.parse(text.toString('utf8')) as { imageLayoutVersion?: unknown }).imageLayoutVersion;
    } catch {
      version = undefined;
    }
    if (typeof version === 'string' && version.startsWith('1.')) return;
    throw this.#invalid(`oci-layout says version ${JSON.stringify(version)}, 1.x is read`);
  }

  async #read(name: string, limit: number): Promise<Buffer> {
    const path = join(this.#root, name);
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile() !== true) throw this.#invalid(`there is no file ${name}`);
    if (found.size > limit) throw this.#invalid(`${name} is larger than ${limit} bytes`);
    return readFile(path);
  }

  #invalid(why: string): BuilderError {
    return new BuilderError('transport.unsupported', `${this.#root} is not an OCI image layout: ${why}`);
  }

  async #readIndex(): Promise<ImageIndex> {
    const parsed = parseManifest(await this.#read('index.json', MAX_DOCUMENT_BYTES), MEDIA.ociIndex);
    if (parsed.kind !== 'index') throw this.#invalid('index.json is not an index');
    return parsed.value;
  }

  #writeIndex(manifests: readonly Descriptor[]): Promise<void> {
    const index = { schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests };
    return writeWhole(join(this.#root, 'index.json'), JSON.stringify(index));
  }

  /** The names in the index, first the specification's, else containerd's. */
  async imageNames(): Promise<readonly string[]> {
    return (await this.#readIndex()).manifests.flatMap((d) => nameOf(d) ?? []);
  }

  async resolve(name: string): Promise<Descriptor> {
    const { manifests } = await this.#readIndex();
    const wanted = name === '' ? this.#name : name;
    const found = wanted === '' ? this.#only(manifests) : findNamed(manifests, wanted);
    if (found !== undefined) return found;
    const names = manifests.flatMap((d) => nameOf(d) ?? []);
    throw new BuilderError('image.not-known', `OCI image layout ${this.#root} has no image ${JSON.stringify(wanted)}`, {
      hint: names.length === 0 ? 'its images have no names' : `it has ${names.slice(0, 20).join(', ')}`,
    });
  }

  #only(manifests: readonly Descriptor[]): Descriptor {
    // One image under several names is still one.
    if (new Set(manifests.map(({ digest }) => digest)).size === 1) return manifests[0]!;
    const names = manifests.flatMap((d) => nameOf(d) ?? []);
    throw new BuilderError(
      manifests.length === 0 ? 'image.not-known' : 'image.ambiguous',
      `OCI image layout ${this.#root} holds ${manifests.length} images, and none was named`,
      names.length === 0 ? {} : { hint: `name one: ${names.slice(0, 20).join(', ')}` },
    );
  }

  exists(d: Descriptor): Promise<boolean> {
    return this.#blobs.exists(d);
  }

  open(d: Descriptor): Promise<Bytes> {
    return this.#blobs.open(d);
  }

  push(expected: Descriptor, content: Bytes, o: Cancellable = {}): Promise<void> {
    return this.#blobs.push(expected, content, o);
  }

  pushUnsized(content: Bytes, o: Cancellable = {}): ReturnType<BlobDirectory['pushUnsized']> {
    return this.#blobs.pushUnsized(content, o);
  }

  async tag(d: Descriptor, name: string): Promise<void> {
    const { manifests } = await this.#readIndex();
    const wanted = name === '' ? this.#name : name;
    const others = manifests.filter((entry) =>
      wanted === ''
        ? nameOf(entry) !== undefined || entry.digest !== d.digest
        : entry.annotations?.[REF_NAME] !== wanted,
    );
    const named = wanted === '' ? d : { ...d, annotations: { ...d.annotations, [REF_NAME]: wanted } };
    await this.#writeIndex([...others, named]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

/** @throws `reference.invalid` for `@N`, which names an image that is there already */
export function refusePosition(place: string, name: string): void {
  if (!/^@\d+$/.test(name)) return;
  throw new BuilderError('reference.invalid', `cannot write ${name} of ${place}: a position is only for reading`);
}

function nameOf(d: Descriptor): string | undefined {
  return d.annotations?.[REF_NAME] ?? d.annotations?.[CONTAINERD_NAME];
}

/** By name, by digest, or `@N` by position. */
function findNamed(manifests: readonly Descriptor[], name: string): Descriptor | undefined {
  if (/^@\d+$/.test(name)) return manifests[Number(name.slice(1))];
  return (
    manifests.find((d) => d.annotations?.[REF_NAME] === name) ??
    manifests.find((d) => d.annotations?.[CONTAINERD_NAME] === name) ??
    manifests.find((d) => d.digest === name)
  );
}
