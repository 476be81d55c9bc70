/** The archive member that says a change. */
import type { TarEntry, TarEntryType } from '../archive/tar-entry.ts';
import { BuilderError } from '../report/builder-error.ts';
import type { Timestamp } from '../spec/timestamp.ts';
import { readlinkat, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG } from '../sys/libc.ts';
import { typeOf } from './change-walk.ts';
import { type ByteString, bytesOf, displayName } from './copy-walk.ts';
import { effectiveTime, type LayerChange, type TimeRule } from './layer-change.ts';
import { layerXattrs, NO_XATTRS, openFileXattrs, type Xattrs } from './layer-xattrs.ts';
import { isWhiteoutName, whiteoutOf } from './whiteout.ts';

const EPOCH: Timestamp = { seconds: 0, nanoseconds: 0 };
const NO_BYTES = Buffer.alloc(0);

const TYPES: Readonly<Record<number, TarEntryType>> = {
  [S_IFREG]: 'file',
  [S_IFDIR]: 'directory',
  [S_IFLNK]: 'symlink',
  [S_IFCHR]: 'char',
  [S_IFBLK]: 'block',
  [S_IFIFO]: 'fifo',
};

/**
 * @param fd the file, when it is one and open
 * @throws `layer.diff-failed` for a file that is named as if it were a whiteout
 */
export function layerEntry(change: LayerChange, times: TimeRule, fd?: number): TarEntry {
  if (change.kind === 'removed') return whiteoutEntry(change.path);
  requirePlainName(change.path);
  return change.kind === 'link' ? linkEntry(change, times) : treeEntry(change, times, fd);
}

function treeEntry(change: Extract<LayerChange, { kind: 'entry' }>, times: TimeRule, fd: number | undefined): TarEntry {
  const { path, at, name } = change;
  const { stat, dirFd } = at;
  const type = typeOf(stat);
  const isDevice = type === S_IFCHR || type === S_IFBLK;
  return {
    name: bytesOf(type === S_IFDIR ? `${path}/` : path),
    type: TYPES[type]!,
    mode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
    size: type === S_IFREG ? stat.size : 0,
    mtime: effectiveTime(stat.mtime, times),
    linkName: type === S_IFLNK ? readlinkat(dirFd, name) : NO_BYTES,
    devMajor: isDevice ? stat.rdevMajor : 0,
    devMinor: isDevice ? stat.rdevMinor : 0,
    xattrs: change.xattrs ?? xattrsOf(change, type, fd),
  };
}

/** Only files and directories can have any that a layer carries. */
function xattrsOf({ at, name }: Extract<LayerChange, { kind: 'entry' }>, type: number, fd: number | undefined): Xattrs {
  if (fd !== undefined) return openFileXattrs(fd);
  return type === S_IFREG || type === S_IFDIR ? layerXattrs(at.dirFd, name) : NO_XATTRS;
}

function linkEntry(
  { path, at, target, toUnchanged }: Extract<LayerChange, { kind: 'link' }>,
  times: TimeRule,
): TarEntry {
  const { mode, uid, gid, mtime } = at.stat;
  return {
    name: bytesOf(path),
    type: 'hardlink',
    mode: mode & 0o7777,
    uid,
    gid,
    size: 0,
    // The time of an unchanged file is the lower layer's business.
    mtime: toUnchanged ? mtime : effectiveTime(mtime, times),
    linkName: bytesOf(target),
    devMajor: 0,
    devMinor: 0,
    xattrs: NO_XATTRS,
  };
}

/** The same whatever was removed, by whom and when. */
function whiteoutEntry(path: ByteString): TarEntry {
  return {
    name: bytesOf(whiteoutOf(path)),
    type: 'file',
    mode: 0,
    uid: 0,
    gid: 0,
    size: 0,
    mtime: EPOCH,
    linkName: NO_BYTES,
    devMajor: 0,
    devMinor: 0,
    xattrs: NO_XATTRS,
  };
}

function requirePlainName(path: ByteString): void {
  if (!isWhiteoutName(path)) return;
  const shown = displayName(path);
  throw new BuilderError(
    'layer.diff-failed',
    `cannot write the layer: the file name ${JSON.stringify(shown)} means a removal to every reader of layers`,
    { facts: { path: shown } },
  );
}
