/**
 * The caches of `RUN --mount=type=cache` as things of their own: listed, measured, removed, carried elsewhere. A cache
 * that a build holds is left alone; what changes here is locked against builds.
 */
import { existsSync, lstatSync, mkdirSync, readdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { decompress } from '../archive/compression.ts';
import { encodeEntry } from '../archive/tar-writer.ts';
import { BuilderError, isBuilderError } from '../report/builder-error.ts';
import { suggest } from '../report/suggestion.ts';
import { applyTar } from '../rootfs/apply-tar.ts';
import { diffTrees } from '../rootfs/diff-tree.ts';
import { diskUse } from '../rootfs/disk-use.ts';
import { removeTree } from '../rootfs/remove-tree.ts';
import type { Bytes } from '../spec/target.ts';
import { readJsonFile } from '../store/atomic-file.ts';
import { FileLock } from '../sys/file-lock.ts';
import { makeDirectories } from '../sys/make-directories.ts';
import { type CacheIdentity, cacheRoot, nameOf, noteUse } from './cache-mounts.ts';
import type { Engine } from './engine.ts';

/** One cache. */
export interface CacheSummary {
  /** 32 hex digits: what its directory is called. */
  readonly name: string;
  /** As in `--mount=type=cache,id=…`; its target where no id was given. '' for caches of earlier releases. */
  readonly id: string;
  /** BUILDKIT_CACHE_MOUNT_NS of the builds it belongs to. */
  readonly namespace: string;
  /** The image, stage or context that seeded it. */
  readonly from: string | undefined;
  /** Bytes on disk, of copies made for `sharing=private` as well. */
  readonly sizeBytes: number;
  readonly files: number;
  /** ms since the epoch */
  readonly usedAt: number;
  /** A command is using it now. */
  readonly isBusy: boolean;
}

export interface CachePruneOptions {
  /** Only those not used since, ms since the epoch. */
  readonly unusedSince?: number;
  /** Only as many as it takes to get below, the longest unused first. */
  readonly keepBytes?: number;
}

export interface PrunedCaches {
  readonly removed: readonly CacheSummary[];
  readonly freedBytes: number;
}

const DIRECTORY = /^([0-9a-f]{32})(?:\.(\d+))?$/;

/** All caches, the latest used first. */
export function listCaches(engine: Engine): CacheSummary[] {
  const root = cacheRoot(engine);
  const names = new Map<string, string[]>();
  for (const entry of existsSync(root) ? readdirSync(root) : []) {
    const name = DIRECTORY.exec(entry)?.[1];
    if (name !== undefined) names.set(name, [...(names.get(name) ?? []), entry]);
  }
  return [...names]
    .map(([name, directories]) => summarize(root, name, directories))
    .sort((a, b) => b.usedAt - a.usedAt || (a.id < b.id ? -1 : 1));
}

function summarize(root: string, name: string, directories: readonly string[]): CacheSummary {
  const path = join(root, `${name}.json`);
  const known = identityAt(path);
  let sizeBytes = 0;
  let files = 0;
  for (const directory of directories) {
    const use = diskUse(join(root, directory));
    sizeBytes += use.bytes;
    files += use.files;
  }
  return {
    name,
    id: known?.id ?? '',
    namespace: known?.namespace ?? '',
    from: known?.from,
    sizeBytes,
    files,
    usedAt: statSync(known === undefined ? join(root, directories[0]!) : path).mtimeMs,
    isBusy: directories.some((directory) => isHeld(root, directory)),
  };
}

/** One that a crash of the machine cut off is written again with the next use. */
function identityAt(path: string): CacheIdentity | undefined {
  try {
    return readJsonFile(path) as CacheIdentity | undefined;
  } catch (error) {
    if (isBuilderError(error, 'store.damaged')) return undefined;
    throw error;
  }
}

function lockOf(root: string, directory: string): string {
  const [, name, number = '0'] = DIRECTORY.exec(directory)!;
  return join(root, `${name}.${number}.lock`);
}

function isHeld(root: string, directory: string): boolean {
  const lock = FileLock.try(lockOf(root, directory), 'exclusive');
  lock?.[Symbol.dispose]();
  return lock === undefined;
}

/** The cache of that id, or whose name begins so. @throws `cache.not-known`, `cache.ambiguous` */
function find(engine: Engine, wanted: string): CacheSummary {
  const all = listCaches(engine);
  const byId = all.filter(({ id }) => id === wanted);
  const found = byId.length > 0 ? byId : all.filter(({ name }) => wanted.length >= 4 && name.startsWith(wanted));
  if (found.length === 1) return found[0]!;
  if (found.length > 1) {
    throw new BuilderError('cache.ambiguous', `${found.length} caches are called ${JSON.stringify(wanted)}`, {
      hint: `name one by its digits: ${found
        .map(({ name }) => name.slice(0, 12))
        .sort()
        .join(', ')}`,
    });
  }
  const near = suggest(
    wanted,
    all.map(({ id }) => id),
  );
  throw new BuilderError('cache.not-known', `there is no cache ${JSON.stringify(wanted)}`, {
    ...(near === undefined ? {} : { hint: `did you mean ${near}?` }),
  });
}

/** Removes a cache. @throws `cache.not-known`, `cache.in-use` while a command uses it */
export function removeCache(engine: Engine, wanted: string): CacheSummary {
  const cache = find(engine, wanted);
  if (remove(engine, cache)) return cache;
  throw new BuilderError('cache.in-use', `the cache ${wanted} is in use by a build`);
}

/** False when a command uses it. */
function remove(engine: Engine, { name }: CacheSummary): boolean {
  const root = cacheRoot(engine);
  const directories = readdirSync(root).filter((entry) => DIRECTORY.exec(entry)?.[1] === name);
  for (const directory of directories) {
    // The file stays: somebody may be waiting for its lock.
    using lock = FileLock.try(lockOf(root, directory), 'exclusive');
    if (lock === undefined) return false;
    const gone = join(root, `${directory}.gone`);
    renameSync(join(root, directory), gone);
    removeTree(gone);
  }
  removeTree(join(root, `${name}.json`));
  return true;
}

/** Removes caches nobody uses now. */
export function pruneCaches(engine: Engine, o: CachePruneOptions = {}): PrunedCaches {
  const all = listCaches(engine);
  let kept = all.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const removed: CacheSummary[] = [];
  for (const cache of all.toReversed()) {
    if (o.keepBytes !== undefined && kept <= o.keepBytes) break;
    if (o.unusedSince !== undefined && cache.usedAt >= o.unusedSince) continue;
    if (cache.isBusy || !remove(engine, cache)) continue;
    kept -= cache.sizeBytes;
    removed.push(cache);
  }
  return { removed, freedBytes: removed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
}

/** The content of a cache as a tar, owners and all. It is held against others that want it alone until the end. */
export async function* exportCacheMount(engine: Engine, wanted: string): Bytes {
  const { name } = find(engine, wanted);
  const root = cacheRoot(engine);
  using _ = await FileLock.acquire(join(root, `${name}.0.lock`), 'shared', { signal: engine.signal });
  const path = join(root, name);
  yield rootHeader(path);
  yield* diffTrees({ lower: undefined, merged: path }, { signal: engine.signal });
}

/** A difference of trees says nothing of the root, whose owner and mode a cache needs. */
function rootHeader(path: string): Buffer {
  const { mode, uid, gid, mtimeMs } = lstatSync(path);
  return encodeEntry({
    name: Buffer.from('./'),
    type: 'directory',
    mode: mode & 0o7777,
    uid,
    gid,
    size: 0,
    mtime: { seconds: Math.floor(mtimeMs / 1000), nanoseconds: 0 },
    linkName: Buffer.alloc(0),
    devMajor: 0,
    devMinor: 0,
    xattrs: new Map(),
  });
}

/**
 * Puts the content of a tar, compressed or not, in the place of what a cache held; one that does not exist is made.
 * Waits for commands that use it.
 * @throws `layer.invalid`, `tar.invalid`, `compression.invalid`; the cache is then as it was
 */
export async function importCacheMount(
  engine: Engine,
  o: { readonly id: string; readonly namespace?: string },
  tar: Bytes,
): Promise<CacheSummary> {
  const root = cacheRoot(engine);
  makeDirectories(root, 0o700);
  const identity: CacheIdentity = { namespace: o.namespace ?? '', id: o.id, from: undefined, source: '/' };
  const existing = listCaches(engine).filter(({ id, namespace }) => id === o.id && namespace === identity.namespace);
  const name = existing.length === 1 ? existing[0]!.name : nameOf(identity, identity.namespace);
  using _ = await FileLock.acquire(join(root, `${name}.0.lock`), 'exclusive', { signal: engine.signal });
  const fresh = join(root, `${name}.import`);
  const path = join(root, name);
  removeTree(fresh);
  mkdirSync(fresh, { mode: 0o755 });
  try {
    await applyTar(decompress(tar), fresh, { signal: engine.signal, emit: engine.emit });
    if (existsSync(path)) renameSync(path, `${path}.gone`);
    renameSync(fresh, path);
  } catch (error) {
    removeTree(fresh);
    throw error;
  }
  removeTree(`${path}.gone`);
  if (existing.length === 0) noteUse(root, name, identity);
  return listCaches(engine).find((cache) => cache.name === name)!;
}
