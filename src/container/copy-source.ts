/**
 * Finds what a COPY, ADD, `copy` or `add` names: patterns below a root (build context, stage, image, container), held
 * inside it by the kernel, filtered by ignore rules and `--exclude`. The result is names and stats only.
 *
 * @see Dockerfile reference, "COPY" and ".dockerignore"
 */
import { closeSync } from 'node:fs';
import { BuilderError } from '../report/builder-error.ts';
import { resolveDestination } from '../rootfs/copy-destination.ts';
import { Pace } from '../rootfs/copy-pace.ts';
import { type ByteString, byteString, bytesOf, type CopyEntry, textOf, walkTree } from '../rootfs/copy-walk.ts';
import { hasWildcard } from '../spec/path-pattern.ts';
import type { Cancellable } from '../spec/target.ts';
import type { Timestamp } from '../spec/timestamp.ts';
import { type FileStat, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } from '../sys/libc.ts';
import type { RootDirectory } from '../sys/root-directory.ts';
import { allOf, excludeFilter, ignoreFilter, includeFilter, isHidden } from './copy-source-filter.ts';
import { missingSource, noMatch } from './copy-source-missing.ts';
import { expandWildcards, literalPath, splitPivot } from './copy-source-pattern.ts';
import { type IgnoreRules, PathRules } from './copy-source-rules.ts';

export type { IgnoreRules } from './copy-source-rules.ts';

/** One thing to copy. Its root has to stay open until the copy is done. */
export interface ResolvedSource {
  /** As the user wrote it. */
  readonly pattern: string;
  /** Where it is below `root`, links resolved. */
  readonly path: ByteString;
  /** Its name in a destination directory; '' for a directory whose content is copied from the root itself. */
  readonly name: ByteString;
  readonly entry: CopyEntry;
  /** undefined for content that is not on disk */
  readonly root: RootDirectory | undefined;
  /** The directory only holds what was chosen (`--parents`): its own attributes mean nothing. */
  readonly isFrame: boolean;
  /** Whether an archive is unpacked, where that is said of this source. */
  readonly unpack?: boolean | undefined;
  /** The time all of it has, where one was asked for. */
  readonly timestamp?: Timestamp | undefined;
}

export interface ResolveOptions extends Cancellable {
  readonly root: RootDirectory;
  /** What the root is called in messages; default "the build context". */
  readonly rootName?: string;
  readonly patterns: readonly string[];
  readonly ignore?: IgnoreRules | undefined;
  /** `--exclude`: relative to each copied directory; a copied file is matched by its name. */
  readonly exclude?: readonly string[] | undefined;
  /** `--parents` */
  readonly parents?: boolean | undefined;
  /** false takes every character of a source literally. */
  readonly allowWildcard?: boolean | undefined;
  /** true: a pattern that matches nothing is no error. */
  readonly allowEmptyWildcard?: boolean | undefined;
  /** false copies a source that is a symbolic link as a link. */
  readonly followLinks?: boolean | undefined;
}

/** What the parts of the search share. */
export interface Search extends ResolveOptions {
  readonly ignored: PathRules | undefined;
  readonly excluded: PathRules | undefined;
  readonly pace: Pace;
}

/**
 * @throws `copy.source-missing` for a plain name that does not exist or is ignored, naming the rule and the nearest
 *   name; and for a pattern without a match unless `allowEmptyWildcard`
 */
export async function resolveSources(o: ResolveOptions): Promise<ResolvedSource[]> {
  const search: Search = {
    ...o,
    ignored: rulesOf(o.ignore),
    excluded: rulesOf(o.exclude === undefined ? undefined : { patterns: o.exclude, name: '--exclude' }),
    pace: new Pace(o.signal),
  };
  const found: ResolvedSource[] = [];
  for (const pattern of o.patterns) {
    if (o.parents === true) found.push(...(await resolveWithParents(search, pattern)));
    else found.push(...(await resolvePattern(search, pattern)));
  }
  return found;
}

function rulesOf(rules: IgnoreRules | undefined): PathRules | undefined {
  if (rules === undefined) return undefined;
  const made = new PathRules(rules);
  return made.isEmpty ? undefined : made;
}

/** Content that is not on disk: a here-document. */
export function inlineSource(name: string, content: Buffer, mode = 0o644): ResolvedSource {
  const now = Date.now();
  const time = { seconds: Math.floor(now / 1000), nanoseconds: (now % 1000) * 1_000_000 };
  const stat: FileStat = {
    mode: S_IFREG | mode,
    uid: 0,
    gid: 0,
    size: content.length,
    nlink: 1,
    ino: '0',
    dev: '0:0',
    mtime: time,
    ctime: time,
    rdevMajor: 0,
    rdevMinor: 0,
    blocks: 0,
  };
  const bytes = byteString(Buffer.from(name));
  const entry = { name: bytes, stat, inline: content };
  return { pattern: `<<${name}`, path: bytes, name: bytes, entry, root: undefined, isFrame: false };
}

