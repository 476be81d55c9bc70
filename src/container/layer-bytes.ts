/**
 * The bytes of a layer, whatever the store has of it: a blob in some compressed form, or only the snapshot it was
 * committed as, from which the same tar is written again and checked against its digest on the way.
 */
import { decompress } from '../archive/compression.ts';
import { verified } from '../archive/verify.ts';
import { BuilderError } from '../report/builder-error.ts';
import { diffTrees } from '../rootfs/diff-tree.ts';
import type { SnapshotId } from '../rootfs/snapshotter.ts';
import type { DiffId, Digest } from '../spec/digest.ts';
import type { Bytes } from '../spec/target.ts';
import type { Engine } from './engine.ts';

/** Whether the uncompressed tar can be had from this store, fetched now if that has to be. */
export async function hasLayer(engine: Engine, diffId: DiffId): Promise<boolean> {
  return (await isStored(engine, diffId)) || engine.remoteLayers?.has(diffId) === true;
}

/** Whether the uncompressed tar is here. */
export async function isStored(engine: Engine, diffId: DiffId): Promise<boolean> {
  const record = engine.store.layers.get(diffId);
  if (engine.store.blobs.has(diffId)) return true;
  if (record.forms.some((form) => engine.store.blobs.has(form.descriptor.digest))) return true;
  return record.snapshot !== undefined && (await engine.snapshots.has({ id: record.snapshot as SnapshotId }));
}

/** The uncompressed tar of a layer, verified. @throws `blob.not-found` */
export async function layerTar(engine: Engine, diffId: DiffId): Promise<Bytes> {
  const { remoteLayers } = engine;
  if (remoteLayers?.has(diffId) === true && !(await isStored(engine, diffId))) await remoteLayers.fetch(diffId);
  const { store, snapshots } = engine;
  if (store.blobs.has(diffId))
    return verified(await store.blobs.open({ digest: diffId }), { digest: diffId }, `layer ${diffId}`);
  const record = store.layers.get(diffId);
  const form = record.forms.find(({ descriptor }) => store.blobs.has(descriptor.digest));
  if (form !== undefined) {
    const { digest, size } = form.descriptor;
    const compressed = verified(await store.blobs.open({ digest }), { digest, size }, `layer ${digest}`);
    return verified(decompress(compressed), { digest: diffId }, `uncompressed layer ${diffId}`);
  }
  if (record.snapshot !== undefined && (await snapshots.has({ id: record.snapshot as SnapshotId }))) {
    return verified(snapshotTar(engine, record.snapshot as SnapshotId), { digest: diffId }, `layer ${diffId}`);
  }
  throw new BuilderError('blob.not-found', `the layer ${diffId} is neither as a blob nor as a snapshot in the store`, {
    hint: 'pull or build the image again',
    facts: { digest: diffId },
  });
}

async function* snapshotTar(engine: Engine, id: SnapshotId): Bytes {
  await using changes = await engine.snapshots.changes({ id });
  yield* diffTrees(changes, {});
}

/** The bytes that have this digest: a blob of the store, or the tar of a committed layer. */
export async function openContent(engine: Engine, digest: Digest): Promise<Bytes> {
  if (engine.store.blobs.has(digest)) return engine.store.blobs.open({ digest });
  return layerTar(engine, digest as DiffId);
}
