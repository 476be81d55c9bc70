/**
 * Decides what of a walk is a change, and how a layer says it. A name is in the layer if and only if it is new, its
 * type, mode, owner, mtime, attributes, link target, device or size differ, or its content does.
 */
import { closeSync, constants, readSync } from 'node:fs';
import { isAfter, sameTime, type Timestamp } from '../spec/timestamp.ts';
import { openAt } from '../sys/file-calls.ts';
import { type FileStat, readlinkat, S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFREG } from '../sys/libc.ts';
import { type Candidate, ChangeWalk, typeOf } from './change-walk.ts';
import { type ByteString, byteString } from './copy-walk.ts';
import { layerXattrs, sameXattrs, type Xattrs } from './layer-xattrs.ts';
import type { ChangeSource } from './snapshotter.ts';

/** How times are written. */
export interface TimeRule {
  /** Every entry gets this mtime. */
  readonly mtime?: Timestamp | undefined;
  /** No entry gets a later mtime than this. */
  readonly clampMtime?: Timestamp | undefined;
  /** A file that differs in nothing but its mtime did not change. */
  readonly ignoreMtime?: boolean | undefined;
}

/** The mtime an entry gets. */
export function effectiveTime(mtime: Timestamp, rule: TimeRule): Timestamp {
  if (rule.mtime !== undefined) return rule.mtime;
  return rule.clampMtime !== undefined && isAfter(mtime, rule.clampMtime) ? rule.clampMtime : mtime;
}

/** `before`: what the name stood for in the lower tree; undefined for a new name. */
export type LayerChange =
  | { readonly kind: 'removed'; readonly path: ByteString; readonly before: FileStat | undefined }
  | {
      readonly kind: 'entry';
      readonly path: ByteString;
      readonly at: NonNullable<Candidate['now']>;
      readonly name: Buffer;
      /** undefined: not looked at yet, because there was nothing to compare with. */
      readonly xattrs: Xattrs | undefined;
      readonly before: FileStat | undefined;
    }
  /** A further name of `target`; `toUnchanged` when that is a file of the lower tree, which has its own times. */
  | {
      readonly kind: 'link';
      readonly path: ByteString;
      readonly at: NonNullable<Candidate['now']>;
      readonly target: ByteString;
      readonly toUnchanged: boolean;
      readonly before: FileStat | undefined;
    };

/** Names of one file: the first of them, and the first that did not change. */
interface LinkGroup {
  readonly first: ByteString;
  anchor?: { readonly path: ByteString; readonly lowerIno: string };
  readonly unchanged: Set<ByteString>;
}

const COMPARE_SIZE = 1024 * 1024;

/** The changes of one source, in the order of the walk. */
export class LayerChanges implements Disposable {
  readonly #source: ChangeSource;
  readonly #excluded: ReadonlySet<ByteString>;
  readonly #times: TimeRule;
  readonly #walk: ChangeWalk;
  #groups: Map<string, LinkGroup> | undefined;
  #buffers: readonly [Buffer, Buffer] | undefined;
  /** Bytes read to compare contents. */
  compared = 0;
  /** Called for names whose mtime is not what the rule would have it, though nothing else changed. */
  onlyTimeDiffers: ((candidate: Candidate) => void) | undefined;

  constructor(source: ChangeSource, times: TimeRule, excluded: ReadonlySet<ByteString>) {
    this.#source = source;
    this.#times = times;
    this.#excluded = excluded;
    this.#walk = new ChangeWalk(source, excluded);
  }

  get visited(): number {
    return this.#walk.visited;
  }

