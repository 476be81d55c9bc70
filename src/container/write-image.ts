/** An image made of layers and a config, written into the store: blobs first, then, if it is wanted, its record. */
import { serializeConfig, serializeManifest } from '../image/serialize-config.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { type Digest, hexOf } from '../spec/digest.ts';
import type { ImageConfig } from '../spec/image-config.ts';
import { compressionOf, type ImageFormat, isNonDistributable, layerMediaType, MEDIA } from '../spec/media-type.ts';
import type { Engine } from './engine.ts';

export interface NewImage {
  readonly format: ImageFormat;
  readonly layers: readonly Descriptor[];
  readonly config: ImageConfig;
  readonly annotations: Readonly<Record<string, string>>;
  /** Docker format only. */
  readonly container?: string;
  readonly parent?: string;
}

export interface WrittenImage {
  readonly id: string;
  readonly configDigest: Digest;
  readonly manifest: Descriptor;
}

/** The same layer named in the media types of `format`; foreign layers keep theirs. */
export function layerInFormat(layer: Descriptor, format: ImageFormat): Descriptor {
  if (isNonDistributable(layer.mediaType)) return layer;
  return { mediaType: layerMediaType(format, compressionOf(layer.mediaType)), digest: layer.digest, size: layer.size };
}

/** Puts config and manifest into the store. They have no name yet: give them one before the process ends. */
export function writeImage(engine: Engine, image: NewImage): WrittenImage {
  const { blobs } = engine.store;
  const rawConfig = serializeConfig(image.config, image.format, {
    ...(image.container === undefined ? {} : { container: image.container }),
    ...(image.parent === undefined ? {} : { parent: image.parent }),
  });
  const configDigest = blobs.put(rawConfig);
  const { bytes, mediaType } = serializeManifest(
    image.format,
    {
      mediaType: image.format === 'oci' ? MEDIA.ociConfig : MEDIA.dockerConfig,
      digest: configDigest,
      size: rawConfig.length,
    },
    image.layers.map((layer) => layerInFormat(layer, image.format)),
    image.annotations,
  );
  const digest = blobs.put(bytes);
  return { id: hexOf(configDigest), configDigest, manifest: { mediaType, digest, size: bytes.length } };
}

/** Names a written image in the store, durably. */
export async function recordImage(
  engine: Engine,
  image: WrittenImage,
  names: readonly string[],
  o: { created: string; intermediate?: boolean; predicates?: readonly Descriptor[] },
): Promise<void> {
  engine.store.blobs.flush();
  await engine.store.images.put({
    id: image.id,
    names,
    manifest: image.manifest,
    created: o.created,
    ...(o.intermediate === true ? { intermediate: true } : {}),
    ...(o.predicates === undefined || o.predicates.length === 0 ? {} : { predicates: o.predicates }),
  });
}
