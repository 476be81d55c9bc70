/** `system prune`: everything nobody needs, and how much room that gave back. */
import { join } from 'node:path';
import { diskUse } from '../rootfs/disk-use.ts';
import type { ImageRecord } from '../store/image-table.ts';
import { pruneCaches } from './cache-store.ts';
import type { Engine } from './engine.ts';
import { collectGarbage } from './garbage.ts';
import type { RemovedImage } from './verb-options.ts';

export interface PruneStoreOptions {
  /** Every image no container uses, and every cache of RUN mounts that is not in use. */
  readonly all?: boolean;
  /** Only images made, and steps, downloads and caches last used, before this moment: ms since the epoch. */
  readonly before?: number;
}

export interface PrunedStore extends RemovedImage {
  /** 32 hex digits each. */
  readonly caches: readonly string[];
  readonly freedBytes: number;
  /**
   * True when another program has the store open: what belongs to nobody any more, and remembered steps, go with the next
   * removal that finds it alone.
   */
  readonly isPostponed: boolean;
}

/**
 * Removes images without names that no container uses, remembered steps, lists of copied files and downloads; with `all`
 * every image no container uses, and the caches of RUN mounts. Working containers and what they stand on stay.
 */
export async function pruneStore(engine: Engine, o: PruneStoreOptions = {}): Promise<PrunedStore> {
  const doomed: ImageRecord[] = [];
  await engine.store.images.edit((before) => {
    const used = new Set(engine.store.everyContainer().map((container) => container.base?.id));
    const isDoomed = (image: ImageRecord): boolean =>
      (o.all === true || image.names.length === 0) &&
      image.borrowed === undefined &&
      !used.has(image.id) &&
      (o.before === undefined || Date.parse(image.created) < o.before);
    doomed.push(...before.filter(isDoomed));
    return doomed.length === 0 ? before : before.filter((image) => !doomed.includes(image));
  });
  const unusedSince = o.before === undefined ? {} : { unusedSince: o.before };
  const caches = o.all === true ? pruneCaches(engine, unusedSince) : { removed: [], freedBytes: 0 };
  const files = cachedBytes(engine);
  const freed = await collectGarbage(engine, { forgetSteps: true, forgetStepsBefore: o.before, measure: true });
  const removed = freed === undefined ? 0 : freed + Math.max(0, files - cachedBytes(engine));
  return {
    untagged: doomed.flatMap((image) => image.names),
    removed: doomed.map((image) => image.id),
    caches: caches.removed.map(({ name }) => name),
    freedBytes: caches.freedBytes + removed,
    isPostponed: freed === undefined,
  };
}

/** Bytes of what is kept beside the steps: lists of copied files, downloads. */
export function cachedBytes({ store }: Engine): number {
  return ['lists', 'downloads'].reduce((sum, name) => sum + diskUse(join(store.paths.cache, name)).bytes, 0);
}
