/** Places for tests of snapshots, and whether this machine can run them. */
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { OverlaySnapshotter } from '../../src/rootfs/overlay.ts';
import { overlaySupported } from '../../src/rootfs/overlay-mount.ts';
import { removeTree } from '../../src/rootfs/remove-tree.ts';
import type { Snapshotter } from '../../src/rootfs/snapshotter.ts';
import { VfsSnapshotter } from '../../src/rootfs/vfs.ts';

export type Driver = Snapshotter['driver'];
export const DRIVERS: readonly Driver[] = ['overlay', 'vfs'];

/** A directory that is gone after the tests of the file. `inMemory`: on tmpfs, where there is one. */
export function place(inMemory = false): string {
  const parent = inMemory && existsSync('/dev/shm') ? '/dev/shm' : (process.env['SLIPWAY_TEST_TMP'] ?? tmpdir());
  const path = mkdtempSync(join(parent, 'slipway-rootfs-'));
  after(() => removeTree(path));
  return path;
}

/** Why the driver's tests are skipped here, or false. */
export function skipDriver(driver: Driver): string | false {
  if (process.geteuid?.() !== 0) return 'needs root, or root of a user namespace, to give files owners';
  if (driver === 'vfs') return false;
  const reason = overlaySupported(place());
  return reason === undefined ? false : `overlay does not work here: ${reason}`;
}

export function snapshotter(driver: Driver, root = join(place(), driver)): Snapshotter {
  return driver === 'overlay' ? new OverlaySnapshotter({ root }) : new VfsSnapshotter({ root });
}
