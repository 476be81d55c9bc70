/** The final root filesystem as a directory or a tar archive. */
import { closeSync, constants, createWriteStream, writeFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Engine } from '../container/engine.ts';
import { cloneTree } from '../rootfs/clone-tree.ts';
import { diffTrees } from '../rootfs/diff-tree.ts';
import type { SnapshotId } from '../rootfs/snapshotter.ts';
import { AT_FDCWD, lstatatIfAny, openat, unlinkat } from '../sys/libc.ts';
import { makeDirectories } from '../sys/make-directories.ts';
import { RootDirectory } from '../sys/root-directory.ts';
import type { NamedPredicate } from './attest-build.ts';
import { type StatementFile, statementFiles, tarWithFiles } from './exported-statements.ts';

/** What is to be said about the exported files, and when, in seconds since the epoch. */
export interface AttestedExport {
  readonly predicates: readonly NamedPredicate[];
  readonly seconds: number;
}

/** Writes every file into the directory, which is made with its parents if need be. What is there already stays. */
export async function exportDirectory(
  engine: Engine,
  snapshot: SnapshotId | undefined,
  dest: string,
  { predicates }: AttestedExport,
): Promise<void> {
  await using view = await engine.snapshots.view(snapshot);
  const added = statementFiles(view.path, predicates, { signal: engine.signal });
  makeDirectories(dest);
  using root = new RootDirectory(view.path);
  const from = root.openDirectory('.');
  const to = openat(AT_FDCWD, dest, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await cloneTree(from, to, { signal: engine.signal });
    for (const file of added) writeBeside(to, file);
  } finally {
    closeSync(from);
    closeSync(to);
  }
}

/** @param dest `-` is standard output */
export async function exportTar(
  engine: Engine,
  snapshot: SnapshotId | undefined,
  dest: string,
  { predicates, seconds }: AttestedExport,
): Promise<void> {
  await using view = await engine.snapshots.view(snapshot);
  const added = statementFiles(view.path, predicates, { signal: engine.signal });
  const tree = diffTrees({ lower: undefined, merged: view.path }, { signal: engine.signal });
  const tar = Readable.from(added.length === 0 ? tree : tarWithFiles(tree, added, seconds));
  await pipeline(tar, dest === '-' ? process.stdout : createWriteStream(dest), { end: dest !== '-' });
}

/** A file of that name which was there, in the image or before, makes place. */
function writeBeside(directory: number, { name, content }: StatementFile): void {
  if (lstatatIfAny(directory, name) !== undefined) unlinkat(directory, name);
  const fd = openat(directory, name, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    writeFileSync(fd, content);
  } finally {
    closeSync(fd);
  }
}
