/** Showing a working container's root filesystem: for one verb, or until `umount`. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { MountedRootfs } from '../rootfs/snapshotter.ts';
import { makeDirectories } from '../sys/make-directories.ts';
import { listMounts, unmount } from '../sys/mount.ts';
import { editContainer, requireContainer } from './container-store.ts';
import type { Engine } from './engine.ts';
import type { WorkingContainer } from './working-container.ts';

/**
 * Where the container is mounted as this process sees it; a record of a mount that ended with its namespace or with
 * the machine counts as not mounted.
 */
export function visibleMount(engine: Engine, container: WorkingContainer): string | undefined {
  const path = container.mountPoint;
  if (path === undefined || engine.snapshots.driver === 'vfs') return path;
  return listMounts().some((mount) => mount.target === path) ? path : undefined;
}

/** The root filesystem for the time of one verb; a container that is mounted already is used where it is. */
export async function openRootfs(engine: Engine, container: WorkingContainer): Promise<MountedRootfs> {
  const path = visibleMount(engine, container);
  // Mounting one overlay twice is undefined; the mount that exists is as good.
  if (path !== undefined) return { path, [Symbol.asyncDispose]: async () => {} };
  return engine.snapshots.mount(container.id);
}

/** A plain directory needs no mount; an overlay gets a place that no other process sweeps, beside the snapshots. */
function lastingPlace(engine: Engine, container: WorkingContainer): string | undefined {
  if (engine.snapshots.driver === 'vfs') return undefined;
  const path = join(engine.store.paths.mounts, container.id, 'merged');
  makeDirectories(path, 0o700);
  return path;
}

/** Mounts and leaves it mounted. @returns the path, the same when it was mounted before */
export async function mountContainer(engine: Engine, nameOrId: string): Promise<string> {
  const after = await editContainer(engine, nameOrId, async (before) => {
    if (visibleMount(engine, before) !== undefined) return before;
    // Deliberately not disposed: `umount` ends it.
    const mounted = await engine.snapshots.mount(before.id, lastingPlace(engine, before));
    return { ...before, mountPoint: mounted.path };
  });
  return after.mountPoint!;
}

/** Unmounts; a container that is not mounted is fine. */
export async function umountContainer(engine: Engine, nameOrId: string): Promise<string> {
  const { id } = requireContainer(engine, nameOrId);
  await editContainer(engine, id, (before) => {
    if (before.mountPoint === undefined) return before;
    if (engine.snapshots.driver !== 'vfs') {
      // What ended with its namespace is unmounted already.
      if (visibleMount(engine, before) !== undefined) unmount(before.mountPoint);
      const place = join(engine.store.paths.mounts, id);
      for (const path of [before.mountPoint, `${before.mountPoint}.work`, place])
        rmSync(path, { recursive: true, force: true });
    }
    return { ...before, mountPoint: undefined };
  });
  return id;
}
