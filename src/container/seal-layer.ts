/**
 * The end of every step that touched files: the writable snapshot becomes an immutable one by rename, and its
 * difference becomes a layer's digest without a tar being written anywhere.
 */

import { applyTar } from '../rootfs/apply-tar.ts';
import { type DiffOptions, diffTrees, measureDiff, restamp } from '../rootfs/diff-tree.ts';
import type { SnapshotId } from '../rootfs/snapshotter.ts';
import { type ChainId, chainIdOf, type DiffId } from '../spec/digest.ts';
import type { Timestamp } from '../spec/timestamp.ts';
import { chainSnapshot } from './chain-snapshot.ts';
import { type Engine, temporaryKey } from './engine.ts';

/** Times of what is new: forced to one value, or not later than one. */
export interface LayerTimes {
  readonly mtime?: Timestamp;
  readonly clampMtime?: Timestamp;
}

export interface SealOptions {
  /** Snapshot the layer goes on top of; undefined for none. */
  readonly base: SnapshotId | undefined;
  readonly baseChain: ChainId | undefined;
  readonly times: LayerTimes;
  /** Make a layer even when nothing changed, as a RUN does. */
  readonly always: boolean;
  /** The snapshot is visible to somebody else: clone it instead of taking it. */
  readonly copy?: boolean;
  /** The snapshot goes on being written to: it stays unless it becomes the layer itself. */
  readonly keep?: boolean;
}

export interface SealedLayer {
  /** undefined: nothing changed and none was asked for. */
  readonly layer: { readonly diffId: DiffId /** bytes of the tar */; readonly size: number } | undefined;
  /** Snapshot with the layer. */
  readonly snapshot: SnapshotId | undefined;
  readonly chain: ChainId | undefined;
}

/**
 * Seals the active snapshot `key` as one layer on `base`. Without a layer the snapshot is discarded, unless `copy`.
 * The key is gone afterwards, unless `copy`; with `keep`, only when the snapshot itself became the layer.
 */
export async function sealLayer(engine: Engine, key: string, o: SealOptions): Promise<SealedLayer> {
  const { snapshots, store } = engine;
  const parent = await snapshots.parentOf({ key });
  const adopted = parent === o.base;
  const isDropped = o.copy !== true && o.keep !== true;
  let diffId: DiffId;
  let size: number;
  const options: DiffOptions = { ...o.times, signal: engine.signal };
  {
    await using changes = await snapshots.changes({ key }, o.base ?? null);
    const measured = await measureDiff(changes, options);
    if (measured.entries === 0 && !o.always) {
      if (isDropped) await snapshots.removeActive(key);
      return { layer: undefined, snapshot: o.base, chain: o.baseChain };
    }
    ({ size } = measured);
    diffId = measured.diffId as DiffId;
    // So that writing the tar again from the snapshot gives the same bytes.
    if (adopted && (o.times.mtime !== undefined || o.times.clampMtime !== undefined)) await restamp(changes, options);
  }
  const chain = chainIdOf(o.baseChain, diffId);
  const existing = await chainSnapshot(engine, chain, diffId);
  if (existing !== undefined) {
    // The same layer on the same base is there: one snapshot of it is enough.
    if (isDropped) await snapshots.removeActive(key);
    return { layer: { diffId, size }, snapshot: existing, chain };
  }
  const snapshot = adopted
    ? await snapshots.seal(key, { copy: o.copy === true })
    : await rebuild(engine, key, o, options);
  store.layers.noteSize(diffId, size);
  store.layers.noteSource(diffId, snapshot);
  store.layers.noteSnapshot(chain, snapshot);
  return { layer: { diffId, size }, snapshot, chain };
}

/**
 * A container that was committed before and changed since stands on its own earlier layer, while the new layer has to
 * hold both changes: the union is written out as a fresh snapshot on the base.
 */
async function rebuild(engine: Engine, key: string, o: SealOptions, options: DiffOptions): Promise<SnapshotId> {
  const { snapshots } = engine;
  const fresh = temporaryKey(engine);
  await snapshots.prepare(fresh, o.base);
  try {
    {
      await using changes = await snapshots.changes({ key }, o.base ?? null);
      await using mounted = await snapshots.mount(fresh);
      await applyTar(diffTrees(changes, options), mounted.path, { emit: engine.emit });
    }
    const sealed = await snapshots.seal(fresh);
    if (o.copy !== true && o.keep !== true) await snapshots.removeActive(key);
    return sealed;
  } catch (error) {
    await snapshots.removeActive(fresh);
    throw error;
  }
}
