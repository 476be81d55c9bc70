/** A list whose images are sent in several compressions, each a further entry, as containers/image writes it. */
import { BuilderError } from '../report/builder-error.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { digestOf } from '../spec/digest.ts';
import type { ImageIndex, Manifest } from '../spec/manifest.ts';
import { type Compression, isImageConfig, isManifest, MEDIA } from '../spec/media-type.ts';
import { formatPlatform } from '../spec/platform.ts';
import type { Bytes, Target } from '../spec/target.ts';
import type { Engine } from './engine.ts';

/** Says of an entry that its layers are zstd; readers that know none pass over it. */
const ZSTD_ANNOTATION = 'io.github.containers.compression.zstd';

/** Sends an image without a name, in the compression given; undefined is what the push itself asks for. */
export type SendEntry = (image: Descriptor, compression: Compression | undefined) => Promise<Descriptor>;

/**
 * Sends every entry and, where no entry of its platform has it, a copy in each of the compressions. Entries of zstd come
 * last and say so, because of equal entries others take the first.
 * @param usual what `send` makes of layers without being told
 */
export async function sendVariants(
  engine: Engine,
  list: Descriptor,
  compressions: readonly Compression[],
  usual: Compression,
  place: Target,
  send: SendEntry,
): Promise<Descriptor> {
  const { blobs } = engine.store;
  const index = JSON.parse(blobs.read(list.digest).toString('utf8')) as ImageIndex;
  const known = new Set(index.manifests.map((entry) => variantOf(entry, compressionSaid(entry) ?? usual)));
  const entries: Descriptor[] = [];
  const variants: Descriptor[] = [];
  for (const entry of index.manifests) {
    entries.push(described(entry, await send(entry, undefined), compressionSaid(entry) ?? usual));
    if (!isImage(engine, entry)) continue;
    for (const compression of compressions) {
      const variant = variantOf(entry, compression);
      if (known.has(variant)) continue;
      known.add(variant);
      variants.push(described(entry, await send(entry, compression), compression));
    }
  }
  const document: ImageIndex = {
    ...index,
    mediaType: MEDIA.ociIndex,
    manifests: [...entries, ...variants].sort((a, b) => Number(isZstd(a)) - Number(isZstd(b))),
  };
  const bytes = Buffer.from(JSON.stringify(document));
  const descriptor: Descriptor = { mediaType: MEDIA.ociIndex, digest: digestOf(bytes), size: bytes.length };
  await place.push(descriptor, once(bytes), { signal: engine.signal });
  await place.tag(descriptor, '', { signal: engine.signal });
  return descriptor;
}

/** @throws `usage.invalid` in Docker's format, whose lists have no annotations to tell the entries apart */
export function requireVariantFormat(format: string | undefined): void {
  if (format !== 'docker') return;
  throw new BuilderError('usage.invalid', "lists in Docker's format cannot hold an image in several compressions", {
    hint: 'use --format oci',
  });
}

function isZstd({ annotations }: Descriptor): boolean {
  return annotations?.[ZSTD_ANNOTATION] === 'true';
}

function compressionSaid(entry: Descriptor): Compression | undefined {
  return isZstd(entry) ? 'zstd' : undefined;
}

function variantOf({ platform, digest }: Descriptor, compression: Compression): string {
  return `${platform === undefined ? digest : JSON.stringify([formatPlatform(platform), platform])} ${compression}`;
}

/** An image to run; lists hold artifacts as well. */
function isImage(engine: Engine, { mediaType, digest }: Descriptor): boolean {
  if (!isManifest(mediaType)) return false;
  const { config } = JSON.parse(engine.store.blobs.read(digest).toString('utf8')) as Manifest;
  return isImageConfig(config.mediaType);
}

function described(entry: Descriptor, sent: Descriptor, compression: Compression): Descriptor {
  const { mediaType, digest, size } = sent;
  const annotations = { ...entry.annotations, ...(compression === 'zstd' ? { [ZSTD_ANNOTATION]: 'true' } : {}) };
  return { ...entry, mediaType, digest, size, ...(Object.keys(annotations).length === 0 ? {} : { annotations }) };
}

async function* once(content: Uint8Array): Bytes {
  yield content;
}
