/**
 * The one transfer engine: an image, or an index with some or all of its images, from one place to another. Blobs go
 * first and in parallel, each only if it is missing; manifests follow as the raw bytes they are, unless something in
 * them had to change; the name comes last, so that nobody ever sees a name without its content.
 */

import { verified } from '../archive/verify.ts';
import { BuilderError } from '../report/builder-error.ts';
import type { Emit } from '../report/event.ts';
import { silent } from '../report/event.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { type DiffId, digestOf } from '../spec/digest.ts';
import { isEncryptedLayer } from '../spec/encrypted-layer.ts';
import type { ImageIndex, Manifest } from '../spec/manifest.ts';
import { type ImageFormat, isImageConfig, isIndex, isNonDistributable } from '../spec/media-type.ts';
import { formatPlatform, hostPlatform } from '../spec/platform.ts';
import { MAX_DOCUMENT_BYTES, parseImageConfig, parseManifest } from '../spec/schema.ts';
import type { Bytes, Cancellable, ReadTarget, Target } from '../spec/target.ts';
import { BlobTransfer } from './blob-transfer.ts';
import { choosePlatform, isAttestation } from './choose-platform.ts';
import { convertIndex, convertManifest, formatOf, ociLayerType } from './convert-manifest.ts';
import type { CopyOptions, LayerReplacement } from './copy-options.ts';
import { atDestination, fromSource, ofPlace, readDocument } from './copy-side.ts';
import { LayerDecrypter } from './crypt/layer-crypt.ts';
import { cannotKeep } from './image-signer.ts';
import { forEachLimited } from './limited.ts';

const DEFAULT_CONCURRENCY = 6;
/** Nobody nests indexes deeper; a hostile registry could. */
const MAX_INDEX_DEPTH = 4;

/**
 * Copies `name` of `from` to `newName` of `to` (`''` stands for the name a location itself has; undefined leaves the
 * naming to the caller) and gives the descriptor of what is there now.
 * @throws `platform.not-found`, `manifest.invalid`, `blob.digest-mismatch`, and what the two places throw; messages
 *   begin with `source:` or `destination:`
 */
export async function copyImage(
  from: ReadTarget,
  name: string,
  to: Target,
  newName: string | undefined,
  o: CopyOptions = {},
): Promise<Descriptor> {
  return new ImageCopy(from, to, o).run(name, newName);
}

/** A layer to read: with its digest and size, or its MAC, checked. */
interface LayerSource {
  readonly descriptor: Descriptor;
  open(): Promise<Bytes>;
}

interface LayerWork {
  readonly diffId: DiffId | undefined;
  readonly isEncrypted: boolean;
  readonly signal: AbortSignal;
}

interface Document {
  readonly descriptor: Descriptor;
  readonly raw: Uint8Array;
}

class ImageCopy {
  readonly #from: ReadTarget;
  readonly #to: Target;
  readonly #o: CopyOptions;
  readonly #emit: Emit;
  readonly #blobs: BlobTransfer;

  constructor(from: ReadTarget, to: Target, o: CopyOptions) {
    this.#from = from;
    this.#to = to;
    this.#o = o;
    this.#emit = o.emit ?? silent;
    this.#blobs = new BlobTransfer(from, to, o);
  }

  async run(name: string, newName: string | undefined): Promise<Descriptor> {
    const { signal } = this.#o;
    this.#emit({ type: 'transfer', id: 'source', label: 'Getting image source signatures', state: 'done' });
    if ('keepsManifests' in this.#to && this.#to.keepsManifests === false && this.#o.preserveDigests === true) {
      throw new BuilderError('transport.unsupported', 'destination: it keeps no manifests, so no digests either');
    }
    if (this.#unpacksLayers && this.#o.encrypter !== undefined) {
      throw new BuilderError(
        'transport.unsupported',
        'destination: it keeps layers unpacked, so none that are encrypted',
        {
          hint: 'docker://, oci:, oci-archive: and dir: keep them as they are',
        },
      );
    }
    const top = await this.#chosen(await fromSource(() => this.#from.resolve(name, { signal })), name);
    const document = await this.#copyDocument(top, 0);
    this.#emit({ type: 'transfer', id: 'manifest', label: 'Writing manifest to image destination', state: 'done' });
    await this.#finish(document, newName);
    return document.descriptor;
  }

