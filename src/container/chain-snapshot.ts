/** The snapshot of a stack of layers, if there is one that can be trusted. */
import { measureDiff } from '../rootfs/diff-tree.ts';
import type { SnapshotId } from '../rootfs/snapshotter.ts';
import type { ChainId, DiffId } from '../spec/digest.ts';
import type { Engine } from './engine.ts';

/**
 * Looks the snapshot up. One made before the machine last started is compared with its layer's digest once: files that
 * were never flushed may have come back empty. A damaged one counts as missing.
 */
export async function chainSnapshot(engine: Engine, chain: ChainId, diffId: DiffId): Promise<SnapshotId | undefined> {
  const { store, snapshots } = engine;
  const known = store.layers.snapshotOf(chain);
  if (known === undefined) return undefined;
  const id = known.id as SnapshotId;
  if (!(await snapshots.has({ id }))) return undefined;
  if (known.isSafe) return id;
  await using changes = await snapshots.changes({ id });
  const measured = await measureDiff(changes, { signal: engine.signal });
  if (measured.diffId !== diffId) {
    engine.emit({
      type: 'warning',
      code: 'store.damaged',
      text: `the unpacked layer ${diffId} was damaged, probably by a crash of the machine; it is not used`,
    });
    store.layers.deleteChain(chain);
    return undefined;
  }
  store.layers.noteSnapshot(chain, id, { isChecked: true });
  return id;
}
