/**
 * The form in which a layer leaves the store. It is compressed while it is sent, and the blob is kept: the next push, to
 * anywhere, finds it made.
 */
import type { LayerReplacement, SourceLayer } from '../image/copy-options.ts';
import { type CompressedLayer, compressLayer, layerCompression } from '../image/layer-form.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { type ImageFormat, type LayerCompression, layerMediaType, plainCompression } from '../spec/media-type.ts';
import type { Bytes } from '../spec/target.ts';
import type { BlobCache } from './blob-cache.ts';
import type { Engine } from './engine.ts';
import { layerTar } from './layer-bytes.ts';
import type { PushOptions } from './verb-options.ts';

export interface OutgoingForm extends Pick<PushOptions, 'compressionLevel' | 'forceCompression'> {
  readonly wanted: LayerCompression;
  readonly format: ImageFormat;
  /** Somebody asked for this compression; otherwise it is what the place usually has. */
  readonly isAsked: boolean;
  /** The place takes content whose digest is known at its end. */
  readonly streams: boolean;
}

export class OutgoingLayers {
  readonly #engine: Engine;
  readonly #cache: BlobCache | undefined;
  /** Blobs that reach the disk beside the end of the transfer. */
  readonly #keeping: Promise<void>[] = [];

  /** @param cache where else blobs may have been made, and are kept */
  constructor(engine: Engine, cache?: BlobCache) {
    this.#engine = engine;
    this.#cache = cache;
  }

  /** Ends when every blob that was made is kept. */
  async kept(): Promise<void> {
    await Promise.all(this.#keeping);
  }

  /** undefined leaves the layer as it is. */
  async form(layer: SourceLayer, o: OutgoingForm): Promise<LayerReplacement | undefined> {
    const has = layerCompression(layer.descriptor);
    // Chunked or not is the same to whoever asks for zstd.
    if (has === o.wanted || plainCompression(has) === o.wanted) return undefined;
    if (o.wanted === 'none') return this.#uncompressed(layer, o);
    if (has !== 'none' && o.forceCompression !== true) return undefined;
    const known =
      o.compressionLevel === undefined ? (this.#made(layer, o.wanted) ?? (await this.#cached(layer, o))) : undefined;
    if (known !== undefined) return this.#stored(known, o);
    const form = compressLayer(await layerTar(this.#engine, layer.diffId), o.wanted, o.compressionLevel);
    const mediaType = layerMediaType(o.format, plainCompression(o.wanted));
    const content = this.#keep(layer, mediaType, form);
    if (o.streams) return { mediaType, content, annotations: form.annotations };
    // A place that stores by digest needs it first: the blob is made here and copied.
    for await (const _ of content) this.#engine.signal?.throwIfAborted();
    await this.kept();
    return this.#stored(this.#made(layer, o.wanted)!, o);
  }

  async #uncompressed(layer: SourceLayer, o: OutgoingForm): Promise<LayerReplacement | undefined> {
    if (o.isAsked && o.forceCompression !== true) return undefined;
    const { diffId } = layer;
    const size = this.#engine.store.layers.get(diffId).size ?? (await this.#measure(layer));
    const descriptor = { mediaType: layerMediaType(o.format, 'none'), digest: diffId, size };
    return { descriptor, open: () => layerTar(this.#engine, diffId) };
  }

  async #measure({ diffId }: SourceLayer): Promise<number> {
    let size = 0;
    for await (const chunk of await layerTar(this.#engine, diffId)) size += chunk.length;
    this.#engine.store.layers.noteSize(diffId, size);
    return size;
  }

  /** The blob of that compression that was made last. */
  #made({ diffId }: SourceLayer, wanted: LayerCompression): Descriptor | undefined {
    const { layers, blobs } = this.#engine.store;
    const isMade = ({ descriptor }: { descriptor: Descriptor }) =>
      layerCompression(descriptor) === wanted && blobs.has(descriptor.digest);
    return layers.get(diffId).forms.findLast(isMade)?.descriptor;
  }

  /** Takes a blob of another store's over, if the cache has one. */
  async #cached({ diffId }: SourceLayer, { wanted, format }: OutgoingForm): Promise<Descriptor | undefined> {
    const form = await this.#cache?.formOf(diffId, wanted);
    if (form === undefined) return undefined;
    const { digest, size } = form;
    const descriptor = { mediaType: layerMediaType(format, plainCompression(wanted)), digest, size };
    const { blobs, layers } = this.#engine.store;
    await blobs.push(descriptor, await form.open(), { signal: this.#engine.signal });
    layers.noteForm(diffId, descriptor);
    return descriptor;
  }

  #stored({ digest, size, annotations }: Descriptor, { format, wanted }: OutgoingForm): LayerReplacement {
    const mediaType = layerMediaType(format, plainCompression(wanted));
    const descriptor = { mediaType, digest, size, ...(annotations === undefined ? {} : { annotations }) };
    return { descriptor, open: () => this.#engine.store.blobs.open({ digest }) };
  }

  /** Keeps what passes by as a blob. */
  async *#keep(layer: SourceLayer, mediaType: string, { content, annotations }: CompressedLayer): Bytes {
    const { blobs, layers } = this.#engine.store;
    const ingest = await blobs.ingest();
    let isWhole = false;
    try {
      for await (const chunk of content) {
        await ingest.write(chunk);
        yield chunk;
      }
      isWhole = true;
    } finally {
      if (!isWhole) await ingest[Symbol.asyncDispose]();
    }
    const said = annotations();
    const done = ingest.commit().then(async ({ digest, size }) => {
      const notes = Object.keys(said).length === 0 ? {} : { annotations: said };
      const made = { mediaType, digest, size, ...notes };
      layers.noteForm(layer.diffId, made);
      await this.#cache?.keepForm(layer.diffId, made, () => blobs.open(made));
    });
    // Awaited later; until then a failure must not count as unhandled.
    done.catch(() => {});
    this.#keeping.push(done);
  }
}
