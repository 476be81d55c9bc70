/**
 * A commit takes the files of its container by rename and gives the container a new snapshot on top. A process killed
 * between the two leaves a container without files; what was taken still knows whose it was.
 */
import type { Snapshotter } from '../rootfs/snapshotter.ts';
import type { Store } from '../store/store.ts';
import type { WorkingContainer } from './working-container.ts';

/** Gives containers whose commit was killed their files back. One that somebody is busy with is left alone. */
export async function mendContainers(store: Store<WorkingContainer, unknown>, snapshots: Snapshotter): Promise<void> {
  for (const { id } of store.containers.listReadable()) {
    if (await snapshots.has({ key: id })) continue;
    using lock = store.containers.tryLock(id);
    if (lock === undefined || (await snapshots.has({ key: id }))) continue;
    const taken = await snapshots.lastSealedAs(id);
    if (taken !== undefined) await snapshots.prepare(id, taken);
  }
}
