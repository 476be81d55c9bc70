/**
 * The form of an image in which it leaves the store: layers compressed as asked, manifest and config in the wanted
 * family of media types. A layer is compressed once per store; the blob is kept beside it for the next push.
 */
import { compress } from '../archive/compression.ts';
import { serializeConfig, serializeManifest } from '../image/serialize-config.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { DiffId } from '../spec/digest.ts';
import type { ImageConfig } from '../spec/image-config.ts';
import type { Manifest } from '../spec/manifest.ts';
import { type Compression, compressionOf, type ImageFormat, layerMediaType, MEDIA } from '../spec/media-type.ts';
import type { Engine } from './engine.ts';
import { layerTar } from './layer-bytes.ts';
import { layerInFormat } from './write-image.ts';

export interface OutgoingOptions {
  readonly format?: ImageFormat | undefined;
  /** For layers that are not compressed yet; `none` leaves them. */
  readonly compression: Compression;
  readonly level?: number | undefined;
  /** Also recompress layers that have another compression. */
  readonly force?: boolean | undefined;
}

export interface OutgoingImage {
  readonly manifest: Descriptor;
  /** Already in the store under its digest. */
  readonly changed: boolean;
}

/** Makes the outgoing manifest of a stored image and stores it; the original one when nothing has to change. */
export async function outgoingImage(engine: Engine, stored: Descriptor, o: OutgoingOptions): Promise<OutgoingImage> {
  const { blobs } = engine.store;
  const rawManifest = blobs.read(stored.digest);
  const manifest = JSON.parse(rawManifest.toString('utf8')) as Manifest;
  const rawConfig = blobs.read(manifest.config.digest);
  const config = JSON.parse(rawConfig.toString('utf8')) as ImageConfig;
  const before: ImageFormat = stored.mediaType === MEDIA.dockerManifest ? 'docker' : 'oci';
  const format = o.format ?? before;
  const layers: Descriptor[] = [];
  for (const [i, layer] of manifest.layers.entries()) {
    layers.push(layerInFormat(await outgoingLayer(engine, layer, config.rootfs.diff_ids[i]!, format, o), format));
  }
  const same = layers.every((layer, i) => layer.digest === manifest.layers[i]!.digest);
  if (same && format === before) return { manifest: stored, changed: false };
  const newConfig = format === before ? rawConfig : serializeConfig(config, format);
  const configDigest = blobs.put(newConfig);
  const { bytes, mediaType } = serializeManifest(
    format,
    { mediaType: format === 'oci' ? MEDIA.ociConfig : MEDIA.dockerConfig, digest: configDigest, size: newConfig.length },
    layers,
    manifest.annotations,
  );
  return { manifest: { mediaType, digest: blobs.put(bytes), size: bytes.length }, changed: true };
}

async function outgoingLayer(
  engine: Engine,
  layer: Descriptor,
  diffId: DiffId,
  format: ImageFormat,
  o: OutgoingOptions,
): Promise<Descriptor> {
  const { layers, blobs } = engine.store;
  const has = compressionOf(layer.mediaType);
  if (o.compression === 'none' && o.force === true && has !== 'none') {
    const size = layers.get(diffId).size ?? (await tarSize(engine, diffId));
    return { mediaType: layerMediaType(format, 'none'), digest: diffId, size };
  }
  if (has === o.compression || o.compression === 'none' || (has !== 'none' && o.force !== true)) return layer;
  const known = layers
    .get(diffId)
    .forms.find(({ descriptor }) => compressionOf(descriptor.mediaType) === o.compression && blobs.has(descriptor.digest));
  if (known !== undefined && o.level === undefined) return known.descriptor;
  await using ingest = await blobs.ingest();
  for await (const chunk of compress(await layerTar(engine, diffId), o.compression, o.level)) {
    engine.signal?.throwIfAborted();
    await ingest.write(chunk);
  }
  const { digest, size } = await ingest.commit();
  const made: Descriptor = { mediaType: layerMediaType(format, o.compression), digest, size };
  layers.noteForm(diffId, made);
  return made;
}

async function tarSize(engine: Engine, diffId: DiffId): Promise<number> {
  let size = 0;
  for await (const chunk of await layerTar(engine, diffId)) size += chunk.length;
  engine.store.layers.noteSize(diffId, size);
  return size;
}
