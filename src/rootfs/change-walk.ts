/**
 * Walks a tree beside the one it came from, in byte order, and gives every name that may have changed: for overlay what
 * the upper directories name, for a plain tree everything.
 *
 * A plain tree is treated as one upper directory whose root is opaque: then nothing of the lower tree shows through,
 * and what the lower one has and the upper one has not was removed. That makes the drivers agree by construction.
 */
import { closeSync, constants, readdirSync } from 'node:fs';
import { statAtIfAny } from '../sys/file-calls.ts';
import {
  AT_FDCWD,
  type FileStat,
  lgetxattr,
  openat,
  S_IFCHR,
  S_IFDIR,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
} from '../sys/libc.ts';
import { procPath } from '../sys/root-directory.ts';
import { type ByteString, bytesOf } from './copy-walk.ts';
import type { ChangeSource } from './snapshotter.ts';

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** For fewer names than this a stat each is cheaper than listing the lower directory. */
const FEW = 8;

/** A name and what it stands for on both sides. Descriptors are valid until the next step of the walk. */
export interface Candidate {
  readonly path: ByteString;
  readonly name: Buffer;
  /** What is there now; undefined when there is nothing (any more). */
  readonly now:
    | { readonly dirFd: number; readonly stat: FileStat /** in the newest upper directory */; readonly newest: boolean }
    | undefined;
  readonly before: { readonly dirFd: number; readonly stat: FileStat } | undefined;
}

interface Upper {
  readonly fd: number;
  readonly newest: boolean;
  readonly names: ReadonlySet<ByteString> | undefined;
  /** Whiteouts in it may have the form of an attribute. */
  readonly attributeWhiteouts: boolean;
}

interface Frame {
  readonly path: ByteString;
  /** Newest first. */
  readonly uppers: readonly Upper[];
  readonly lowerFd: number | undefined;
  readonly lowerNames: ReadonlySet<ByteString> | undefined;
  /** Whether nothing of the lower directory shows through. */
  readonly hidden: boolean;
  readonly names: readonly ByteString[];
  next: number;
}

type Found = {
  readonly stat: FileStat;
  readonly upper: Upper;
  readonly directories: readonly { fd: number; upper: Upper }[];
  readonly hidden: boolean;
};

export const typeOf = (stat: FileStat): number => stat.mode & S_IFMT;

/** Iterate with `next` until it gives undefined; dispose to close what is open. */
export class ChangeWalk implements Disposable {
  readonly #plain: boolean;
  readonly #stack: Frame[] = [];
  readonly #excluded: ReadonlySet<ByteString>;
  /** The directory given last, to be entered at the next step. */
  #entering: Frame | undefined;
  /** Names looked at. */
  visited = 0;

  constructor(source: ChangeSource, excluded: ReadonlySet<ByteString> = new Set()) {
    this.#excluded = excluded;
    this.#plain = source.uppers === undefined;
    const roots = source.uppers ?? (source.merged === undefined ? [] : [source.merged]);
    const open: number[] = [];
    try {
      for (const root of roots) open.push(openat(AT_FDCWD, root, DIRECTORY));
      const uppers = open.map((fd, index) => ({ fd, newest: index === 0 }));
      let lowerFd: number | undefined;
      if (source.lower !== undefined) {
        lowerFd = openat(AT_FDCWD, source.lower, DIRECTORY);
        open.push(lowerFd);
      }
      this.#stack.push(this.#frame('', uppers, lowerFd, this.#plain));
    } catch (error) {
      for (const fd of open) closeSync(fd);
      throw error;
    }
  }

