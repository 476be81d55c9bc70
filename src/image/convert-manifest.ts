/** Manifests said in the other family's media types; layers and config keep their bytes and digests. */
import { BuilderError } from '../report/builder-error.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { isEncryptedLayer } from '../spec/encrypted-layer.ts';
import type { ImageIndex, Manifest } from '../spec/manifest.ts';
import { compressionOf, type ImageFormat, isNonDistributable, layerMediaType, MEDIA } from '../spec/media-type.ts';

/** The family a manifest or index belongs to. */
export function formatOf(mediaType: string): ImageFormat {
  return mediaType === MEDIA.dockerManifest || mediaType === MEDIA.dockerList ? 'docker' : 'oci';
}

/**
 * The manifest in `format`. Docker's schema has no annotations, subject or artifact type, so these are left out there.
 * @throws `manifest.invalid` for artifacts and encrypted layers, which only OCI can express
 */
export function convertManifest(manifest: Manifest, format: ImageFormat): Manifest {
  const { mediaType: configType } = manifest.config;
  const isImage = configType === MEDIA.ociConfig || configType === MEDIA.dockerConfig;
  if (!isImage && format === 'docker') {
    throw new BuilderError(
      'manifest.invalid',
      `an artifact with config of type ${configType} cannot be written in Docker's format`,
      { hint: 'use the OCI format' },
    );
  }
  const config = isImage
    ? { ...manifest.config, mediaType: format === 'oci' ? MEDIA.ociConfig : MEDIA.dockerConfig }
    : manifest.config;
  const layers = manifest.layers.map((layer) => convertLayer(layer, format));
  if (format === 'docker') return { schemaVersion: 2, mediaType: MEDIA.dockerManifest, config: bare(config), layers };
  return { ...manifest, mediaType: MEDIA.ociManifest, config, layers };
}

function convertLayer(layer: Descriptor, format: ImageFormat): Descriptor {
  if (isEncryptedLayer(layer.mediaType)) {
    if (format === 'oci') return layer;
    throw new BuilderError(
      'manifest.invalid',
      `the encrypted layer ${layer.digest} cannot be listed by a manifest in Docker's format`,
      { hint: 'use the OCI format' },
    );
  }
  // Foreign layers have types of their own that say where to get them.
  const isKnown = !isNonDistributable(layer.mediaType) && isLayer(layer.mediaType);
  const mediaType = isKnown ? layerMediaType(format, compressionOf(layer.mediaType)) : layer.mediaType;
  return format === 'docker' ? bare({ ...layer, mediaType }) : { ...layer, mediaType };
}

/** The type of a layer as OCI has it; others stay as they are. */
export function ociLayerType(mediaType: string): string {
  return isLayer(mediaType) ? layerMediaType('oci', compressionOf(mediaType)) : mediaType;
}

function isLayer(mediaType: string): boolean {
  return mediaType.startsWith(MEDIA.ociLayer) || mediaType.startsWith(MEDIA.dockerLayer);
}

/** Docker's descriptors have these members only. */
function bare({ mediaType, size, digest, platform, urls }: Descriptor): Descriptor {
  return {
    mediaType,
    size,
    digest,
    ...(platform === undefined ? {} : { platform }),
    ...(urls === undefined ? {} : { urls }),
  };
}

/** The index in `format`, with the entries given. */
export function convertIndex(index: ImageIndex, entries: readonly Descriptor[], format: ImageFormat): ImageIndex {
  if (format === 'docker') {
    return { schemaVersion: 2, mediaType: MEDIA.dockerList, manifests: entries.map(bare) };
  }
  return { ...index, mediaType: MEDIA.ociIndex, manifests: entries };
}