  get #unpacksLayers(): boolean {
    return (this.#to as { readonly unpacksLayers?: boolean }).unpacksLayers === true;
  }

  /** Where one platform is wanted, the copy starts below the index. */
  async #chosen(top: Descriptor, name: string): Promise<Descriptor> {
    const { platforms } = this.#o;
    let found = top;
    for (let depth = 0; isIndex(found.mediaType); depth++) {
      const wanted = platforms ?? [hostPlatform()];
      if (typeof wanted === 'string' || wanted.length > 1) return found;
      this.#checkDepth(depth, found);
      const { value } = await this.#readIndex(found);
      found = choosePlatform(value, wanted[0] ?? hostPlatform(), name === '' ? found.digest : name);
    }
    return found;
  }

  #checkDepth(depth: number, d: Descriptor): void {
    if (depth < MAX_INDEX_DEPTH) return;
    const what = `the index ${d.digest}${ofPlace(this.#from)}`;
    throw new BuilderError('manifest.invalid', `source: ${what} is nested more than ${MAX_INDEX_DEPTH} deep`);
  }

  async #readIndex(d: Descriptor): Promise<{ readonly raw: Uint8Array; readonly value: ImageIndex }> {
    const raw = await this.#read(d);
    const parsed = await fromSource(() => parseManifest(raw, d.mediaType, `${d.digest}${ofPlace(this.#from)}`));
    if (parsed.kind === 'index') return { raw, value: parsed.value };
    throw new BuilderError('manifest.invalid', `source: ${d.digest} was said to be an index, but is a manifest`);
  }

  #read(d: Descriptor): Promise<Uint8Array> {
    return readDocument(this.#from, d, MAX_DOCUMENT_BYTES, this.#o.signal);
  }

  async #copyDocument(d: Descriptor, depth: number): Promise<Document> {
    return isIndex(d.mediaType) ? this.#copyIndex(d, depth) : this.#copyManifest(d);
  }

  #formatFor(mediaType: string): ImageFormat {
    const required = (this.#to as { readonly requiredFormat?: ImageFormat }).requiredFormat;
    const format = this.#o.format ?? required;
    if (this.#o.encrypter === undefined) return format ?? formatOf(mediaType);
    if (format !== 'docker') return 'oci';
    throw new BuilderError(
      'transport.unsupported',
      "destination: manifests in Docker's format hold no encrypted layers",
      {
        hint: 'use the OCI format',
      },
    );
  }

  async #copyManifest(d: Descriptor): Promise<Document> {
    const raw = await this.#read(d);
    // Before its bytes are so much as parsed: whoever is not trusted must not reach a parser.
    await fromSource(() => this.#o.admit?.(d));
    const isBound = await this.#isBound(d);
    const parsed = await fromSource(() => parseManifest(raw, d.mediaType, `${d.digest}${ofPlace(this.#from)}`));
    if (parsed.kind !== 'manifest') {
      throw new BuilderError('manifest.invalid', `source: ${d.digest} was said to be a manifest, but is an index`);
    }
    const manifest = parsed.value;
    const format = this.#formatFor(parsed.mediaType);
    if (format !== formatOf(parsed.mediaType)) this.#refuseChange(d, isBound);
    const layers = await this.#copyBlobs(manifest, isBound);
    const isUnchanged = layers.every((layer, i) => layer === manifest.layers[i]);
    if (isUnchanged && format === formatOf(parsed.mediaType)) {
      return this.#sent({ descriptor: { ...d, mediaType: parsed.mediaType }, raw });
    }
    this.#refuseChange(d, isBound);
    return this.#sent(rewritten(d, convertManifest({ ...manifest, layers }, format)));
  }

  async #isBound(d: Descriptor): Promise<boolean> {
    return (await fromSource(() => this.#o.signatures?.isBound(d))) ?? false;
  }

  #sent(document: Document): Document {
    this.#o.signatures?.sent(document.descriptor);
    return document;
  }

  #refuseChange(d: Descriptor, isBound: boolean): void {
    if (isBound) throw cannotKeep(d.digest, 'the manifest has to be changed');
    if (this.#o.preserveDigests !== true) return;
    throw new BuilderError(
      'transport.unsupported',
      `destination: the manifest ${d.digest} cannot be kept as it is, and its digest was to be preserved`,
      { hint: 'the destination takes other manifests, or a part of an index was asked for' },
    );
  }

  /** Moves config and layers; gives the layers as they are at the destination. */
  async #copyBlobs(manifest: Manifest, isBound: boolean): Promise<readonly Descriptor[]> {
    const { transformLayer, signal, concurrency } = this.#o;
    // The layers of an artifact are no file systems: an attestation's are statements, which stay as they are.
    const isTransformed =
      transformLayer !== undefined && !isBound && isImageConfig(manifest.config.mediaType) && !isStatements(manifest);
    const diffIds = isTransformed ? await this.#diffIds(manifest) : undefined;
    const encrypted = isStatements(manifest) ? undefined : this.#o.encrypter?.chosen(manifest.layers.length);
    const layers = [...manifest.layers];
    const tasks = layers.map((layer, index) => async (s: AbortSignal): Promise<void> => {
      const isEncrypted = encrypted?.has(index) === true;
      layers[index] = await this.#copyLayer(layer, index, { diffId: diffIds?.[index], isEncrypted, signal: s });
    });
    tasks.push(async (s) => this.#blobs.copy(manifest.config, `Copying config ${manifest.config.digest}`, s));
    await forEachLimited(tasks, concurrency ?? DEFAULT_CONCURRENCY, signal, (task, s) => task(s));
    return layers;
  }

  async #diffIds(manifest: Manifest): Promise<readonly DiffId[]> {
    const raw = await this.#read(manifest.config);
    const name = `${manifest.config.digest}${ofPlace(this.#from)}`;
    const { rootfs } = await fromSource(() => parseImageConfig(raw, name));
    if (rootfs.diff_ids.length === manifest.layers.length) return rootfs.diff_ids;
    throw new BuilderError(
      'manifest.invalid',
      `source: the manifest lists ${manifest.layers.length} layers, but its config ${rootfs.diff_ids.length}`,
    );
  }

  async #copyLayer(layer: Descriptor, index: number, o: LayerWork): Promise<Descriptor> {
    const { signal } = o;
    const source = await fromSource(() => this.#layerSource(layer, signal));
    const made = await fromSource(() => this.#made(source, layer, index, o));
    if (o.isEncrypted && !isEncryptedLayer(source.descriptor.mediaType)) {
      return this.#blobs.replace(layer, await fromSource(() => this.#sealed(source, made)), signal);
    }
    if (made !== undefined) return this.#blobs.replace(layer, made, signal);
    // Such a layer is fetched by those who may have it; where the source has no copy either, that is as it should be.
    if (isNonDistributable(layer.mediaType) && !(await fromSource(() => this.#from.exists(layer, { signal }))))
      return layer;
    await this.#blobs.copy(layer, `Copying blob ${layer.digest}`, signal);
    return layer;
  }

  /** The layer as it can be read: what a key opens is already decrypted. */
  async #layerSource(layer: Descriptor, signal: AbortSignal): Promise<LayerSource> {
    const decrypter = this.#o.decrypter ?? (this.#unpacksLayers ? new LayerDecrypter([]) : undefined);
    const open = (): Promise<Bytes> => this.#from.open(layer, { signal });
    if (decrypter === undefined || !isEncryptedLayer(layer.mediaType)) {
      const what = `blob ${layer.digest}${ofPlace(this.#from)}`;
      return { descriptor: layer, open: async () => verified(await open(), layer, what) };
    }
    const opened = await decrypter.open(layer);
    return { descriptor: opened.descriptor, open: async () => opened.decrypt(await open()) };
  }

  /** What takes the layer's place; undefined where it stays as it is. */
  async #made(
    source: LayerSource,
    layer: Descriptor,
    index: number,
    { diffId, signal }: LayerWork,
  ): Promise<LayerReplacement | undefined> {
    const { transformLayer } = this.#o;
    const { descriptor } = source;
    const { mediaType, annotations } = descriptor;
    if (!isEncryptedLayer(mediaType) && transformLayer !== undefined && diffId !== undefined) {
      const replacement = isNonDistributable(mediaType)
        ? undefined
        : await transformLayer({ ...source, diffId, index }, { signal });
      if (replacement !== undefined) return replacement;
    }
    if (descriptor === layer) return undefined;
    return { mediaType, content: await source.open(), annotations: async () => annotations };
  }

  async #sealed(source: LayerSource, made: LayerReplacement | undefined): Promise<LayerReplacement> {
    const { descriptor } = source;
    const { mediaType } = made === undefined ? descriptor : 'descriptor' in made ? made.descriptor : made;
    const content = made !== undefined && 'content' in made ? made.content : await (made ?? source).open();
    if (!isNonDistributable(mediaType)) {
      return this.#o.encrypter!.seal(content, ociLayerType(mediaType), descriptor.annotations);
    }
    throw new BuilderError(
      'usage.unsupported',
      `cannot encrypt the layer ${descriptor.digest}: its type ${mediaType} says that it is got from elsewhere`,
    );
  }

  async #copyIndex(d: Descriptor, depth: number): Promise<Document> {
    this.#checkDepth(depth, d);
    const { raw, value } = await this.#readIndex(d);
    const isBound = await this.#isBound(d);
    // Images that are there already need no look at them.
    const wanted = this.#o.platforms === 'none' ? [] : this.#wantedEntries(value, d);
    const entries: Descriptor[] = [];
    for (const [i, entry] of wanted.entries()) {
      const platform = entry.platform === undefined ? '' : ` for ${formatPlatform(entry.platform)}`;
      const text = `Copying image ${entry.digest}${platform} (${i + 1}/${wanted.length})`;
      this.#emit({ type: 'note', text });
      const child = await this.#copyDocument(entry, depth + 1);
      await this.#push(child);
      entries.push(child.descriptor);
    }
    if (this.#o.platforms === 'none') entries.push(...value.manifests);
    const format = this.#formatFor(value.mediaType ?? d.mediaType);
    const isUnchanged =
      entries.length === value.manifests.length && entries.every((e, i) => e.digest === value.manifests[i]!.digest);
    if (isUnchanged && format === formatOf(d.mediaType)) return this.#sent({ descriptor: d, raw });
    this.#refuseChange(d, isBound);
    return this.#sent(rewritten(d, convertIndex(value, entries, format)));
  }

  /** All entries, or the best for each platform with the attestations that belong to them. */
  #wantedEntries(index: ImageIndex, d: Descriptor): readonly Descriptor[] {
    const { platforms } = this.#o;
    if (typeof platforms === 'string' || platforms === undefined) return index.manifests;
    const chosen = new Set(platforms.map((platform) => choosePlatform(index, platform, d.digest)));
    const digests = new Set<string>([...chosen].map((entry) => entry.digest));
    return index.manifests.filter(
      (entry) =>
        chosen.has(entry) ||
        (isAttestation(entry) && digests.has(entry.annotations?.['vnd.docker.reference.digest'] ?? '')),
    );
  }

  async #push({ descriptor, raw }: Document): Promise<void> {
    const { signal } = this.#o;
    await atDestination(() => this.#to.push(descriptor, once(raw), { signal }));
  }

  async #finish(document: Document, newName: string | undefined): Promise<void> {
    const { signal } = this.#o;
    const { descriptor, raw } = document;
    const to = this.#to;
    if (newName === undefined) return this.#push(document);
    if (pushesNamed(to)) return atDestination(() => to.pushNamed(descriptor, once(raw), newName, { signal }));
    await this.#push(document);
    await atDestination(() => to.tag(descriptor, newName, { signal }));
  }
}

/** An attestation in the form of an ordinary image, as BuildKit wrote them first. */
function isStatements({ layers }: Manifest): boolean {
  return layers.length > 0 && layers.every(({ mediaType }) => mediaType === 'application/vnd.in-toto+json');
}

/** Optional power: name a manifest in the request that stores it. */
interface PushesNamed {
  pushNamed(d: Descriptor, content: Bytes, name: string, o?: Cancellable): Promise<void>;
}

function pushesNamed(target: object): target is PushesNamed {
  return 'pushNamed' in target && typeof target.pushNamed === 'function';
}

/** A document with new bytes; what its descriptor says about it otherwise stays. */
function rewritten(d: Descriptor, document: Manifest | ImageIndex): Document {
  const raw = Buffer.from(JSON.stringify(document));
  const mediaType = document.mediaType ?? d.mediaType;
  const { data: _stale, ...rest } = d;
  return { descriptor: { ...rest, mediaType, digest: digestOf(raw), size: raw.length }, raw };
}

async function* once(content: Uint8Array): Bytes {
  yield content;
}
