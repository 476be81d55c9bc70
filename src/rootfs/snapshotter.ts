/**
 * Snapshots of root filesystems.
 *
 * Terms. An *active* snapshot is writable and has a `key`; a *sealed* one is immutable and has an id. Each may have a
 * sealed parent, and its content is the parent's plus its own changes. Ids are opaque (not digests): sealing is a
 * rename, and the digest of the change is computed later, beside other work.
 *
 * Lifecycle. `prepare(key, parent)` → `mount(key)` → change files under the mounted path → dispose the mount →
 * `seal(key)` gives the id for use as a parent. `remove` discards either kind. Nothing an interrupted call leaves
 * behind is visible: a snapshot exists once its record has been renamed into place; the rest is swept at open.
 *
 * One conformance suite (`test/support/snapshotter-suite.ts`) runs against every driver.
 */
import type { Cancellable } from '../spec/target.ts';

declare const snapshotBrand: unique symbol;
/** Name of a sealed snapshot. */
export type SnapshotId = string & { readonly [snapshotBrand]: true };

/** A root filesystem visible at `path` until disposed. Disposing twice is harmless. */
export interface MountedRootfs extends AsyncDisposable {
  readonly path: string;
}

/**
 * Where the changes of a snapshot against its base can be found, for `diffTrees`.
 * - `uppers` (overlay): directories in overlay format, newest first; only what they name can have changed.
 * - no `uppers` (vfs): the whole tree has to be compared; `unchangedInodes` shortens that.
 */
export interface ChangeSource {
  /** Root of the tree before; undefined when there is none (first layer). */
  readonly lower: string | undefined;
  /** Root of the tree after. For overlay with one upper it need not be mounted and may be undefined. */
  readonly merged: string | undefined;
  readonly uppers?: readonly string[];
  /**
   * Inode number in `merged` → `<inode number in lower> <ctime in nanoseconds since the epoch>` right after the tree was
   * copied. A file whose ctime still is that, at the path where `lower` has that other inode, is untouched. (The ctime
   * alone would not do: renaming a directory moves untouched inodes to other paths.)
   */
  readonly unchangedInodes?: ReadonlyMap<string, string>;
}

export interface Snapshotter {
  readonly driver: 'overlay' | 'vfs';
  /** Makes an active snapshot. @throws `snapshot.not-known` for an unknown parent */
  prepare(key: string, parent: SnapshotId | undefined, o?: Cancellable): Promise<void>;
  /**
   * Shows an active snapshot read-write. `at`: an existing directory on the store's file system to mount on instead of
   * one of the driver's own; such a mount may outlive the process, and `<at>.work` beside it belongs to it.
   */
  mount(key: string, at?: string): Promise<MountedRootfs>;
  /** Shows a sealed snapshot read-only; undefined shows an empty directory. */
  view(id: SnapshotId | undefined): Promise<MountedRootfs>;
  /**
   * Turns the active snapshot into a sealed one without copying, and returns its id. The key is gone afterwards.
   * With `copy` the active snapshot stays as it is and its content is cloned: for a container mounted elsewhere.
   */
  seal(key: string, o?: { copy?: boolean }): Promise<SnapshotId>;
  /**
   * The changes of a snapshot (active key or sealed id) against `base`, one of its ancestors (default: its parent;
   * null: against nothing). Disposing releases the mounts behind the paths.
   */
  changes(
    snapshot: { key: string } | { id: SnapshotId },
    base?: SnapshotId | null,
  ): Promise<ChangeSource & AsyncDisposable>;
  /**
   * Makes the tree at `at`, a directory of another store of the same driver, a sealed snapshot without copying anything.
   * It is gone when the tree is. `key` finds it again in `borrowed`.
   */
  borrow(key: string, at: string, parent: SnapshotId | undefined): Promise<SnapshotId>;
  /** Borrowed snapshots that are there, by key. */
  borrowed(): Promise<ReadonlyMap<string, SnapshotId>>;
  parentOf(snapshot: { key: string } | { id: SnapshotId }): Promise<SnapshotId | undefined>;
  /** Whether such an active key or sealed id exists. */
  has(snapshot: { key: string } | { id: SnapshotId }): Promise<boolean>;
  /** What was sealed last of all that had this key; undefined when nothing is left of it. */
  lastSealedAs(key: string): Promise<SnapshotId | undefined>;
  removeActive(key: string): Promise<void>;
  /** Children must be gone first; the caller (garbage collection) sees to that. */
  removeSealed(id: SnapshotId): Promise<void>;
  /**
   * Writes all snapshots to disk. Nothing before this survives a power failure for certain: flushing each would stop a
   * build for as long as its data takes to be written.
   */
  flush(): Promise<void>;
  /** Bytes on disk of a snapshot's own files, what its parents hold not included where the driver shares it. */
  diskUse(snapshot: { key: string } | { id: SnapshotId }): Promise<{ readonly bytes: number; readonly files: number }>;
  /** Snapshots that are there and cannot be used; `list` has none whose record cannot be read. */
  problems(): Promise<
    readonly { readonly snapshot: { key: string } | { id: SnapshotId }; readonly what: 'record' | 'link' }[]
  >;
  /** Gives a sealed snapshot of `problems` a record and a link again; `unrestore` takes the record back. */
  restore(id: SnapshotId, parent: SnapshotId | undefined): Promise<void>;
  unrestore(id: SnapshotId): Promise<void>;
  /** The active snapshot takes the place and the id of a sealed one, which nobody may be using. */
  replace(id: SnapshotId, key: string): Promise<void>;
  /** All sealed snapshots with their parents, and all active keys with theirs. */
  list(): Promise<{
    readonly sealed: ReadonlyMap<SnapshotId, SnapshotId | undefined>;
    readonly active: ReadonlyMap<string, SnapshotId | undefined>;
  }>;
}
