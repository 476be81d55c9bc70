/**
 * `docker-archive:FILE[:name:tag]`: what `docker save` writes. Such a file has no manifests, only a list of images with
 * the names of a config and of layers; manifests are made for them here, from those files' digests.
 */
import { readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { decompress, detectCompression } from '../../archive/compression.ts';
import { hashing, verified } from '../../archive/verify.ts';
import { BuilderError } from '../../report/builder-error.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import { type Digest, digestOf, hexOf } from '../../spec/digest.ts';
import type { Manifest } from '../../spec/manifest.ts';
import { isManifest, layerMediaType, MEDIA } from '../../spec/media-type.ts';
import { formatReference, parseReference, withDefaultTag } from '../../spec/reference.ts';
import { MAX_DOCUMENT_BYTES, parseImageConfig, parseManifest } from '../../spec/schema.ts';
import { isJsonObject, type JsonValue, parseStrictJson } from '../../spec/strict-json.ts';
import type { Bytes, Cancellable } from '../../spec/target.ts';
import { CleanupStack } from '../../sys/dispose.ts';
import { type ArchiveMember, packArchive, readArchiveFile, takesNewArchive, unpackArchive } from './archive-file.ts';
import { openFile, writeWhole } from './blob-directory.ts';
import { makePrivateDirectory } from './private-directory.ts';
import { type OpenTarget, splitLocation, type Transport } from './transport.ts';

export const dockerArchiveTransport: Transport = {
  scheme: 'docker-archive',
  async open(location, access, o = {}) {
    const { path, name } = splitLocation(location);
    if (access === 'write') return createArchive(path, name);
    return DockerArchiveReader.read(await readArchiveFile(path), path, name, o);
  },
};

/** @throws `transport.unsupported` when the file exists: images are not added to an archive */
async function createArchive(file: string, name: string): Promise<DockerArchiveWriter> {
  if (!(await takesNewArchive(file))) {
    throw new BuilderError(
      'transport.unsupported',
      `cannot write ${file}: it exists, and docker archives are not changed`,
    );
  }
  return DockerArchiveWriter.create(file, name, (directory) => packArchive(directory, file));
}

interface SavedImage {
  readonly tags: readonly string[];
  readonly manifest: Descriptor;
}

interface ListEntry {
  readonly config: string;
  readonly tags: readonly string[];
  readonly layers: readonly string[];
}

/** Reads `manifest.json`, the list of images. */
function parseList(raw: Uint8Array, file: string): readonly ListEntry[] {
  const list = parseStrictJson(raw, `manifest.json of ${file}`, { maxBytes: MAX_DOCUMENT_BYTES, maxDepth: 16 });
  if (!Array.isArray(list)) throw invalid(file, 'manifest.json is not a list');
  return list.map((entry: JsonValue, i) => {
    if (!isJsonObject(entry)) throw invalid(file, `manifest.json at /${i} is not an object`);
    const { Config: config, RepoTags: tags, Layers: layers } = entry;
    if (typeof config !== 'string') throw invalid(file, `manifest.json at /${i}/Config is not a string`);
    return { config, tags: texts(tags, file, `/${i}/RepoTags`), layers: texts(layers, file, `/${i}/Layers`) };
  });
}

function texts(value: JsonValue | undefined, file: string, pointer: string): readonly string[] {
  if (value === null || value === undefined) return [];
  if (Array.isArray(value) && value.every((element) => typeof element === 'string')) return value;
  throw invalid(file, `manifest.json at ${pointer} is not a list of strings`);
}

function invalid(file: string, why: string): BuilderError {
  return new BuilderError('manifest.invalid', `${file} is no docker archive: ${why}`);
}

/** The tag as a full name; names in an archive are Docker's short ones. */
function fullName(text: string): string {
  const ref = parseReference(text);
  return formatReference(withDefaultTag(ref.registry === undefined ? parseReference(`docker.io/${text}`) : ref));
}

export class DockerArchiveReader implements OpenTarget {
  readonly imageName: string | undefined;
  readonly #file: string;
  readonly #name: string;
  readonly #images: readonly SavedImage[];
  readonly #files: ReadonlyMap<Digest, string>;
  readonly #manifests: ReadonlyMap<Digest, Uint8Array>;
  readonly #cleanup: CleanupStack;

  private constructor(
    file: string,
    name: string,
    contents: {
      readonly images: readonly SavedImage[];
      readonly files: ReadonlyMap<Digest, string>;
      readonly manifests: ReadonlyMap<Digest, Uint8Array>;
    },
    cleanup: CleanupStack,
    imageName: string | undefined,
  ) {
    this.imageName = imageName;
    this.#file = file;
    this.#name = name;
    this.#images = contents.images;
    this.#files = contents.files;
    this.#manifests = contents.manifests;
    this.#cleanup = cleanup;
  }

  /**
   * @param archive what `docker save` gives, from its start
   * @param file what it is called in messages
   * @throws `manifest.invalid`, `tar.invalid`, `blob.digest-mismatch` when a layer is not what its config says
   */
  static async read(
    archive: Bytes,
    file: string,
    name: string,
    o: Cancellable & { readonly imageName?: string } = {},
  ): Promise<DockerArchiveReader> {
    await using stack = new CleanupStack();
    const { path } = stack.use(await makePrivateDirectory());
    const members = await unpackArchive(archive, file, path, o);
    const list = members.get('manifest.json');
    if (list === undefined) throw invalid(file, 'it has no manifest.json');
    if (list.size > MAX_DOCUMENT_BYTES) throw invalid(file, `manifest.json is larger than ${MAX_DOCUMENT_BYTES} bytes`);
    const manifests = new Map<Digest, Uint8Array>();
    const images: SavedImage[] = [];
    for (const entry of parseList(await readFile(list.path), file)) {
      const raw = Buffer.from(JSON.stringify(await makeManifest(file, entry, members)));
      const digest = digestOf(raw);
      manifests.set(digest, raw);
      images.push({
        tags: entry.tags.map(fullName),
        manifest: { mediaType: MEDIA.dockerManifest, digest, size: raw.length },
      });
    }
    const files = new Map([...members.values()].map((member) => [member.digest, member.path]));
    return new DockerArchiveReader(file, name, { images, files, manifests }, stack.move(), o.imageName);
  }

  /** The names of each image, in the archive's order; what a load would tag. */
  get images(): readonly (readonly string[])[] {
    return this.#images.map((image) => image.tags);
  }

  imageNames(): Promise<readonly string[]> {
    return Promise.resolve(this.images.flat());
  }

  /** By name, by position `@N`, or the only one. */
  resolve(name: string): Promise<Descriptor> {
    return Promise.resolve().then(() => this.#find(name === '' ? this.#name : name));
  }

  #find(wanted: string): Descriptor {
    if (wanted === '') return this.#only();
    const image = /^@\d+$/.test(wanted)
      ? this.#images[Number(wanted.slice(1))]
      : this.#images.find((candidate) => candidate.tags.includes(fullName(wanted)));
    if (image !== undefined) return image.manifest;
    throw new BuilderError('image.not-known', `${this.#file} has no image ${JSON.stringify(wanted)}`, this.#hint());
  }

  #only(): Descriptor {
    if (this.#images.length === 1) return this.#images[0]!.manifest;
    throw new BuilderError(
      this.#images.length === 0 ? 'image.not-known' : 'image.ambiguous',
      `${this.#file} holds ${this.#images.length} images, and none was named`,
      this.#hint(),
    );
  }

  #hint(): { hint?: string } {
    const names = this.#images.map((image, i) => image.tags[0] ?? `@${i}`);
    return names.length === 0 ? {} : { hint: `it has ${names.slice(0, 20).join(', ')}` };
  }

  exists(d: Descriptor): Promise<boolean> {
    return Promise.resolve(this.#manifests.has(d.digest) || this.#files.has(d.digest));
  }

  async open(d: Descriptor): Promise<Bytes> {
    const manifest = this.#manifests.get(d.digest);
    if (manifest !== undefined) return once(manifest);
    const path = this.#files.get(d.digest);
    if (path === undefined) throw new BuilderError('blob.not-found', `blob ${d.digest} is not in ${this.#file}`);
    return openFile(path, `blob ${d.digest}`);
  }

  push(): Promise<void> {
    return Promise.reject(readOnly(this.#file));
  }

  tag(): Promise<void> {
    return Promise.reject(readOnly(this.#file));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#cleanup[Symbol.asyncDispose]();
  }
}

function readOnly(file: string): BuilderError {
  return new BuilderError('transport.unsupported', `${file} was opened for reading`);
}

async function* once(content: Uint8Array): Bytes {
  yield content;
}

async function makeManifest(
  file: string,
  entry: ListEntry,
  members: ReadonlyMap<string, ArchiveMember>,
): Promise<Manifest> {
  const member = (name: string): ArchiveMember =>
    members.get(name) ?? raise(invalid(file, `it lists ${JSON.stringify(name)}, which is not in it`));
  const config = member(entry.config);
  if (config.size > MAX_DOCUMENT_BYTES)
    throw invalid(file, `${entry.config} is larger than ${MAX_DOCUMENT_BYTES} bytes`);
  const { rootfs } = parseImageConfig(await readFile(config.path));
  if (rootfs.diff_ids.length !== entry.layers.length) {
    throw invalid(file, `it lists ${entry.layers.length} layers, but the config has ${rootfs.diff_ids.length}`);
  }
  const layers: Descriptor[] = [];
  for (const [i, name] of entry.layers.entries()) layers.push(await layerOf(member(name), rootfs.diff_ids[i]!, name));
  return {
    schemaVersion: 2,
    mediaType: MEDIA.dockerManifest,
    config: { mediaType: MEDIA.dockerConfig, digest: config.digest, size: config.size },
    layers,
  };
}

function raise(error: Error): never {
  throw error;
}

async function layerOf(member: ArchiveMember, diffId: Digest, name: string): Promise<Descriptor> {
  const compression = await compressionOfFile(member.path);
  if (compression === 'none' && member.digest !== diffId) {
    throw new BuilderError(
      'blob.digest-mismatch',
      `layer ${JSON.stringify(name)} has the digest ${member.digest}, but the config says ${diffId}`,
    );
  }
  return { mediaType: layerMediaType('docker', compression), digest: member.digest, size: member.size };
}

async function compressionOfFile(path: string): Promise<'none' | 'gzip' | 'zstd'> {
  for await (const head of await openFile(path, 'the layer')) {
    const found = detectCompression(head);
    return found === 'gzip' || found === 'zstd' ? found : 'none';
  }
  return 'none';
}

/** Puts a directory with the files of an archive where it belongs. */
export type DeliverArchive = (directory: string) => Promise<void>;

/** Collects images in a private directory and delivers the archive when disposed, if one was completed. */
export class DockerArchiveWriter implements OpenTarget {
  readonly keepsManifests = false;
  readonly unpacksLayers = true;
  readonly #file: string;
  readonly #name: string;
  readonly #directory: string;
  readonly #deliver: DeliverArchive;
  readonly #cleanup: CleanupStack;
  readonly #manifests = new Map<Digest, Uint8Array>();
  /** Blob → its file in the archive; layers are kept uncompressed, under their diff id. */
  readonly #files = new Map<Digest, string>();
  readonly #images = new Map<Digest, { readonly config: string; readonly layers: readonly string[]; tags: string[] }>();

  private constructor(file: string, name: string, directory: string, deliver: DeliverArchive, cleanup: CleanupStack) {
    this.#file = file;
    this.#name = name;
    this.#directory = directory;
    this.#deliver = deliver;
    this.#cleanup = cleanup;
  }

  /** @param file what the archive is called in messages */
  static async create(file: string, name: string, deliver: DeliverArchive): Promise<DockerArchiveWriter> {
    if (name !== '') fullName(name);
    const directory = await makePrivateDirectory();
    const cleanup = new CleanupStack();
    cleanup.use(directory);
    return new DockerArchiveWriter(file, name, directory.path, deliver, cleanup);
  }

  resolve(name: string): Promise<Descriptor> {
    return Promise.reject(
      new BuilderError('image.not-known', `${this.#file} is being written and has no ${JSON.stringify(name)} yet`),
    );
  }

  exists(d: Descriptor): Promise<boolean> {
    return Promise.resolve(this.#files.has(d.digest) || this.#manifests.has(d.digest));
  }

  async open(d: Descriptor): Promise<Bytes> {
    const manifest = this.#manifests.get(d.digest);
    if (manifest !== undefined) return once(manifest);
    throw new BuilderError(
      'blob.not-found',
      `blob ${d.digest} cannot be read from ${this.#file}, which is being written`,
    );
  }

  async push(expected: Descriptor, content: Bytes, o: Cancellable = {}): Promise<void> {
    if (await this.exists(expected)) return;
    const checked = verified(content, expected, `blob ${expected.digest}`);
    if (isManifest(expected.mediaType)) return this.#keepManifest(expected, checked);
    if (isConfig(expected.mediaType)) {
      const name = `${hexOf(expected.digest)}.json`;
      await writeWhole(join(this.#directory, name), checked, { ...o, isDurable: false });
      this.#files.set(expected.digest, name);
      return;
    }
    this.#files.set(expected.digest, await this.#writeLayer(expected, checked, o));
  }

  async #keepManifest(d: Descriptor, content: Bytes): Promise<void> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of content) chunks.push(Uint8Array.from(chunk));
    this.#manifests.set(d.digest, Buffer.concat(chunks));
  }

  async #writeLayer(d: Descriptor, checked: Bytes, o: Cancellable): Promise<string> {
    const beside = join(this.#directory, `layer-${hexOf(d.digest)}`);
    let diffId: Digest | undefined;
    const measured = hashing(decompress(checked), (result) => {
      diffId = result.digest;
    });
    await writeWhole(beside, measured, { ...o, isDurable: false });
    const name = `${hexOf(diffId!)}.tar`;
    await rename(beside, join(this.#directory, name));
    return name;
  }

  async tag(d: Descriptor, name: string): Promise<void> {
    const raw = this.#manifests.get(d.digest);
    if (raw === undefined || !isManifest(d.mediaType)) {
      throw new BuilderError(
        'transport.unsupported',
        `a docker archive holds single images, ${d.digest} is none that was written to it`,
      );
    }
    const image = this.#images.get(d.digest) ?? this.#describe(raw, d);
    const wanted = name === '' ? this.#name : name;
    const tag = wanted === '' ? undefined : fullName(wanted);
    if (tag !== undefined && !image.tags.includes(tag)) image.tags.push(tag);
    this.#images.set(d.digest, image);
  }

  #describe(raw: Uint8Array, d: Descriptor): { config: string; layers: readonly string[]; tags: string[] } {
    const parsed = parseManifest(raw, d.mediaType);
    if (parsed.kind !== 'manifest') throw invalid(this.#file, `${d.digest} is an index`);
    const fileOf = (blob: Descriptor): string =>
      this.#files.get(blob.digest) ??
      raise(new BuilderError('blob.not-found', `blob ${blob.digest} was not written to ${this.#file}`));
    return { config: fileOf(parsed.value.config), layers: parsed.value.layers.map(fileOf), tags: [] };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using _ = this.#cleanup;
    if (this.#images.size === 0) return;
    const list = [...this.#images.values()].map(({ config, layers, tags }) => ({
      Config: config,
      RepoTags: tags.length === 0 ? null : tags,
      Layers: layers,
    }));
    this.#images.clear();
    await writeWhole(join(this.#directory, 'manifest.json'), JSON.stringify(list), { isDurable: false });
    await this.#deliver(this.#directory);
  }
}

function isConfig(mediaType: string): boolean {
  return mediaType === MEDIA.dockerConfig || mediaType === MEDIA.ociConfig;
}
