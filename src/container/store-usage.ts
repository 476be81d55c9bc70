/** `system df`: what the store holds, by what needs it, and what removing the unneeded would give back. */
import type { SnapshotId } from '../rootfs/snapshotter.ts';
import type { ImageRecord } from '../store/image-table.ts';
import { type CacheSummary, listCaches } from './cache-store.ts';
import { listContainers } from './container-store.ts';
import type { Engine } from './engine.ts';
import { type LiveContent, markContainer, markImage, markSteps, noContent } from './live-content.ts';
import { visibleMount } from './mount-container.ts';
import { cachedBytes } from './prune-store.ts';
import type { WorkingContainer } from './working-container.ts';

export interface UsageTotal {
  readonly total: number;
  /** How many are in use: images by containers, containers by being mounted, caches by a running build. */
  readonly active: number;
  readonly sizeBytes: number;
  /** Bytes that removing everything not in use would free. */
  readonly reclaimableBytes: number;
}

export interface ImageUsage {
  readonly id: string;
  readonly names: readonly string[];
  readonly created: string;
  readonly sizeBytes: number;
  /** Of that, what other images need too. */
  readonly sharedBytes: number;
  readonly uniqueBytes: number;
  readonly containers: number;
}

export interface ContainerUsage {
  readonly id: string;
  readonly name: string;
  readonly imageName: string;
  readonly created: string;
  /** Of its own changes. */
  readonly sizeBytes: number;
  readonly mounted: boolean;
}

export interface StoreUsage {
  readonly images: UsageTotal & { readonly entries: readonly ImageUsage[] };
  readonly containers: UsageTotal & { readonly entries: readonly ContainerUsage[] };
  /** Results of build steps that no image holds, lists of copied files, downloads. */
  readonly buildCache: UsageTotal;
  readonly cacheMounts: UsageTotal & { readonly entries: readonly CacheSummary[] };
  /** What nothing refers to: the next removal or `system prune` takes it along. */
  readonly unreferencedBytes: number;
}

/** A blob or a snapshot. */
type Piece = string;

/**
 * Measures every blob and snapshot once. Sizes are what files take on disk; what two things need is counted in the total
 * once. @throws `store.damaged` for a manifest that is not what its name says
 */
export async function storeUsage(engine: Engine): Promise<StoreUsage> {
  const pieces = await measurePieces(engine);
  const containers = listContainers(engine);
  const everyContainer = engine.store.everyContainer();
  const images = engine.store.images.list().map((record) => ({
    record,
    pieces: pieces.of((live) => markImage(engine, live, record)),
    users: everyContainer.filter(({ base }) => base?.id === record.id).length,
  }));
  const held = union(everyContainer.map((container) => pieces.of((live) => markContainer(engine, live, container))));
  const ofImages = union(images.map((image) => image.pieces));
  const ofSteps = pieces.of((live) => markSteps(engine, live));
  const shared = sharedPieces(images);
  const used = images.filter(({ users }) => users > 0);
  return {
    images: {
      total: images.length,
      active: used.length,
      sizeBytes: pieces.bytesOf(ofImages),
      reclaimableBytes: pieces.bytesOf(without(ofImages, held, ...used.map((image) => image.pieces))),
      entries: images.map((image) => imageUsage(image, shared, pieces)),
    },
    containers: containersUsage(engine, containers, pieces),
    buildCache: stepsUsage(engine, pieces.bytesOf(without(ofSteps, ofImages, held))),
    cacheMounts: cachesUsage(listCaches(engine)),
    unreferencedBytes: pieces.bytesOf(without(new Set(pieces.sizes.keys()), ofImages, held, ofSteps)),
  };
}

interface KnownImage {
  readonly record: ImageRecord;
  readonly pieces: ReadonlySet<Piece>;
  readonly users: number;
}

function imageUsage(image: KnownImage, shared: ReadonlySet<Piece>, pieces: Pieces): ImageUsage {
  const { id, names, created } = image.record;
  const sizeBytes = pieces.bytesOf(image.pieces);
  const uniqueBytes = pieces.bytesOf(without(image.pieces, shared));
  return { id, names, created, sizeBytes, sharedBytes: sizeBytes - uniqueBytes, uniqueBytes, containers: image.users };
}

