/**
 * Deleting what nothing refers to. Roots are image records, working containers and remembered build steps; everything
 * they reach stays. Runs only while no other process has the store open, so whatever somebody is about to name is safe.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { SnapshotId } from '../rootfs/snapshotter.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { type ChainId, chainIdOf, type DiffId, type Digest, digestFromHex } from '../spec/digest.ts';
import type { ImageConfig } from '../spec/image-config.ts';
import type { ImageIndex, Manifest } from '../spec/manifest.ts';
import { isImageConfig, isIndex } from '../spec/media-type.ts';
import { isHalfWritten } from '../store/atomic-file.ts';
import { TraceTable } from '../store/trace-table.ts';
import { DownloadCache } from './download-cache.ts';
import type { Engine } from './engine.ts';

/** A remembered step nobody used for this long may go. */
const STEP_AGE_MS = 30 * 24 * 3600 * 1000;

export interface SweepOptions {
  /** Forget all remembered build steps first. */
  readonly forgetSteps?: boolean;
}

/** Gives the bytes of blobs freed; undefined when somebody else has the store open, and nothing was done. */
export function collectGarbage(engine: Engine, o: SweepOptions = {}): Promise<number | undefined> {
  return engine.store.alone(async () => {
    forgetSteps(engine, o.forgetSteps === true ? 0 : STEP_AGE_MS);
    const live = await findLive(engine);
    await sweepSnapshots(engine, live);
    new DownloadCache(engine.store.paths.cache).sweep(o.forgetSteps === true ? 0 : STEP_AGE_MS);
    sweepHalfWritten(engine);
    engine.store.contentLists.retain(live.lists);
    return sweepFiles(engine, live);
  });
}

function forgetSteps(engine: Engine, olderThanMs: number): void {
  const { steps } = engine.store;
  for (const { key, usedAt } of [...steps.keys()]) {
    if (Date.now() - usedAt >= olderThanMs) steps.delete(key);
  }
  new TraceTable(join(engine.store.paths.cache, 'builds'), 0).deleteBefore(Date.now() - STEP_AGE_MS);
}

interface Live {
  readonly blobs: Set<Digest>;
  readonly layers: Set<DiffId>;
  readonly chains: Set<ChainId>;
  readonly snapshots: Set<SnapshotId>;
  /** Digests of copies whose files are listed. */
  readonly lists: Set<Digest>;
}

async function findLive(engine: Engine): Promise<Live> {
  const { store } = engine;
  const live: Live = { blobs: new Set(), layers: new Set(), chains: new Set(), snapshots: new Set(), lists: new Set() };
  for (const image of store.images.list()) {
    markManifest(engine, live, image.manifest);
    for (const { digest } of image.predicates ?? []) live.blobs.add(digest);
  }
  for (const container of store.containers.list()) {
    markStack(engine, live, container.baseLayers, container.baseConfig?.rootfs.diff_ids ?? []);
    if (container.base !== undefined) markManifest(engine, live, container.base.manifest);
    if (container.baseSnapshot !== undefined) live.snapshots.add(container.baseSnapshot as SnapshotId);
  }
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
  return live;
}

function markManifest(engine: Engine, live: Live, descriptor: Descriptor): void {
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

function markStack(engine: Engine, live: Live, layers: readonly Descriptor[], diffIds: readonly DiffId[]): void {
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

async function sweepSnapshots(engine: Engine, live: Live): Promise<void> {
  const { snapshots, store } = engine;
  const { sealed, active } = await snapshots.list();
  const wanted = new Set(store.containers.list().map((container) => container.id));
  for (const [key, parent] of active) {
    if (!wanted.has(key)) await snapshots.removeActive(key);
    else if (parent !== undefined) live.snapshots.add(parent);
  }
  // A snapshot keeps its ancestors.
  for (const id of [...live.snapshots]) {
    for (let up = sealed.get(id); up !== undefined && !live.snapshots.has(up); up = sealed.get(up))
      live.snapshots.add(up);
  }
  const dead = new Set([...sealed.keys()].filter((id) => !live.snapshots.has(id)));
  // Children before parents.
  const depth = (id: SnapshotId): number => {
    let steps = 0;
    for (let up = sealed.get(id); up !== undefined; up = sealed.get(up)) steps += 1;
    return steps;
  };
  const order = [...dead].map((id) => ({ id, depth: depth(id) })).sort((a, b) => b.depth - a.depth);
  for (const { id } of order) await snapshots.removeSealed(id);
}

/** Below `cache`, made when they are first needed. */
const CACHE_FOLDERS = ['lists', 'builds'];

/** Files a killed program was about to put in place; nobody else has the store open, so nobody is writing them now. */
function sweepHalfWritten({ store: { paths } }: Engine): void {
  for (const folder of [
    paths.base,
    paths.layers,
    paths.chains,
    paths.steps,
    paths.containers,
    paths.cache,
    ...CACHE_FOLDERS.map((name) => join(paths.cache, name)),
  ]) {
    if (!existsSync(folder)) continue;
    for (const name of readdirSync(folder)) {
      if (isHalfWritten(name)) rmSync(join(folder, name), { force: true });
    }
  }
}

function sweepFiles(engine: Engine, live: Live): number {
  const { paths, blobs, layers } = engine.store;
  let freed = 0;
  for (const hex of readdirSync(paths.blobs)) {
    if (!/^[0-9a-f]{64}$/.test(hex)) continue;
    const digest = digestFromHex(hex);
    if (live.blobs.has(digest)) continue;
    freed += blobs.sizeOf(digest) ?? 0;
    blobs.delete(digest);
  }
  for (const name of readdirSync(paths.layers)) {
    const diffId = `sha256:${name.slice(0, 64)}` as DiffId;
    if (!live.layers.has(diffId)) layers.deleteLayer(diffId);
  }
  for (const hex of readdirSync(paths.chains)) {
    const chain = `sha256:${hex.slice(0, 64)}` as ChainId;
    if (!live.chains.has(chain)) layers.deleteChain(chain);
  }
  for (const name of readdirSync(paths.locks)) {
    const chain = /^chain-([0-9a-f]{64})$/.exec(name)?.[1];
    if (chain !== undefined && !live.chains.has(`sha256:${chain}` as ChainId))
      rmSync(join(paths.locks, name), { force: true });
  }
  return freed;
}
