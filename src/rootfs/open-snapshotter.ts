/** The storage drivers by name. */
import { makeDirectories } from '../sys/make-directories.ts';
import type { MountOptions } from './mount-options.ts';
import { OverlaySnapshotter } from './overlay.ts';
import { overlaySupported } from './overlay-mount.ts';
import type { Snapshotter } from './snapshotter.ts';
import { VfsSnapshotter } from './vfs.ts';

export { overlaySupported };

/**
 * Opens the snapshots below `root`, a directory that belongs to this driver alone and is made if missing.
 * Garbage of killed processes is removed.
 */
export async function openSnapshotter(
  driver: Snapshotter['driver'],
  root: string,
  o: { readonly mountOptions?: MountOptions | undefined } = {},
): Promise<Snapshotter> {
  makeDirectories(root, 0o700);
  const { mountOptions } = o;
  return driver === 'overlay' ? new OverlaySnapshotter({ root, mountOptions }) : new VfsSnapshotter({ root });
}

/**
 * `overlay` where it works, else `vfs`, with the reason.
 * Costs one mount and unmount.
 */
export function chooseDriver(root: string): { readonly driver: Snapshotter['driver']; readonly reason?: string } {
  makeDirectories(root, 0o700);
  const reason = overlaySupported(root);
  return reason === undefined ? { driver: 'overlay' } : { driver: 'vfs', reason };
}
