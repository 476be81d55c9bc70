/**
 * From layers to a snapshot. A stack of layers is unpacked once per store; each layer is verified (compressed digest,
 * size, DiffID) in the same pass that writes it, and a snapshot exists only when all of that held.
 */
import { join } from 'node:path';
import { decompress } from '../archive/compression.ts';
import { hashing, verified } from '../archive/verify.ts';
import { BuilderError } from '../report/builder-error.ts';
import { applyTar } from '../rootfs/apply-tar.ts';
import type { SnapshotId } from '../rootfs/snapshotter.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { type ChainId, chainIdOf, type DiffId, hexOf } from '../spec/digest.ts';
import type { Bytes } from '../spec/target.ts';
import { FileLock } from '../sys/file-lock.ts';
import { chainSnapshot } from './chain-snapshot.ts';
import { type Engine, temporaryKey } from './engine.ts';
import { layerTar } from './layer-bytes.ts';

export interface LayerStack {
  /** Bottom first. */
  readonly layers: readonly Descriptor[];
  readonly diffIds: readonly DiffId[];
}

/**
 * The snapshot holding these layers, unpacking what is missing; undefined for no layers.
 * @throws `layer.invalid`, `blob.digest-mismatch`, `blob.not-found`
 */
export async function unpack(engine: Engine, stack: LayerStack): Promise<SnapshotId | undefined> {
  if (stack.layers.length !== stack.diffIds.length) {
    throw new BuilderError(
      'manifest.invalid',
      `the manifest lists ${stack.layers.length} layers and the config ${stack.diffIds.length}`,
    );
  }
  let snapshot: SnapshotId | undefined;
  let chain: ChainId | undefined;
  const fresh: { readonly chain: ChainId; readonly id: SnapshotId }[] = [];
  for (const [index, diffId] of stack.diffIds.entries()) {
    chain = chainIdOf(chain, diffId);
    const known = await chainSnapshot(engine, chain, diffId);
    snapshot = known ?? (await unpackOne(engine, chain, snapshot, stack.layers[index]!, diffId));
    if (known === undefined) fresh.push({ chain, id: snapshot });
  }
  // The tar of somebody else cannot be written again from the tree, so there is no digest to check it by after a crash
  // of the machine: it has to reach the disk now, once.
  if (fresh.length > 0) await engine.snapshots.flush();
  for (const { chain: done, id } of fresh) engine.store.layers.noteSnapshot(done, id, { isChecked: true });
  return snapshot;
}

async function unpackOne(
  engine: Engine,
  chain: ChainId,
  parent: SnapshotId | undefined,
  layer: Descriptor,
  diffId: DiffId,
): Promise<SnapshotId> {
  const { store, snapshots, signal } = engine;
  // Two processes that need the same layer: the second waits and finds it done.
  using _ = await FileLock.acquire(join(store.paths.locks, `chain-${hexOf(chain)}`), 'exclusive', { signal });
  const done = await chainSnapshot(engine, chain, diffId);
  if (done !== undefined) return done;
  const key = temporaryKey(engine);
  await snapshots.prepare(key, parent, { signal });
  try {
    {
      await using mounted = await snapshots.mount(key);
      let size = 0;
      let got: string | undefined;
      const tar = hashing(await tarOf(engine, layer, diffId), (result) => {
        size = result.size;
        got = result.digest;
      });
      await applyTar(tar, mounted.path, {
        signal,
        emit: engine.emit,
        ignoreChownErrors: engine.storage.ignoreChownErrors,
      });
      if (got !== diffId) {
        throw new BuilderError(
          'blob.digest-mismatch',
          `the layer ${layer.digest} unpacks to ${got ?? 'nothing'}, and the image config promises ${diffId}`,
        );
      }
      store.layers.noteSize(diffId, size);
    }
    const id = await snapshots.seal(key);
    store.layers.noteSnapshot(chain, id);
    if (layer.digest !== diffId) store.layers.noteForm(diffId, layer);
    return id;
  } catch (error) {
    await snapshots.removeActive(key);
    throw error;
  }
}

async function tarOf(engine: Engine, layer: Descriptor, diffId: DiffId): Promise<Bytes> {
  const { digest, size } = layer;
  if (!engine.store.blobs.has(digest)) return layerTar(engine, diffId);
  return decompress(verified(await engine.store.blobs.open({ digest }), { digest, size }, `layer ${digest}`));
}