  /** One step: a change, 'same' for a name that did not change, undefined at the end. */
  step(): LayerChange | 'same' | undefined {
    const candidate = this.#walk.next();
    if (candidate === undefined) return undefined;
    const { path, name, now } = candidate;
    const before = candidate.before?.stat;
    if (now === undefined) return { kind: 'removed', path, before };
    if (this.#isUntouched(candidate)) return 'same';
    if (typeOf(now.stat) !== S_IFDIR && now.stat.nlink > 1) return this.#linked(candidate, now);
    const xattrs = candidate.before === undefined ? undefined : layerXattrs(now.dirFd, name);
    if (xattrs !== undefined && this.#isSame(candidate, xattrs)) return 'same';
    return { kind: 'entry', path, at: now, name, xattrs, before };
  }

  #linked(candidate: Candidate, now: NonNullable<Candidate['now']>): LayerChange | 'same' {
    const { path, name } = candidate;
    const before = candidate.before?.stat;
    this.#groups ??= this.#findGroups();
    const group = this.#groups.get(groupKey(now.stat));
    if (group?.anchor !== undefined) {
      const { anchor } = group;
      const joined = candidate.before === undefined || candidate.before.stat.ino !== anchor.lowerIno;
      if (path === anchor.path || (group.unchanged.has(path) && !joined)) return 'same';
      return { kind: 'link', path, at: now, target: anchor.path, toUnchanged: true, before };
    }
    if (group === undefined || group.first === path) {
      return { kind: 'entry', path, at: now, name, xattrs: undefined, before };
    }
    return { kind: 'link', path, at: now, target: group.first, toUnchanged: false, before };
  }

  /** Looks through the whole tree once for files with several names. */
  #findGroups(): Map<string, LinkGroup> {
    const groups = new Map<string, LinkGroup>();
    using walk = new ChangeWalk(this.#source, this.#excluded);
    for (let candidate = walk.next(); candidate !== undefined; candidate = walk.next()) {
      const { now, path, before } = candidate;
      if (now === undefined || now.stat.nlink < 2 || typeOf(now.stat) === S_IFDIR) continue;
      const key = groupKey(now.stat);
      const group: LinkGroup = groups.get(key) ?? { first: path, unchanged: new Set() };
      groups.set(key, group);
      if (before === undefined) continue;
      if (!this.#isUntouched(candidate) && !this.#isSame(candidate, layerXattrs(now.dirFd, candidate.name))) continue;
      group.unchanged.add(path);
      group.anchor ??= { path, lowerIno: before.stat.ino };
    }
    return groups;
  }

  /** Whether the inode is the copy of the lower one, never changed since. */
  #isUntouched({ now, before }: Candidate): boolean {
    const index = this.#source.unchangedInodes;
    if (index === undefined || now === undefined || before === undefined) return false;
    const { seconds, nanoseconds } = now.stat.ctime;
    return index.get(now.stat.ino) === `${before.stat.ino} ${BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds)}`;
  }

  #isSame(candidate: Candidate, xattrs: Xattrs): boolean {
    const { now, before, name } = candidate;
    if (now === undefined || before === undefined) return false;
    const a = now.stat;
    const b = before.stat;
    if (a.mode !== b.mode || a.uid !== b.uid || a.gid !== b.gid) return false;
    const sameMtime = this.#times.ignoreMtime === true || sameTime(a.mtime, b.mtime);
    if (!sameMtime && !sameTime(effectiveTime(a.mtime, this.#times), b.mtime)) return false;
    if (!sameXattrs(xattrs, layerXattrs(before.dirFd, name))) return false;
    if (!this.#isSameContent(candidate, a, b)) return false;
    if (!sameMtime) this.onlyTimeDiffers?.(candidate);
    return true;
  }

  #isSameContent({ now, before, name }: Candidate, a: FileStat, b: FileStat): boolean {
    switch (typeOf(a)) {
      case S_IFREG:
        return a.size === b.size && (a.size === 0 || this.#isSameData(now!.dirFd, before!.dirFd, name, a.size));
      case S_IFLNK:
        return readlinkat(now!.dirFd, name).equals(readlinkat(before!.dirFd, name));
      case S_IFCHR:
      case S_IFBLK:
        return a.rdevMajor === b.rdevMajor && a.rdevMinor === b.rdevMinor;
      default:
        return true;
    }
  }

  #isSameData(nowFd: number, beforeFd: number, name: Buffer, size: number): boolean {
    this.#buffers ??= [Buffer.allocUnsafeSlow(COMPARE_SIZE), Buffer.allocUnsafeSlow(COMPARE_SIZE)];
    const [left, right] = this.#buffers;
    const a = openForReading(nowFd, name);
    try {
      const b = openForReading(beforeFd, name);
      try {
        for (let at = 0; at < size; ) {
          const length = readFully(a, left, at);
          if (length !== readFully(b, right, at) || length === 0) return false;
          if (left.compare(right, 0, length, 0, length) !== 0) return false;
          at += length;
          this.compared += length;
        }
        return true;
      } finally {
        closeSync(b);
      }
    } finally {
      closeSync(a);
    }
  }

  [Symbol.dispose](): void {
    this.#walk[Symbol.dispose]();
  }
}

const groupKey = (stat: FileStat): string => `${stat.dev} ${stat.ino}`;

/** Never blocks on a FIFO, never follows a link. */
export function openForReading(dirFd: number, name: Buffer): number {
  return openAt(dirFd, byteString(name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
}

function readFully(fd: number, buffer: Buffer, position: number): number {
  let length = 0;
  while (length < buffer.length) {
    const got = readSync(fd, buffer, length, buffer.length - length, position + length);
    if (got === 0) break;
    length += got;
  }
  return length;
}
