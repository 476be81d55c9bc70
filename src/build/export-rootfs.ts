/** The final root filesystem as a directory or a tar archive. */
import { closeSync, constants, createWriteStream, mkdirSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Engine } from '../container/engine.ts';
import { cloneTree } from '../rootfs/clone-tree.ts';
import { diffTrees } from '../rootfs/diff-tree.ts';
import type { SnapshotId } from '../rootfs/snapshotter.ts';
import { AT_FDCWD, openat } from '../sys/libc.ts';
import { RootDirectory } from '../sys/root-directory.ts';

/** Writes every file into the directory, which is made with its parents if need be. What is there already stays. */
export async function exportDirectory(engine: Engine, snapshot: SnapshotId | undefined, dest: string): Promise<void> {
  await using view = await engine.snapshots.view(snapshot);
  mkdirSync(dest, { recursive: true });
  using root = new RootDirectory(view.path);
  const from = root.openDirectory('.');
  const to = openat(AT_FDCWD, dest, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await cloneTree(from, to, { signal: engine.signal });
  } finally {
    closeSync(from);
    closeSync(to);
  }
}

/** @param dest `-` is standard output */
export async function exportTar(engine: Engine, snapshot: SnapshotId | undefined, dest: string): Promise<void> {
  await using view = await engine.snapshots.view(snapshot);
  const tar = Readable.from(diffTrees({ lower: undefined, merged: view.path }, { signal: engine.signal }));
  await pipeline(tar, dest === '-' ? process.stdout : createWriteStream(dest), { end: dest !== '-' });
}
