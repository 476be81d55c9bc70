/** Tables of the store written again from what they are about. */
import { readFileSync } from 'node:fs';
import type { SnapshotId } from '../rootfs/snapshotter.ts';
import { type ChainId, chainIdOf, type DiffId, type Digest, hexOf } from '../spec/digest.ts';
import { isImageConfig, isIndex, MEDIA } from '../spec/media-type.ts';
import { MAX_DOCUMENT_BYTES, parseImageConfig, parseManifest } from '../spec/schema.ts';
import { salvageImages } from '../store/damaged-records.ts';
import { type ImageRecord, withImage } from '../store/image-table.ts';
import type { LayerForm } from '../store/layer-table.ts';
import type { Engine } from './engine.ts';
import { nowNanoseconds } from './image-times.ts';
import { loadImage } from './local-image.ts';
import { contentDigest } from './unpacked-content.ts';

/**
 * The table of images: records that are whole keep their names, manifests that are there and in none of them come back
 * without a name.
 */
export async function salvageTable(engine: Engine, path: string): Promise<string> {
  const kept = salvageImages(readFileSync(path, 'utf8'));
  const found = imagesInBlobs(engine).filter(({ id }) => !kept.some((record) => record.id === id));
  await engine.store.images.rewrite([...found, ...kept].reduce(withImage, [] as readonly ImageRecord[]));
  return `${kept.length} images kept their names, ${found.length} came back without one`;
}

function imagesInBlobs(engine: Engine): readonly ImageRecord[] {
  const found: ImageRecord[] = [];
  const inIndexes = new Set<Digest>();
  for (const digest of engine.store.blobs.list()) {
    const size = engine.store.blobs.sizeOf(digest) ?? 0;
    if (size > MAX_DOCUMENT_BYTES) continue;
    const image = imageOf(engine, digest, size, inIndexes);
    if (image !== undefined) found.push(image);
  }
  return found.filter(({ manifest }) => !inIndexes.has(manifest.digest));
}

/** The image whose manifest the blob is; undefined for anything else. */
function imageOf(engine: Engine, digest: Digest, size: number, inIndexes: Set<Digest>): ImageRecord | undefined {
  const { blobs } = engine.store;
  try {
    const raw = blobs.read(digest);
    if (raw[0] !== 0x7b) return undefined;
    const { mediaType } = JSON.parse(raw.toString('utf8')) as { readonly mediaType?: string };
    const parsed = parseManifest(raw, mediaType);
    if (parsed.kind === 'index') {
      for (const entry of parsed.value.manifests) inIndexes.add(entry.digest);
      const type = mediaType !== undefined && isIndex(mediaType) ? mediaType : MEDIA.ociIndex;
      return { id: hexOf(digest), names: [], manifest: { mediaType: type, digest, size }, created: nowNanoseconds() };
    }
    const { config } = parsed.value;
    if (!isImageConfig(config.mediaType)) return undefined;
    const { created } = parseImageConfig(blobs.read(config.digest));
    return {
      id: hexOf(config.digest),
      names: [],
      manifest: { mediaType: mediaType ?? MEDIA.ociManifest, digest, size },
      created: created ?? nowNanoseconds(),
    };
  } catch {
    return undefined;
  }
}

/** What is known of a layer: the forms and the snapshot by which images and steps have it. */
export async function learnAgain(engine: Engine, diffId: DiffId): Promise<string> {
  const { layers, blobs, images, steps } = engine.store;
  const forms = new Map<Digest, LayerForm>();
  const chains = new Set<ChainId>();
  for (const record of images.list()) {
    const image = imageIfAny(engine, record);
    let chain: ChainId | undefined;
    for (const [i, known] of image?.diffIds.entries() ?? []) {
      chain = chainIdOf(chain, known);
      if (known !== diffId) continue;
      chains.add(chain);
      const { mediaType, digest, size } = image!.layers[i]!;
      if (digest !== diffId && blobs.has(digest))
        forms.set(digest, { descriptor: { mediaType, digest, size }, from: [] });
    }
  }
  for (const { record } of steps.list()) {
    const { layer, chain } = record.result;
    if (layer?.diffId === diffId && chain !== undefined) chains.add(chain);
  }
  const source = await sourceAmong(engine, chains, diffId);
  layers.rewrite(diffId, {
    size: undefined,
    forms: [...forms.values()],
    ...(source === undefined ? {} : { snapshot: source }),
  });
  return source === undefined && forms.size === 0 ? 'cleared: nothing is known of it' : 'learned again';
}

function imageIfAny(engine: Engine, record: ImageRecord): ReturnType<typeof loadImage> | undefined {
  try {
    return isIndex(record.manifest.mediaType) ? undefined : loadImage(engine, record);
  } catch {
    return undefined;
  }
}

/** A snapshot whose difference is the layer: it can give its tar. */
async function sourceAmong(engine: Engine, chains: Iterable<ChainId>, diffId: DiffId): Promise<string | undefined> {
  for (const chain of chains) {
    const id = engine.store.layers.snapshotOf(chain)?.id as SnapshotId | undefined;
    if (id === undefined || !(await engine.snapshots.has({ id }))) continue;
    if ((await contentDigest(engine, { id })) === diffId) return id;
  }
  return undefined;
}
