/**
 * Reads a tree into memory: names, stats and order, no content. Names are strings of one byte per character (latin1),
 * which keeps any file name exact, sorts in byte order and is cheaper than a Buffer each.
 */
import { closeSync, constants, readdirSync } from 'node:fs';
import { BuilderError } from '../report/builder-error.ts';
import { errnoOf, type FileStat, lstatat, O_PATH, openat, S_IFDIR, S_IFMT } from '../sys/libc.ts';
import { quickStat } from '../sys/quick-stat.ts';
import type { Pace } from './copy-pace.ts';

/** A file name or path, one character per byte. */
export type ByteString = string;

export const bytesOf = (name: ByteString): Buffer => Buffer.from(name, 'latin1');
export const byteString = (bytes: Buffer): ByteString => bytes.toString('latin1');
/** For people: bytes that are UTF-8 are shown as such. */
export const displayName = (name: ByteString): string => bytesOf(name).toString('utf8');

const HIGH = /[\x80-\xff]/;
/** The text that patterns are matched against. */
export const textOf = (name: ByteString): string => (HIGH.test(name) ? displayName(name) : name);

/** Something that will be copied. */
export interface CopyEntry {
  /** Last component; '' for the top of a tree. */
  readonly name: ByteString;
  readonly stat: FileStat;
  /** Of a directory, in byte order of name. */
  readonly children?: readonly CopyEntry[];
  /** Content that is not on disk (here-documents). */
  readonly inline?: Buffer;
}

/**
 * What to do with a path below the top: `skip` it with all below; `take` it; `below`: a directory that is left out
 * itself unless something below it is taken.
 */
export type WalkDecision = 'skip' | 'take' | 'below';
/** @param path relative to the top, components joined by `/` */
export type WalkFilter = (path: ByteString) => WalkDecision;

/** Deeper trees cannot even be named by path (PATH_MAX) and would cost a descriptor per level. */
export const MAX_DEPTH = 2048;
const DIRECTORY = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;

interface Frame {
  readonly fd: number;
  readonly path: ByteString;
  readonly entry: { name: ByteString; stat: FileStat; children: CopyEntry[] };
  readonly decision: WalkDecision;
  readonly names: readonly ByteString[];
  next: number;
}

function namesIn(fd: number): ByteString[] {
  return readdirSync(`/proc/self/fd/${fd}`, { encoding: 'latin1' }).sort();
}

/**
 * The tree below the directory open as `dirFd` (which stays open). Entries that vanish while it is read are left out.
 * @throws `copy.invalid` for a tree deeper than 2048 levels
 */
export async function walkTree(dirFd: number, pace: Pace, filter?: WalkFilter): Promise<CopyEntry> {
  const top: Frame = frameOf(dirFd, '', '', lstatat(dirFd, ''), 'take');
  const stack: Frame[] = [top];
  try {
    for (let frame = top; ; frame = stack.at(-1)!) {
      const name = frame.names[frame.next];
      if (name === undefined) {
        if (stack.length === 1) return top.entry;
        leave(stack);
        continue;
      }
      frame.next += 1;
      visit(frame, name, stack, filter);
      if (pace.due()) await pace.rest();
    }
  } finally {
    for (const frame of stack.slice(1)) closeSync(frame.fd);
  }
}

function frameOf(fd: number, path: ByteString, name: ByteString, stat: FileStat, decision: WalkDecision): Frame {
  return { fd, path, decision, entry: { name, stat, children: [] }, names: namesIn(fd), next: 0 };
}

function leave(stack: Frame[]): void {
  const frame = stack.pop()!;
  closeSync(frame.fd);
  if (frame.decision === 'take' || frame.entry.children.length > 0) stack.at(-1)!.entry.children.push(frame.entry);
}

function visit(frame: Frame, name: ByteString, stack: Frame[], filter: WalkFilter | undefined): void {
  const path = frame.path === '' ? name : `${frame.path}/${name}`;
  const decision = filter === undefined ? 'take' : filter(path);
  if (decision === 'skip') return;
  try {
    const stat = quickStat(frame.fd, name);
    if ((stat.mode & S_IFMT) !== S_IFDIR) {
      if (decision === 'take') frame.entry.children.push({ name, stat });
      return;
    }
    if (stack.length >= MAX_DEPTH) {
      throw new BuilderError('copy.invalid', `directories nest deeper than ${MAX_DEPTH} levels`, {
        facts: { path: displayName(path).slice(0, 200) },
      });
    }
    const fd = openat(frame.fd, bytesOf(name), DIRECTORY);
    try {
      stack.push(frameOf(fd, path, name, stat, decision));
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  } catch (error) {
    // Gone, or turned into something else, since its name was read.
    const errno = errnoOf(error);
    if (errno !== 'ENOENT' && errno !== 'ENOTDIR') throw error;
  }
}
