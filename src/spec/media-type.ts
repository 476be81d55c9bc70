/** Media types of the OCI image-spec 1.1 and of Docker's image manifest v2 schema 2, and what they say about a blob. */
export const MEDIA = {
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociLayer: 'application/vnd.oci.image.layer.v1.tar',
  ociLayerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  ociLayerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  ociEmpty: 'application/vnd.oci.empty.v1+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar',
  dockerLayerGzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  dockerForeignLayerGzip: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
} as const;

/** The two families of image formats. */
export type ImageFormat = 'oci' | 'docker';

export type Compression = 'none' | 'gzip' | 'zstd';

/** What layers can be written as. `zstd:chunked` is zstd that tells where each file is, for readers that know. */
export type LayerCompression = Compression | 'zstd:chunked';

/** The kind of stream it is to whoever only decompresses. */
export function plainCompression(compression: LayerCompression): Compression {
  return compression === 'zstd:chunked' ? 'zstd' : compression;
}

export function isIndex(mediaType: string): boolean {
  return mediaType === MEDIA.ociIndex || mediaType === MEDIA.dockerList;
}

export function isManifest(mediaType: string): boolean {
  return mediaType === MEDIA.ociManifest || mediaType === MEDIA.dockerManifest;
}

/** Whether a config describes an image to run; those of artifacts have types of their own. */
export function isImageConfig(mediaType: string): boolean {
  return mediaType === MEDIA.ociConfig || mediaType === MEDIA.dockerConfig;
}

/** Layers whose bytes a registry may refuse to hold (foreign, non-distributable). */
export function isNonDistributable(mediaType: string): boolean {
  return mediaType.includes('.nondistributable.') || mediaType.includes('.rootfs.foreign.');
}

/** The compression a layer's media type announces; the bytes themselves decide when they disagree. */
export function compressionOf(mediaType: string): Compression {
  if (mediaType.endsWith('+gzip') || mediaType.endsWith('.gzip')) return 'gzip';
  if (mediaType.endsWith('+zstd') || mediaType.endsWith('.zstd')) return 'zstd';
  return 'none';
}

/** Layer media type for a format and compression. Docker has no official zstd type; containerd and podman read this one. */
export function layerMediaType(format: ImageFormat, compression: Compression): string {
  if (format === 'oci') {
    return compression === 'gzip' ? MEDIA.ociLayerGzip : compression === 'zstd' ? MEDIA.ociLayerZstd : MEDIA.ociLayer;
  }
  return compression === 'gzip'
    ? MEDIA.dockerLayerGzip
    : compression === 'zstd'
      ? 'application/vnd.docker.image.rootfs.diff.tar.zstd'
      : MEDIA.dockerLayer;
}
