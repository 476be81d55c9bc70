/**
 * The digest of what a copy would bring, taken without copying: names, types, modes, owners after `--chown` and
 * `--chmod`, link targets, attributes, sizes, content and hard links, but no times. `copyIn` gives the same digest for
 * the same sources and flags.
 */
import { closeSync } from 'node:fs';
import { Pace } from '../rootfs/copy-pace.ts';
import { TreeDigest } from '../rootfs/copy-record.ts';
import { type CopyRulesOptions, copyRules } from '../rootfs/copy-rules.ts';
import { type ContentMemory, type PassTotals, TreePass } from '../rootfs/copy-tree.ts';
import { type ByteString, bytesOf } from '../rootfs/copy-walk.ts';
import type { Digest } from '../spec/digest.ts';
import type { Cancellable } from '../spec/target.ts';
import type { ResolvedSource } from './copy-source.ts';
import { type TreeFingerprint, treeFingerprint } from './tree-fingerprint.ts';
import type { TreeMemory } from './tree-memory.ts';

/** The word in Buildah's history text: `COPY file:HEX in DEST`. */
export type ContentKind = 'file' | 'dir' | 'multi' | 'empty';

export interface ContentSummary extends Readonly<PassTotals> {
  readonly digest: Digest;
  readonly kind: ContentKind;
  /** What was hashed, in pieces; undefined unless asked for, when it is too much, or kept from earlier. */
  readonly records: readonly string[] | undefined;
}

/** What is remembered of files on disk, so that those nobody touched are not read again. */
export interface CopyMemory {
  /** Content hashes by stat. */
  readonly files: ContentMemory;
  /** Digests of whole trees by fingerprint; without it they are made from those of the files. */
  readonly trees?: TreeMemory;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export interface DigestOptions extends CopyRulesOptions, Cancellable {
  /** What it knows is not read; what is read is remembered in it. The caller saves it. */
  readonly memory?: CopyMemory | undefined;
  /** Keeps the records, unless those of that digest are kept already. */
  readonly records?: { has(digest: Digest): boolean } | undefined;
}

export async function digestSources(
  sources: readonly ResolvedSource[],
  o: DigestOptions = {},
): Promise<ContentSummary> {
  const kind = kindOf(sources);
  const seen = await fingerprintOf(sources, o);
  const known = seen === undefined ? undefined : o.memory?.trees?.lookup(seen.hex);
  if (known !== undefined && o.records?.has(known.digest) !== false) return { ...known, kind, records: undefined };
  const rules = copyRules(o);
  const digest = new TreeDigest({ keep: o.records !== undefined });
  const pass = new TreePass({
    attributesOf: rules.attributesOf,
    digest,
    memory: o.memory?.files,
    pace: new Pace(o.signal),
  });
  for (const [number, source] of sources.entries()) {
    await withSource(source, async (fd) => {
      const path = recordPath(number, source);
      if (source.entry.children === undefined) {
        await pass.file(source.entry, fd, path, undefined, bytesOf(source.name));
        return;
      }
      if (!source.isFrame) pass.directory(source.entry, fd, path);
      await pass.children(source.entry, fd, path, undefined);
    });
  }
  const total = { ...pass.totals, digest: digest.digest() };
  if (seen?.isSettled === true) o.memory?.trees?.remember(seen.hex, total);
  return { ...total, kind, records: digest.records };
}

/** With other owners or modes than those on disk, trees are gone through file by file. */
async function fingerprintOf(
  sources: readonly ResolvedSource[],
  o: DigestOptions,
): Promise<TreeFingerprint | undefined> {
  if (o.memory?.trees === undefined || o.chown !== undefined || o.chmod !== undefined) return undefined;
  const heading = o.preserveOwnership === true ? 'owners kept' : 'owners dropped';
  return treeFingerprint(sources, { heading, now: o.memory.now(), pace: new Pace(o.signal) });
}

/** How the top of a source is called in the digest: sources are told apart by position, files also by name. */
export function recordPath(number: number, source: ResolvedSource): ByteString {
  return source.entry.children === undefined ? `${number}/${source.name}` : `${number}`;
}

export function kindOf(sources: readonly ResolvedSource[]): ContentKind {
  if (sources.length > 1) return 'multi';
  const only = sources[0];
  if (only === undefined) return 'empty';
  return only.entry.children === undefined ? 'file' : 'dir';
}

/**
 * Calls `act` with a descriptor of the directory to read from: the source itself if it is one, else its parent. For
 * content that is not on disk the descriptor is -1.
 */
export async function withSource(source: ResolvedSource, act: (fd: number) => Promise<void>): Promise<void> {
  const { root, path, entry } = source;
  if (root === undefined) return act(-1);
  const directory = entry.children === undefined ? parentOf(path) : path;
  const fd = root.openDirectory(directory === '' ? '.' : bytesOf(directory));
  try {
    await act(fd);
  } finally {
    closeSync(fd);
  }
}

const parentOf = (path: ByteString): ByteString => path.slice(0, Math.max(0, path.lastIndexOf('/')));
