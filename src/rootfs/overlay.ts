/**
 * Snapshots as stacks of directories that overlayfs shows as one. Preparing costs a mkdir, sealing a rename, and the
 * difference is what lies in the upper directory.
 */
import { closeSync } from 'node:fs';
import { relative } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import type { Cancellable } from '../spec/target.ts';
import { AT_FDCWD, openat } from '../sys/libc.ts';
import { makeDirectories } from '../sys/make-directories.ts';
import { bindMount, restrictMount, unmount } from '../sys/mount.ts';
import { cloneDirectoryAttributes, cloneTree } from './clone-tree.ts';
import { type MountOptions, NO_MOUNT_OPTIONS } from './mount-options.ts';
import { mountOverlay } from './overlay-mount.ts';
import { removeTree } from './remove-tree.ts';
import type { MountPlace, SnapshotDirectory, SnapshotRef } from './snapshot-directory.ts';
import type { ChangeSource, MountedRootfs, SnapshotId, Snapshotter } from './snapshotter.ts';
import { StoredSnapshots } from './stored-snapshots.ts';

/** More would be refused by the kernel (OVL_MAX_STACK). */
const MAX_LAYERS = 500;

export class OverlaySnapshotter extends StoredSnapshots implements Snapshotter {
  readonly driver = 'overlay';
  readonly #options: MountOptions;

  /** @param o.mountOptions of everything that is mounted */
  constructor(o: { readonly root: string; readonly mountOptions?: MountOptions | undefined }) {
    super(o);
    this.#options = o.mountOptions ?? NO_MOUNT_OPTIONS;
  }

  async prepare(key: string, parent: SnapshotId | undefined, o: Cancellable = {}): Promise<void> {
    o.signal?.throwIfAborted();
    using draft = this.directory.draft({ version: 1, key, ...(parent === undefined ? {} : { parent }) });
    // The root of the mounted tree has the attributes of the upper directory.
    if (parent !== undefined) withDirectories(this.directory.fsOf({ id: parent }), draft.fs, cloneDirectoryAttributes);
    this.directory.publishActive(draft, key);
  }

  async mount(key: string, at?: string): Promise<MountedRootfs> {
    const { parent } = this.directory.record({ key });
    const upper = this.directory.fsOf({ key });
    if (parent === undefined) return this.#show(upper, at);
    const lowers = [parent, ...this.directory.ancestors({ id: parent })];
    return this.#mountLayers(lowers, upper, at);
  }

  async view(id: SnapshotId | undefined): Promise<MountedRootfs> {
    if (id === undefined) return unmounted(this.directory.empty);
    const lowers = [id, ...this.directory.ancestors({ id })];
    return lowers.length === 1 ? unmounted(this.directory.fsOf({ id })) : this.#mountLayers(lowers);
  }

  /** A tree on nothing needs no overlay, but what is asked of mounts holds for it as well. */
  #show(upper: string, at: string | undefined): MountedRootfs {
    const { flags } = this.#options;
    if (at !== undefined) return bound(upper, at, flags);
    if (flags === 0) return unmounted(upper);
    const place = this.directory.mountPlace();
    try {
      bindMount(upper, place.merged);
      restrictMount(place.merged, flags);
    } catch (error) {
      place[Symbol.dispose]();
      throw error;
    }
    return mounted(place.merged, () => place[Symbol.dispose]());
  }

  #mountLayers(lowers: readonly SnapshotId[], upper?: string, at?: string): MountedRootfs {
    if (lowers.length > MAX_LAYERS) {
      throw new BuilderError(
        'driver.unavailable',
        `overlay cannot stack ${lowers.length} layers: the kernel takes ${MAX_LAYERS}`,
        {
          hint: 'squash some layers (--squash), or use --storage-driver vfs',
        },
      );
    }
    const place = at === undefined ? this.directory.mountPlace() : lastingPlace(at);
    const target = place.merged;
    // Relative to the directory of the links, so that these are as short as can be.
    const beside = (path: string): string => relative(this.directory.links, path);
    try {
      mountOverlay({
        base: this.directory.links,
        lowers,
        ...(upper === undefined ? {} : { writable: { upper: beside(upper), work: beside(place.work) } }),
        target,
        options: this.#options,
      });
    } catch (error) {
      place[Symbol.dispose]();
      throw error;
    }
    return mounted(target, () => {
      unmount(target);
      place[Symbol.dispose]();
    });
  }

  async seal(key: string, o: { copy?: boolean } = {}): Promise<SnapshotId> {
    if (o.copy !== true) return this.directory.sealActive(key);
    const record = this.directory.record({ key });
    using draft = this.directory.draft(record);
    await withDirectories(this.directory.fsOf({ key }), draft.fs, (from, to) => cloneTree(from, to));
    return this.directory.publishSealed(draft);
  }

  async changes(snapshot: SnapshotRef, base?: SnapshotId | null): Promise<ChangeSource & AsyncDisposable> {
    const above = layersAbove(this.directory, snapshot, base);
    const uppers = above.layers.map((layer) => this.directory.fsOf(layer));
    const lower = above.base === undefined ? undefined : await this.view(above.base);
    return {
      lower: lower?.path,
      merged: undefined,
      uppers,
      async [Symbol.asyncDispose]() {
        await lower?.[Symbol.asyncDispose]();
      },
    };
  }
}

/** A mount that outlives its process: nobody's lock says it is in use, so nothing of it lies where sweeps look. */
function lastingPlace(at: string): MountPlace {
  const work = `${at}.work`;
  makeDirectories(work, 0o700);
  return { merged: at, work, [Symbol.dispose]: () => removeTree(work) };
}

/** The snapshot and those of its ancestors that are above `base` (default: its parent), newest first. */
export function layersAbove(
  directory: SnapshotDirectory,
  snapshot: SnapshotRef,
  base: SnapshotId | null | undefined,
): { readonly layers: readonly SnapshotRef[]; readonly base: SnapshotId | undefined } {
  const ancestors = directory.ancestors(snapshot);
  if (base === undefined) return { layers: [snapshot], base: ancestors[0] };
  const end = base === null ? ancestors.length : ancestors.indexOf(base);
  if (end === -1) {
    throw new BuilderError(
      'snapshot.not-known',
      `the snapshot ${JSON.stringify(base)} is no ancestor of the one to compare`,
    );
  }
  return { layers: [snapshot, ...ancestors.slice(0, end).map((id) => ({ id }))], base: base ?? undefined };
}

/** A tree that is visible anyway; nothing has to be undone. */
export function unmounted(path: string): MountedRootfs {
  return mounted(path, () => {});
}

/** A directory shown at another place, with MS_ `flags`. */
export function bound(path: string, at: string, flags = 0): MountedRootfs {
  bindMount(path, at);
  if (flags !== 0) restrictMount(at, flags);
  return mounted(at, () => unmount(at));
}

function mounted(path: string, undo: () => void): MountedRootfs {
  let open = true;
  return {
    path,
    async [Symbol.asyncDispose]() {
      if (!open) return;
      open = false;
      undo();
    },
  };
}

/** Calls `work` with both directories open. */
export function withDirectories<T>(from: string, to: string, work: (fromFd: number, toFd: number) => T): T {
  const fromFd = openat(AT_FDCWD, from, 0);
  const toFd = openat(AT_FDCWD, to, 0);
  const close = (): void => {
    closeSync(fromFd);
    closeSync(toFd);
  };
  let result: T;
  try {
    result = work(fromFd, toFd);
  } catch (error) {
    close();
    throw error;
  }
  if (result instanceof Promise) return result.finally(close) as T;
  close();
  return result;
}