async function resolvePattern(search: Search, pattern: string): Promise<ResolvedSource[]> {
  const isWildcard = search.allowWildcard !== false && hasWildcard(pattern);
  if (!isWildcard) {
    const path = literalPath(search, pattern);
    const source = await resolvePath(search, pattern, path, false);
    if (source === 'missing') throw missingSource(search, pattern, path);
    return source === 'excluded' ? [] : [source];
  }
  const found: ResolvedSource[] = [];
  let isAny = false;
  for (const path of expandWildcards(search.root, pattern)) {
    const source = await resolvePath(search, pattern, path, true);
    // A name that is there and leads nowhere is a mistake to report, not a name that does not match.
    if (source === 'missing' && isDangling(search, path)) throw missingSource(search, pattern, path);
    if (source === 'missing') continue;
    isAny = true;
    if (source !== 'excluded') found.push(source);
  }
  if (!isAny && search.allowEmptyWildcard !== true) throw noMatch(search, pattern);
  return found;
}

function isDangling(search: Search, path: ByteString): boolean {
  if (isHidden(search.ignored, path)) return false;
  const stat = search.root.stat(bytesOf(path));
  return (
    stat !== undefined && (stat.mode & S_IFMT) === S_IFLNK && resolveDestination(search.root, path).stat === undefined
  );
}

const lastOf = (path: ByteString): ByteString => path.slice(path.lastIndexOf('/') + 1);

async function resolvePath(
  search: Search,
  pattern: string,
  written: ByteString,
  isMatch: boolean,
): Promise<ResolvedSource | 'missing' | 'excluded'> {
  const end = follow(search, written);
  if (end.stat === undefined) return 'missing';
  const name = lastOf(written);
  const source = { pattern, path: end.path, name, root: search.root, isFrame: false };
  const isHiddenLink = end.path !== written && isHidden(search.ignored, written);
  if (isHiddenLink) return 'missing';
  const isExcluded = search.excluded?.matches(textOf(name)) === true;
  if ((end.stat.mode & S_IFMT) === S_IFSOCK && !isMatch) {
    throw new BuilderError('copy.invalid', `cannot copy ${JSON.stringify(pattern)}: it is a socket`);
  }
  if ((end.stat.mode & S_IFMT) !== S_IFDIR) {
    if (isHidden(search.ignored, end.path)) return 'missing';
    return isExcluded ? 'excluded' : { ...source, entry: { name: lastOf(end.path), stat: end.stat } };
  }
  if (isExcluded && isMatch) return 'excluded';
  const entry = await walkFrom(search, end.path);
  if (isHidden(search.ignored, end.path) && entry.children?.length === 0) return 'missing';
  return { ...source, entry };
}

function follow(search: Search, path: ByteString): { readonly path: ByteString; readonly stat: FileStat | undefined } {
  if (search.followLinks !== false || path === '') return resolveDestination(search.root, path);
  const slash = path.lastIndexOf('/');
  const parent = slash === -1 ? '' : resolveDestination(search.root, path.slice(0, slash)).path;
  const real = parent === '' ? lastOf(path) : `${parent}/${lastOf(path)}`;
  return { path: real, stat: search.root.stat(bytesOf(real)) };
}

async function walkFrom(search: Search, path: ByteString, only?: readonly string[]): Promise<CopyEntry> {
  const fd = search.root.openDirectory(path === '' ? '.' : bytesOf(path));
  try {
    const filter = allOf([
      only === undefined ? undefined : includeFilter(only),
      ignoreFilter(search.ignored, path),
      excludeFilter(search.excluded),
    ]);
    return await walkTree(fd, search.pace, filter);
  } finally {
    closeSync(fd);
  }
}

/** `--parents`: one tree from the pivot (or the root) down to what matches, with the directories between. */
async function resolveWithParents(search: Search, pattern: string): Promise<ResolvedSource[]> {
  const { pivot, rest } = splitPivot(pattern);
  const path = literalPath(search, pivot);
  const end = resolveDestination(search.root, path);
  if (end.stat === undefined || (end.stat.mode & S_IFMT) !== S_IFDIR) throw missingSource(search, pattern, path);
  const entry = await walkFrom(search, end.path, rest);
  if (entry.children?.length === 0) {
    if (!rest.some(hasWildcard)) throw missingSource(search, pattern, [end.path, ...rest].filter(Boolean).join('/'));
    if (search.allowEmptyWildcard !== true) throw noMatch(search, pattern);
    return [];
  }
  return [{ pattern, path: end.path, name: '', entry, root: search.root, isFrame: true }];
}