/** What more than one image needs. */
function sharedPieces(images: readonly KnownImage[]): ReadonlySet<Piece> {
  const seen = new Set<Piece>();
  const shared = new Set<Piece>();
  for (const image of images) {
    for (const piece of image.pieces) (seen.has(piece) ? shared : seen).add(piece);
  }
  return shared;
}

function containersUsage(
  engine: Engine,
  containers: readonly WorkingContainer[],
  pieces: Pieces,
): StoreUsage['containers'] {
  const entries = containers.map((container) => ({
    id: container.id,
    name: container.name,
    imageName: container.base?.name ?? 'scratch',
    created: container.created,
    sizeBytes: pieces.active.get(container.id) ?? 0,
    mounted: visibleMount(engine, container) !== undefined,
  }));
  return {
    total: entries.length,
    active: entries.filter(({ mounted }) => mounted).length,
    sizeBytes: sum(entries, ({ sizeBytes }) => sizeBytes),
    reclaimableBytes: sum(entries, ({ sizeBytes, mounted }) => (mounted ? 0 : sizeBytes)),
    entries,
  };
}

/** @param layerBytes what the results of steps hold that nothing else needs */
function stepsUsage(engine: Engine, layerBytes: number): UsageTotal {
  const sizeBytes = layerBytes + cachedBytes(engine);
  return { total: [...engine.store.steps.list()].length, active: 0, sizeBytes, reclaimableBytes: sizeBytes };
}

function cachesUsage(entries: readonly CacheSummary[]): StoreUsage['cacheMounts'] {
  return {
    total: entries.length,
    active: entries.filter(({ isBusy }) => isBusy).length,
    sizeBytes: sum(entries, ({ sizeBytes }) => sizeBytes),
    reclaimableBytes: sum(entries, ({ sizeBytes, isBusy }) => (isBusy ? 0 : sizeBytes)),
    entries,
  };
}

const sum = <T>(list: readonly T[], size: (element: T) => number): number =>
  list.reduce((total, element) => total + size(element), 0);

const union = (sets: readonly ReadonlySet<Piece>[]): Set<Piece> => new Set(sets.flatMap((set) => [...set]));

const without = (set: ReadonlySet<Piece>, ...others: readonly ReadonlySet<Piece>[]): Set<Piece> =>
  new Set([...set].filter((piece) => !others.some((other) => other.has(piece))));

interface Pieces {
  readonly sizes: ReadonlyMap<Piece, number>;
  /** Bytes of active snapshots by key. */
  readonly active: ReadonlyMap<string, number>;
  /** What marking finds, with the snapshots below those it names. */
  of(mark: (live: LiveContent) => void): Set<Piece>;
  bytesOf(set: Iterable<Piece>): number;
}

async function measurePieces(engine: Engine): Promise<Pieces> {
  const { blobs } = engine.store;
  const { sealed, active } = await engine.snapshots.list();
  const sizes = new Map<Piece, number>();
  for (const digest of blobs.list()) sizes.set(digest, blobs.takenBytes(digest));
  for (const id of sealed.keys()) sizes.set(id, (await engine.snapshots.diskUse({ id })).bytes);
  const activeSizes = new Map<string, number>();
  for (const key of active.keys()) activeSizes.set(key, (await engine.snapshots.diskUse({ key })).bytes);
  const withAncestors = (ids: Iterable<SnapshotId>, into: Set<Piece>): void => {
    for (const id of ids) {
      for (let at: SnapshotId | undefined = id; at !== undefined && !into.has(at); at = sealed.get(at)) into.add(at);
    }
  };
  const of = (mark: (live: LiveContent) => void): Set<Piece> => {
    const live = noContent();
    mark(live);
    const found = new Set<Piece>(live.blobs);
    withAncestors(live.snapshots, found);
    return found;
  };
  const bytesOf = (set: Iterable<Piece>): number => sum([...set], (piece) => sizes.get(piece) ?? 0);
  return { sizes, active: activeSizes, of, bytesOf };
}
