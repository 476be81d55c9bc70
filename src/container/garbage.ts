/**
 * Deleting what nothing refers to. Roots are image records, working containers and remembered build steps; everything
 * they reach stays. Runs only while no other process has the store open, so whatever somebody is about to name is safe.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isBuilderError } from '../report/builder-error.ts';
import type { SnapshotId } from '../rootfs/snapshotter.ts';
import type { ChainId, DiffId } from '../spec/digest.ts';
import { isHalfWritten } from '../store/atomic-file.ts';
import { TraceTable } from '../store/trace-table.ts';
import { unmount } from '../sys/mount.ts';
import { DownloadCache } from './download-cache.ts';
import type { Engine } from './engine.ts';
import { findLive, type LiveContent } from './live-content.ts';

/** A remembered step nobody used for this long may go. */
const STEP_AGE_MS = 30 * 24 * 3600 * 1000;

export interface SweepOptions {
  /** Forget all remembered build steps first. */
  readonly forgetSteps?: boolean;
  /** Forget those last used before this moment, ms since the epoch. */
  readonly forgetStepsBefore?: number | undefined;
  /** Count what snapshots took, which costs a look at each of their files. */
  readonly measure?: boolean;
}

/**
 * After containers have vanished with their run root: what they wrote goes now, unless somebody is at work. What stands in
 * the way is told by the next removal.
 */
export async function sweepLostContainers(engine: Engine): Promise<void> {
  try {
    await collectGarbage(engine);
  } catch (error) {
    if (!isBuilderError(error)) throw error;
  }
}

/**
 * Gives the bytes freed, those of snapshots only with `measure`; undefined when somebody else has the store open, and
 * nothing was done.
 */
export function collectGarbage(engine: Engine, o: SweepOptions = {}): Promise<number | undefined> {
  return engine.store.alone(async () => {
    const age = ageToForget(o);
    forgetSteps(engine, age);
    const live = findLive(engine);
    engine.store.users.forgetVanished();
    const freed = await sweepSnapshots(engine, live, o.measure === true);
    new DownloadCache(engine.store.paths.cache).sweep(age);
    sweepHalfWritten(engine);
    engine.store.contentLists.retain(live.lists);
    return freed + sweepFiles(engine, live);
  });
}

function ageToForget(o: SweepOptions): number {
  if (o.forgetStepsBefore !== undefined) return Math.min(STEP_AGE_MS, Math.max(0, Date.now() - o.forgetStepsBefore));
  return o.forgetSteps === true ? 0 : STEP_AGE_MS;
}

function forgetSteps(engine: Engine, olderThanMs: number): void {
  const { steps } = engine.store;
  for (const { key, usedAt } of [...steps.keys()]) {
    if (Date.now() - usedAt >= olderThanMs) steps.delete(key);
  }
  new TraceTable(join(engine.store.paths.cache, 'builds'), 0).deleteBefore(Date.now() - STEP_AGE_MS);
}

async function sweepSnapshots(engine: Engine, live: LiveContent, measures: boolean): Promise<number> {
  const { snapshots, store } = engine;
  const { sealed, active } = await snapshots.list();
  const wanted = new Set(store.everyContainer().map((container) => container.id));
  sweepMounts(store.paths.mounts, wanted);
  for (const [key, parent] of active) {
    if (!wanted.has(key)) await snapshots.removeActive(key);
    else if (parent !== undefined) live.snapshots.add(parent);
  }
  // A snapshot keeps its ancestors.
  for (const id of [...live.snapshots]) {
    for (let up = sealed.get(id); up !== undefined && !live.snapshots.has(up); up = sealed.get(up))
      live.snapshots.add(up);
  }
  const dead = new Set([...sealed.keys()].filter((id) => !live.snapshots.has(id)));
  // Children before parents.
  const depth = (id: SnapshotId): number => {
    let steps = 0;
    for (let up = sealed.get(id); up !== undefined; up = sealed.get(up)) steps += 1;
    return steps;
  };
  const order = [...dead].map((id) => ({ id, depth: depth(id) })).sort((a, b) => b.depth - a.depth);
  let freed = 0;
  for (const { id } of order) {
    if (measures) freed += (await snapshots.diskUse({ id })).bytes;
    await snapshots.removeSealed(id);
  }
  return freed;
}

/** Places where containers were mounted that are no more. */
function sweepMounts(folder: string, wanted: ReadonlySet<string>): void {
  for (const id of existsSync(folder) ? readdirSync(folder) : []) {
    if (wanted.has(id)) continue;
    unmount(join(folder, id, 'merged'));
    rmSync(join(folder, id), { recursive: true, force: true });
  }
}

/** Below `cache`, made when they are first needed. */
const CACHE_FOLDERS = ['lists', 'builds'];

/** Files a killed program was about to put in place; nobody else has the store open, so nobody is writing them now. */
function sweepHalfWritten({ store: { paths } }: Engine): void {
  for (const folder of [
    paths.base,
    paths.layers,
    paths.chains,
    paths.steps,
    paths.containers,
    paths.cache,
    ...CACHE_FOLDERS.map((name) => join(paths.cache, name)),
  ]) {
    if (!existsSync(folder)) continue;
    for (const name of readdirSync(folder)) {
      if (isHalfWritten(name)) rmSync(join(folder, name), { force: true });
    }
  }
}

function sweepFiles(engine: Engine, live: LiveContent): number {
  const { paths, blobs, layers } = engine.store;
  let freed = 0;
  for (const digest of blobs.list()) {
    if (live.blobs.has(digest)) continue;
    freed += blobs.takenBytes(digest);
    blobs.delete(digest);
  }
  for (const name of readdirSync(paths.layers)) {
    const diffId = `sha256:${name.slice(0, 64)}` as DiffId;
    if (!live.layers.has(diffId)) layers.deleteLayer(diffId);
  }
  for (const hex of readdirSync(paths.chains)) {
    const chain = `sha256:${hex.slice(0, 64)}` as ChainId;
    if (!live.chains.has(chain)) layers.deleteChain(chain);
  }
  for (const name of readdirSync(paths.locks)) {
    const chain = /^chain-([0-9a-f]{64})$/.exec(name)?.[1];
    if (chain !== undefined && !live.chains.has(`sha256:${chain}` as ChainId))
      rmSync(join(paths.locks, name), { force: true });
  }
  return freed;
}
