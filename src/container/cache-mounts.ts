/**
 * Directories of `RUN --mount=type=cache`. They live in the store beside the layers, named by a hash of what tells them
 * apart, and are held by kernel locks while a command uses them, so that every process on the machine keeps to what
 * `sharing` promises.
 */
import { createHash } from 'node:crypto';
import { chmodSync, closeSync, constants, existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import type { ResolvedMount } from '../dockerfile/run-mount.ts';
import { BuilderError } from '../report/builder-error.ts';
import { cloneTree } from '../rootfs/clone-tree.ts';
import { removeTree } from '../rootfs/remove-tree.ts';
import { writeAtomic } from '../store/atomic-file.ts';
import type { CleanupStack } from '../sys/dispose.ts';
import { FileLock } from '../sys/file-lock.ts';
import { AT_FDCWD, errnoOf, openat } from '../sys/libc.ts';
import { makeDirectories } from '../sys/make-directories.ts';
import { RootDirectory } from '../sys/root-directory.ts';
import type { Engine } from './engine.ts';
import { giveTo } from './mount-owner.ts';

export type CacheMount = Extract<ResolvedMount, { type: 'cache' }>;

export interface CacheOrigin {
  /** Prefix of ids, so that builds that must not share do not. */
  readonly namespace: string;
  /** Root of what seeds a new cache. */
  readonly open: (mount: CacheMount) => Promise<string>;
}

const STRENGTH = ['shared', 'locked', 'private'] as const;

/**
 * Holds the caches of one command and gives their directories in the order asked for. One cache mounted in two places
 * is held once, as strictly as either place wants; all commands take their locks in the same order, so that two of them
 * never wait for each other.
 */
export async function holdCaches(
  engine: Engine,
  mounts: readonly CacheMount[],
  origin: CacheOrigin,
  cleanup: CleanupStack,
): Promise<readonly string[]> {
  const root = cacheRoot(engine);
  if (mounts.length > 0) makeDirectories(root, 0o700);
  const names = mounts.map((mount) => nameOf(mount, origin.namespace));
  const held = new Map<string, string>();
  for (const name of [...new Set(names)].sort()) {
    const users = mounts.filter((_, i) => names[i] === name);
    const sharing = STRENGTH.findLast((wish) => users.some((mount) => mount.sharing === wish)) ?? 'shared';
    const path = await hold(engine, root, name, sharing, cleanup);
    if (!existsSync(path)) await make(engine, path, users[0]!, origin);
    noteUse(root, name, { namespace: origin.namespace, ...users[0]! });
    held.set(name, path);
  }
  return names.map((name) => held.get(name)!);
}

/** Where all caches of a store are. */
export function cacheRoot({ store }: Engine): string {
  return join(store.paths.cache, 'mounts');
}

/** What tells caches apart, as it was written. */
export interface CacheIdentity {
  readonly namespace: string;
  readonly id: string;
  /** What seeded it. */
  readonly from: string | undefined;
  readonly source: string;
}

/** Written with every use, so that the time of the file is that of the last use. */
export function noteUse(root: string, name: string, { namespace, id, from, source }: CacheIdentity): void {
  const text = JSON.stringify({ namespace, id, from, source });
  writeAtomic(join(root, `${name}.json`), text, { durable: false });
}

export function nameOf(m: Pick<CacheMount, 'id' | 'from' | 'source'>, namespace: string): string {
  const identity = JSON.stringify([namespace, m.id, m.from ?? '', m.source]);
  return createHash('sha256').update(identity).digest('hex').slice(0, 32);
}

/** Takes the cache as its sharing asks: together, one after the other, or a fresh one beside a busy one. */
async function hold(
  { signal }: Engine,
  root: string,
  name: string,
  sharing: CacheMount['sharing'],
  cleanup: CleanupStack,
): Promise<string> {
  const lockOf = (n: number): string => join(root, `${name}.${n}.lock`);
  const pathOf = (n: number): string => join(root, n === 0 ? name : `${name}.${n}`);
  if (sharing !== 'private') {
    cleanup.use(await FileLock.acquire(lockOf(0), sharing === 'locked' ? 'exclusive' : 'shared', { signal }));
    return pathOf(0);
  }
  for (let n = 0; ; n++) {
    const lock = FileLock.try(lockOf(n), 'exclusive');
    if (lock === undefined) continue;
    cleanup.use(lock);
    return pathOf(n);
  }
}

/** Owner and mode count when a cache is made, and never again. */
async function make(engine: Engine, path: string, m: CacheMount, origin: CacheOrigin): Promise<void> {
  using _ = await FileLock.acquire(`${path}.make`, 'exclusive', { signal: engine.signal });
  if (existsSync(path)) return;
  const fresh = `${path}.new`;
  removeTree(fresh);
  mkdirSync(fresh, { mode: 0o700 });
  if (m.from === undefined) chmodSync(fresh, 0o755);
  else await seed(engine, fresh, m, await origin.open(m));
  giveTo(fresh, m, 'the cache', m.span);
  if (m.mode !== undefined) chmodSync(fresh, m.mode);
  renameSync(fresh, path);
}

async function seed(engine: Engine, fresh: string, m: CacheMount, rootPath: string): Promise<void> {
  using from = new RootDirectory(rootPath);
  let source: number;
  try {
    source = from.openDirectory(m.source === '/' ? '.' : m.source);
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno !== 'ENOENT' && errno !== 'ENOTDIR') throw cause;
    throw new BuilderError('copy.source-missing', `cannot fill the cache from ${m.source}: there is no directory`, {
      cause,
      span: m.span,
    });
  }
  const to = openat(AT_FDCWD, fresh, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await cloneTree(source, to, { signal: engine.signal });
  } finally {
    closeSync(source);
    closeSync(to);
  }
}
