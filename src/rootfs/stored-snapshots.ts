/** What every driver does alike: records of snapshots in a directory. */
import { diskUse } from './disk-use.ts';
import { SnapshotDirectory, type SnapshotRef } from './snapshot-directory.ts';
import type { SnapshotId, Snapshotter } from './snapshotter.ts';

export abstract class StoredSnapshots {
  protected readonly directory: SnapshotDirectory;

  /** @param options.root a directory of its own, made if missing */
  constructor(options: { readonly root: string }) {
    this.directory = new SnapshotDirectory(options.root);
  }

  async parentOf(snapshot: SnapshotRef): Promise<SnapshotId | undefined> {
    return this.directory.record(snapshot).parent;
  }

  async has(snapshot: SnapshotRef): Promise<boolean> {
    return this.directory.recordIfAny(snapshot) !== undefined;
  }

  async lastSealedAs(key: string): Promise<SnapshotId | undefined> {
    return this.directory.lastSealedAs(key);
  }

  async removeActive(key: string): Promise<void> {
    this.directory.remove({ key });
  }

  async removeSealed(id: SnapshotId): Promise<void> {
    this.directory.remove({ id });
  }

  async flush(): Promise<void> {
    this.directory.flush();
  }

  async borrow(key: string, at: string, parent: SnapshotId | undefined): Promise<SnapshotId> {
    return this.directory.borrow({ version: 1, key, at, ...(parent === undefined ? {} : { parent }) });
  }

  async borrowed(): ReturnType<Snapshotter['borrowed']> {
    const found = new Map<string, SnapshotId>();
    for (const id of this.directory.sealed().keys()) {
      const { key, at } = this.directory.record({ id });
      if (at !== undefined) found.set(key, id);
    }
    return found;
  }

  async diskUse(snapshot: SnapshotRef): ReturnType<Snapshotter['diskUse']> {
    // What is borrowed takes no room here.
    if (this.directory.record(snapshot).at !== undefined) return { bytes: 0, files: 0 };
    return diskUse(this.directory.fsOf(snapshot));
  }

  async problems(): ReturnType<Snapshotter['problems']> {
    return this.directory.problems();
  }

  async restore(id: SnapshotId, parent: SnapshotId | undefined): Promise<void> {
    this.directory.restore(id, parent);
  }

  async unrestore(id: SnapshotId): Promise<void> {
    this.directory.unrestore(id);
  }

  async replace(id: SnapshotId, key: string): Promise<void> {
    this.directory.replace(id, key);
  }

  async list(): ReturnType<Snapshotter['list']> {
    return { sealed: this.directory.sealed(), active: this.directory.active() };
  }
}
