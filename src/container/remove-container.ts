/** Removing working containers. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { unmount } from '../sys/mount.ts';
import { requireContainer } from './container-store.ts';
import type { Engine } from './engine.ts';
import { visibleMount } from './mount-container.ts';
import type { WorkingContainer } from './working-container.ts';

/** Removes a container whose lock is held: the record first, so that a crash leaves only garbage. */
export async function deleteContainer(engine: Engine, container: WorkingContainer): Promise<void> {
  const mounted = visibleMount(engine, container);
  if (mounted !== undefined && engine.snapshots.driver !== 'vfs') unmount(mounted);
  engine.store.containers.delete(container.id);
  rmSync(join(engine.store.paths.mounts, container.id), { recursive: true, force: true });
  if (await engine.snapshots.has({ key: container.id })) await engine.snapshots.removeActive(container.id);
}

/** @returns the id. @throws `container.not-known` */
export async function removeContainer(engine: Engine, nameOrId: string): Promise<string> {
  const { id } = requireContainer(engine, nameOrId);
  using _ = await engine.store.containers.lock(id, { signal: engine.signal });
  await deleteContainer(engine, requireContainer(engine, id));
  return id;
}
