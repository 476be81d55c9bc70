/**
 * The digest of what a copy would bring, taken without copying: names, types, modes, owners after `--chown` and
 * `--chmod`, link targets, attributes, sizes, content and hard links, but no times. `copyIn` gives the same digest for
 * the same sources and flags.
 */
import { closeSync } from 'node:fs';
import { Pace } from '../rootfs/copy-pace.ts';
import { TreeDigest } from '../rootfs/copy-record.ts';
import { type CopyRulesOptions, copyRules } from '../rootfs/copy-rules.ts';
import { type PassTotals, TreePass } from '../rootfs/copy-tree.ts';
import { type ByteString, bytesOf } from '../rootfs/copy-walk.ts';
import type { Digest } from '../spec/digest.ts';
import type { Cancellable } from '../spec/target.ts';
import type { ResolvedSource } from './copy-source.ts';
import type { StatCache } from './stat-cache.ts';

/** The word in Buildah's history text: `COPY file:HEX in DEST`. */
export type ContentKind = 'file' | 'dir' | 'multi' | 'empty';

export interface ContentSummary extends Readonly<PassTotals> {
  readonly digest: Digest;
  readonly kind: ContentKind;
  /** What was hashed, in pieces; undefined unless asked for, or when it is too much. */
  readonly records: readonly string[] | undefined;
}

export interface DigestOptions extends CopyRulesOptions, Cancellable {
  /** Files it knows are not read; what is read is remembered in it. The caller saves it. */
  readonly cache?: StatCache | undefined;
  readonly keepRecords?: boolean | undefined;
}

export async function digestSources(
  sources: readonly ResolvedSource[],
  o: DigestOptions = {},
): Promise<ContentSummary> {
  const rules = copyRules(o);
  const digest = new TreeDigest({ keep: o.keepRecords });
  const pass = new TreePass({
    attributesOf: rules.attributesOf,
    digest,
    memory: o.cache,
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
  const total = digest.digest();
  return { ...pass.totals, digest: total, kind: kindOf(sources), records: digest.records };
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
