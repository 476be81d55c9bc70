/** The compressed form of a layer: which one a descriptor announces, and making one. */
import { compress } from '../archive/compression.ts';
import { ZSTD_CHUNKED_CHECKSUM, zstdChunked } from '../archive/zstd-chunked.ts';
import { BuilderError } from '../report/builder-error.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { compressionOf, type ImageFormat, type LayerCompression } from '../spec/media-type.ts';
import type { Bytes } from '../spec/target.ts';

export interface CompressedLayer {
  readonly content: Bytes;
  /** What the descriptor has to say about it; known when the content has ended, and often nothing. */
  readonly annotations: () => Readonly<Record<string, string>>;
}

export function layerCompression({ mediaType, annotations }: Descriptor): LayerCompression {
  const plain = compressionOf(mediaType);
  return plain === 'zstd' && annotations?.[ZSTD_CHUNKED_CHECKSUM] !== undefined ? 'zstd:chunked' : plain;
}

export function compressLayer(tar: Bytes, wanted: LayerCompression, level: number | undefined): CompressedLayer {
  if (wanted !== 'zstd:chunked') return { content: compress(tar, wanted, level), annotations: () => ({}) };
  let annotations: Readonly<Record<string, string>> = {};
  const content = zstdChunked(tar, level === undefined ? {} : { level }, (said) => {
    annotations = said;
  });
  return { content, annotations: () => annotations };
}

/**
 * The format of an image whose layers are compressed so: what is asked for, else what the place requires, if anything.
 * The positions in a zstd:chunked layer stand in annotations of its descriptor, which only OCI's have.
 * @throws `usage.invalid`
 */
export function requireChunkedFormat(
  compression: LayerCompression | undefined,
  asked: ImageFormat | undefined,
  required: ImageFormat | undefined,
): ImageFormat | undefined {
  if (compression !== 'zstd:chunked') return asked ?? required;
  if (asked !== 'docker' && required !== 'docker') return 'oci';
  throw new BuilderError('usage.invalid', "layers of images in Docker's format cannot be zstd:chunked", {
    hint: asked === 'docker' ? 'use the OCI format, or zstd' : 'the destination takes no other format',
  });
}
