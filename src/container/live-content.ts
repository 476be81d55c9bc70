/** What records refer to: blobs, layers, stacks of layers, snapshots. Whatever is in none of these sets may go. */
import type { SnapshotId } from '../rootfs/snapshotter.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { type ChainId, chainIdOf, type DiffId, type Digest } from '../spec/digest.ts';
import type { ImageConfig } from '../spec/image-config.ts';
import type { ImageIndex, Manifest } from '../spec/manifest.ts';
import { isImageConfig, isIndex } from '../spec/media-type.ts';
import type { ContentStore } from '../store/content-store.ts';
import type { ImageRecord } from '../store/image-table.ts';
import type { LayerTable } from '../store/layer-table.ts';
import type { Engine } from './engine.ts';
import type { WorkingContainer } from './working-container.ts';

export interface LiveContent {
  readonly blobs: Set<Digest>;
  readonly layers: Set<DiffId>;
  readonly chains: Set<ChainId>;
  readonly snapshots: Set<SnapshotId>;
  /** Digests of copies whose files are listed. */
  readonly lists: Set<Digest>;
}

export function noContent(): LiveContent {
  return { blobs: new Set(), layers: new Set(), chains: new Set(), snapshots: new Set(), lists: new Set() };
}

/** Everything images, containers and remembered steps reach. Ancestors of snapshots are not in it. */
export function findLive(engine: Engine): LiveContent {
  const live = noContent();
  for (const image of engine.store.images.list()) markImage(engine, live, image);
  for (const container of engine.store.everyContainer()) markContainer(engine, live, container);
  markSteps(engine, live);
  return live;
}

/** What an image is found through. */
export interface ContentTables {
  readonly store: { readonly blobs: ContentStore; readonly layers: LayerTable };
}

export function markImage(engine: ContentTables, live: LiveContent, image: ImageRecord): void {
  markManifest(engine, live, image.manifest);
  for (const { digest } of image.predicates ?? []) live.blobs.add(digest);
}

export function markContainer(engine: Engine, live: LiveContent, container: WorkingContainer): void {
  markStack(engine, live, container.baseLayers, container.baseConfig?.rootfs.diff_ids ?? []);
  if (container.base !== undefined) markManifest(engine, live, container.base.manifest);
  if (container.baseSnapshot !== undefined) live.snapshots.add(container.baseSnapshot as SnapshotId);
}

export function markSteps({ store }: Engine, live: LiveContent): void {
  for (const { record } of store.steps.list()) {
    const { layer, chain, snapshot } = record.result;
    if (layer !== undefined) live.layers.add(layer.diffId);
    if (chain !== undefined) live.chains.add(chain);
    // A layer that came from another cache and was never unpacked is there as a blob only.
    if (layer !== undefined && snapshot === undefined) {
      live.blobs.add(layer.diffId);
      for (const form of store.layers.get(layer.diffId).forms) live.blobs.add(form.descriptor.digest);
    }
    if (snapshot !== undefined) live.snapshots.add(snapshot as SnapshotId);
    for (const { digest } of record.lists ?? []) live.lists.add(digest);
  }
}

function markManifest(engine: ContentTables, live: LiveContent, descriptor: Descriptor): void {
  const { blobs } = engine.store;
  live.blobs.add(descriptor.digest);
  if (!blobs.has(descriptor.digest)) return;
  const document = JSON.parse(blobs.read(descriptor.digest).toString('utf8')) as Manifest | ImageIndex;
  if (isIndex(descriptor.mediaType) || 'manifests' in document) {
    for (const child of (document as ImageIndex).manifests) markManifest(engine, live, child);
    return;
  }
  const manifest = document as Manifest;
  live.blobs.add(manifest.config.digest);
  // The config of an artifact may be anything.
  const config =
    isImageConfig(manifest.config.mediaType) && blobs.has(manifest.config.digest)
      ? (JSON.parse(blobs.read(manifest.config.digest).toString('utf8')) as ImageConfig)
      : undefined;
  markStack(engine, live, manifest.layers, config?.rootfs?.diff_ids ?? []);
}

function markStack(
  engine: ContentTables,
  live: LiveContent,
  layers: readonly Descriptor[],
  diffIds: readonly DiffId[],
): void {
  for (const layer of layers) live.blobs.add(layer.digest);
  let chain: ChainId | undefined;
  for (const diffId of diffIds) {
    chain = chainIdOf(chain, diffId);
    live.chains.add(chain);
    const snapshot = engine.store.layers.snapshotOf(chain);
    if (snapshot !== undefined) live.snapshots.add(snapshot.id as SnapshotId);
    live.layers.add(diffId);
    live.blobs.add(diffId);
    const record = engine.store.layers.get(diffId);
    for (const form of record.forms) live.blobs.add(form.descriptor.digest);
    if (record.snapshot !== undefined) live.snapshots.add(record.snapshot as SnapshotId);
  }
}
