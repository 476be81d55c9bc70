/** Whether what is unpacked still is what it was unpacked from, and unpacking it once more where it is not. */
import { decompress } from '../archive/compression.ts';
import { verified } from '../archive/verify.ts';
import { applyTar } from '../rootfs/apply-tar.ts';
import { measureDiff } from '../rootfs/diff-tree.ts';
import type { SnapshotId } from '../rootfs/snapshotter.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { DiffId, Digest } from '../spec/digest.ts';
import type { Bytes } from '../spec/target.ts';
import { type Engine, temporaryKey } from './engine.ts';

/** A layer as an image lists it; without `layer` only its forms that are noted can be found. */
export interface KnownLayer {
  readonly diffId: DiffId;
  readonly layer?: Descriptor | undefined;
}

/** A layer of a stack that is unpacked, and the snapshot it is unpacked on. */
export interface UnpackedLayer extends KnownLayer {
  readonly parent: SnapshotId | undefined;
}

/** The blobs that hold a layer in some form, those that `isBad` left out. */
export function soundBlobs(engine: Engine, { diffId, layer }: KnownLayer, isBad: (d: Digest) => boolean): Digest[] {
  const { store } = engine;
  const forms = store.layers.get(diffId).forms.map(({ descriptor }) => descriptor.digest);
  const all = [diffId as Digest, ...(layer === undefined ? [] : [layer.digest]), ...forms];
  return [...new Set(all)].filter((digest) => store.blobs.has(digest) && !isBad(digest));
}

/** The tar of a layer from one of its blobs, verified on the way. */
export async function tarOfBlob(engine: Engine, blob: Digest, diffId: DiffId): Promise<Bytes> {
  const bytes = verified(await engine.store.blobs.open({ digest: blob }), { digest: blob }, `blob ${blob}`);
  return blob === diffId ? bytes : verified(decompress(bytes), { digest: diffId }, `layer ${diffId}`);
}

/**
 * Digest of a snapshot's difference to its parent as Slipway writes it: the DiffID of layers made here, and for others a
 * value that two unpackings of one tar share. Every file is read.
 */
export async function contentDigest(
  engine: Engine,
  snapshot: { readonly key: string } | { readonly id: SnapshotId },
): Promise<Digest> {
  await using changes = await engine.snapshots.changes(snapshot);
  // Times of inodes tell of changes that were made, not of those that happened to the disk.
  const { lower, merged, uppers } = changes;
  const source = { lower, merged, ...(uppers === undefined ? {} : { uppers }) };
  return (await measureDiff(source, { signal: engine.signal })).diffId;
}

/** Unpacks a blob of a layer on `parent` and gives the key of the active snapshot to `act`, who may take it over. */
export async function unpackedAside<R>(
  engine: Engine,
  parent: SnapshotId | undefined,
  blob: Digest,
  diffId: DiffId,
  act: (key: string) => Promise<R>,
): Promise<R> {
  const { snapshots, signal } = engine;
  const key = temporaryKey(engine);
  await snapshots.prepare(key, parent, { signal });
  try {
    {
      await using mounted = await snapshots.mount(key);
      const tar = await tarOfBlob(engine, blob, diffId);
      await applyTar(tar, mounted.path, {
        signal,
        emit: () => {},
        ignoreChownErrors: engine.storage.ignoreChownErrors,
      });
    }
    return await act(key);
  } finally {
    if (await snapshots.has({ key })) await snapshots.removeActive(key);
  }
}