  next(): Candidate | undefined {
    if (this.#entering !== undefined) {
      this.#stack.push(this.#entering);
      this.#entering = undefined;
    }
    for (let frame = this.#stack.at(-1); frame !== undefined; frame = this.#stack.at(-1)) {
      const name = frame.names[frame.next];
      if (name === undefined) {
        closeFrame(this.#stack.pop()!);
        continue;
      }
      frame.next += 1;
      const candidate = this.#look(frame, name);
      if (candidate !== undefined) return candidate;
    }
    return undefined;
  }

  #look(frame: Frame, name: ByteString): Candidate | undefined {
    this.visited += 1;
    const path = frame.path === '' ? name : `${frame.path}/${name}`;
    if (this.#excluded.has(path)) return undefined;
    const bytes = bytesOf(name);
    const found = this.#find(frame, name, bytes);
    const before = this.#before(frame, name);
    if (found === undefined) return before === undefined ? undefined : { path, name: bytes, now: undefined, before };
    if (typeOf(found.stat) === S_IFDIR) this.#enterLater(frame, path, bytes, found, before);
    return { path, name: bytes, now: { dirFd: found.upper.fd, stat: found.stat, newest: found.upper.newest }, before };
  }

  /** What stands at the name now: the newest entry wins, directories of several uppers are merged. */
  #find(frame: Frame, name: ByteString, bytes: Buffer): Found | undefined {
    let top: { stat: FileStat; upper: Upper } | undefined;
    const directories: { fd: number; upper: Upper }[] = [];
    let hidden = frame.hidden;
    for (const upper of frame.uppers) {
      if (upper.names !== undefined && !upper.names.has(name)) continue;
      const stat = statAtIfAny(upper.fd, name);
      if (stat === undefined) continue;
      const isDirectory = typeOf(stat) === S_IFDIR;
      if (top !== undefined && !isDirectory) {
        hidden = true;
        break;
      }
      if (this.#isNothing(upper, bytes, stat)) break;
      top ??= { stat, upper };
      if (!isDirectory) break;
      const fd = openat(upper.fd, bytes, DIRECTORY);
      directories.push({ fd, upper });
      if (!this.#plain && overlayXattr(fd, 'opaque') === 'y') {
        hidden = true;
        break;
      }
    }
    return top === undefined ? undefined : { ...top, directories, hidden };
  }

  /** Whiteouts, and what a layer cannot hold: sockets, and devices 0:0 of plain trees (a whiteout to any overlay). */
  #isNothing(upper: Upper, name: Buffer, stat: FileStat): boolean {
    const type = typeOf(stat);
    if (type === S_IFSOCK) return true;
    if (type === S_IFCHR) return stat.rdevMajor === 0 && stat.rdevMinor === 0;
    return (
      upper.attributeWhiteouts &&
      type === S_IFREG &&
      stat.size === 0 &&
      overlayXattr(upper.fd, 'whiteout', name) !== undefined
    );
  }

  #before(frame: Frame, name: ByteString): Candidate['before'] {
    if (frame.lowerFd === undefined) return undefined;
    if (frame.lowerNames !== undefined && !frame.lowerNames.has(name)) return undefined;
    const stat = statAtIfAny(frame.lowerFd, name);
    // Sockets never were in a layer.
    return stat === undefined || typeOf(stat) === S_IFSOCK ? undefined : { dirFd: frame.lowerFd, stat };
  }

  #enterLater(frame: Frame, path: ByteString, name: Buffer, found: Found, before: Candidate['before']): void {
    const lowerIsDirectory = before !== undefined && typeOf(before.stat) === S_IFDIR;
    const lowerFd = lowerIsDirectory ? openat(frame.lowerFd!, name, DIRECTORY) : undefined;
    const uppers = found.directories.map(({ fd, upper }) => ({ fd, newest: upper.newest }));
    this.#entering = this.#frame(path, uppers, lowerFd, found.hidden);
  }

  #frame(
    path: ByteString,
    uppers: readonly { fd: number; newest: boolean }[],
    lowerFd: number | undefined,
    hidden: boolean,
  ): Frame {
    const lists = uppers.map(({ fd }) => namesIn(fd));
    let names = lists[0] ?? [];
    const merged = lists.length > 1 || (hidden && lowerFd !== undefined);
    const few = names.length <= FEW && !merged;
    const lowerList = lowerFd === undefined || few ? undefined : namesIn(lowerFd);
    if (merged) names = union(hidden ? [...lists, lowerList ?? []] : lists);
    return {
      path,
      uppers: uppers.map(({ fd, newest }, index) => ({
        fd,
        newest,
        names: merged ? new Set(lists[index]) : undefined,
        attributeWhiteouts: !this.#plain && overlayXattr(fd, 'opaque') === 'x',
      })),
      lowerFd,
      lowerNames: lowerList === undefined ? undefined : new Set(lowerList),
      hidden,
      names: names.sort(),
      next: 0,
    };
  }

  [Symbol.dispose](): void {
    if (this.#entering !== undefined) closeFrame(this.#entering);
    this.#entering = undefined;
    for (const frame of this.#stack.splice(0)) closeFrame(frame);
  }
}

function closeFrame(frame: Frame): void {
  for (const { fd } of frame.uppers) closeSync(fd);
  if (frame.lowerFd !== undefined) closeSync(frame.lowerFd);
}

function namesIn(fd: number): ByteString[] {
  return readdirSync(`/proc/self/fd/${fd}`, { encoding: 'latin1' });
}

function union(lists: readonly (readonly ByteString[])[]): ByteString[] {
  const all = new Set<ByteString>();
  for (const list of lists) for (const name of list) all.add(name);
  return [...all];
}

const HERE = Buffer.from('.');

/** An attribute of overlay's own, in either of its two name spaces, as text. */
function overlayXattr(dirFd: number, marker: 'opaque' | 'whiteout', name: Buffer = HERE): string | undefined {
  const path = procPath(dirFd, name);
  return (lgetxattr(path, `trusted.overlay.${marker}`) ?? lgetxattr(path, `user.overlay.${marker}`))?.toString(
    'latin1',
  );
}
