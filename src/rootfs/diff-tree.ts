/**
 * The canonical difference of two trees as a layer tar: the same bytes whatever the driver, as root and rootless.
 *
 * Rules, where the image-spec leaves room: names are in byte order within each directory, relative, without `./`;
 * removed names are explicit whiteouts, never opaque markers; the root directory has no entry; a directory that did
 * not change has none either; a whiteout has mode 0, owner 0:0 and mtime 0; sockets are left out; of several names of
 * one file the first holds the content, and a new name of an unchanged file is a link to that.
 *
 * @see OCI image-spec, layer.md
 */
import type { Bytes } from '../spec/target.ts';
import { sameTime } from '../spec/timestamp.ts';
import { type FileStat, lutimensat } from '../sys/libc.ts';
import { effectiveTime, LayerChanges } from './layer-change.ts';
import { type DiffOptions, excludedPaths, LayerWriter, stepsOf } from './layer-writer.ts';
import type { ChangeSource } from './snapshotter.ts';

export { type DiffMeasure, measureDiff } from './measure-diff.ts';
export type { DiffOptions };

/**
 * The difference as a tar, in chunks of 1 MiB, the last ones shorter; no changes give an archive without members.
 * @throws `layer.diff-failed` when a file changes while it is read, or is named as if it were a whiteout
 */
export function diffTrees(source: ChangeSource, options: DiffOptions = {}): Bytes {
  return new LayerWriter(source, options);
}

/**
 * Gives the changed files of the tree the times that `diffTrees` wrote for them, so that a later difference without
 * options has the same bytes. Only the newest change is touched, never a sealed ancestor.
 */
export async function restamp(source: ChangeSource, options: DiffOptions): Promise<void> {
  if (options.mtime === undefined && options.clampMtime === undefined) return;
  const stamp = (dirFd: number, name: Buffer, stat: FileStat): void => {
    const mtime = effectiveTime(stat.mtime, options);
    if (!sameTime(mtime, stat.mtime)) lutimensat(dirFd, name, mtime);
  };
  using changes = new LayerChanges(source, options, excludedPaths(options));
  changes.onlyTimeDiffers = ({ now, name }) => {
    if (now?.newest === true) stamp(now.dirFd, name, now.stat);
  };
  for await (const change of stepsOf(changes, options)) {
    if (change.kind === 'entry' && change.at.newest) stamp(change.at.dirFd, change.name, change.at.stat);
  }
}
