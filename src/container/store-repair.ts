/**
 * `system check --repair`: mends what can be mended from what is here, and clears away what is of no use to anybody. What
 * is sound is never removed: an image that lacks a layer keeps the others, and pulling it again fetches that one alone.
 */
import { rmSync } from 'node:fs';
import type { SnapshotId } from '../rootfs/snapshotter.ts';
import type { Engine } from './engine.ts';
import { blankContainer } from './from.ts';
import { collectGarbage } from './garbage.ts';
import { nowNanoseconds } from './image-times.ts';
import { findLive } from './live-content.ts';
import { isFullName, StoreCheck } from './store-check.ts';
import type { CheckCounts, Cure, Damage, Finding } from './store-damage.ts';
import { learnAgain, salvageTable } from './store-salvage.ts';
import { contentDigest, type KnownLayer, soundBlobs, type UnpackedLayer, unpackedAside } from './unpacked-content.ts';

export interface StoreCheckOptions {
  /** Read all content and compute its digests. */
  readonly readData?: boolean;
  /** Mend what can be mended, and remove what nothing refers to. Only while no other program has the store open. */
  readonly repair?: boolean;
}

export interface StoreCheckReport {
  readonly counts: CheckCounts;
  readonly damages: readonly Damage[];
  /**
   * Snapshots and blobs that nothing refers to: what killed programs left. No damage, and removed by the next removal of
   * anything. undefined: not looked for, because another program has the store open and may be about to name them, or
   * because damage hides what is referred to.
   */
  readonly unreferenced: readonly string[] | undefined;
  /** Whether `unreferenced` was removed. */
  readonly isSwept: boolean;
  /** False when damage is left. */
  readonly isSound: boolean;
}

/** Of what was damaged only because of what it stands on. */
const ALONG = 'mended along with other damage';
/** Cures that remove: they come when nothing else mends, for what looked lost may only have stood on something damaged. */
const LAST: ReadonlySet<Cure['cure']> = new Set(['forget-step', 'drop-image', 'remove-sealed', 'remove-active']);
/** Each pass may uncover what the one before could not look at: a table of images, then their layers. */
const MOST_PASSES = 8;

/** Checks, and with `repair` mends. Damage is a value; what cannot be read at all is an error. */
export async function checkStore(engine: Engine, o: StoreCheckOptions = {}): Promise<StoreCheckReport> {
  if (o.repair === true) {
    const report = await engine.store.alone(() => repair(engine, o.readData === true));
    // What is referred to is only known where nothing is damaged.
    if (report?.isSound === true) return { ...report, isSwept: (await collectGarbage(engine)) !== undefined };
    if (report !== undefined) return report;
    const text = 'nothing is repaired: another slipway has the store open; try again when it is done';
    engine.emit({ type: 'warning', code: 'store.damaged', text });
  }
  const check = await checked(engine, o.readData === true);
  const damages = check.findings.map(withoutCure);
  const unreferenced = damages.length > 0 ? undefined : await engine.store.alone(() => findUnreferenced(engine));
  return { counts: check.counts, damages, unreferenced, isSwept: false, isSound: damages.length === 0 };
}

async function checked(engine: Engine, readData: boolean): Promise<StoreCheck> {
  const check = new StoreCheck(engine, readData);
  await check.run();
  return check;
}

const withoutCure = ({ cure: _, ...damage }: Finding): Damage => damage;
const keyOf = ({ kind, subject, problem }: Damage): string => JSON.stringify([kind, subject, problem]);

async function repair(engine: Engine, readData: boolean): Promise<StoreCheckReport> {
  const seen = new Map<string, Damage>();
  let check = await checked(engine, readData);
  const mendAll = async (isLast: boolean): Promise<boolean> => {
    let isMended = false;
    for (const finding of check.findings) {
      if (finding.cure === undefined || LAST.has(finding.cure.cure) !== isLast) continue;
      const repaired = await mend(engine, check, finding.cure);
      if (repaired === undefined) continue;
      isMended = true;
      seen.set(keyOf(finding), { ...withoutCure(finding), repaired });
    }
    return isMended;
  };
  for (let pass = 0; pass < MOST_PASSES; pass++) {
    for (const finding of check.findings) {
      if (!seen.has(keyOf(finding))) seen.set(keyOf(finding), { ...withoutCure(finding), repaired: ALONG });
    }
    const isMended = (await mendAll(false)) || (await mendAll(true));
    if (!isMended) break;
    check = await checked(engine, readData);
  }
  // Only what the last look no longer finds is repaired.
  const left = new Set(check.findings.map(keyOf));
  const gone = [...seen].filter(([key]) => !left.has(key)).map(([, damage]) => damage);
  const damages = [...gone, ...check.findings.map(withoutCure)];
  const isSound = check.findings.length === 0;
  const unreferenced = isSound ? await findUnreferenced(engine) : undefined;
  return { counts: check.counts, damages, unreferenced, isSwept: false, isSound };
}

async function findUnreferenced(engine: Engine): Promise<readonly string[]> {
  const live = findLive(engine);
  const { sealed, active } = await engine.snapshots.list();
  const wanted = new Set<string>(engine.store.everyContainer().map(({ id }) => id));
  const kept = new Set<SnapshotId>();
  const keep = (id: SnapshotId | undefined): void => {
    for (let at = id; at !== undefined && !kept.has(at); at = sealed.get(at)) kept.add(at);
  };
  for (const id of live.snapshots) keep(id);
  for (const [key, parent] of active) if (wanted.has(key)) keep(parent);
  return [
    ...[...sealed.keys()].filter((id) => !kept.has(id)).map((id) => `snapshot ${id}`),
    ...[...active.keys()].filter((key) => !wanted.has(key)).map((key) => `snapshot ${key}`),
    ...engine.store.blobs
      .list()
      .filter((digest) => !live.blobs.has(digest))
      .map((digest) => `blob ${digest}`),
  ];
}

/** What was done; undefined where nothing could be. */
async function mend(engine: Engine, check: StoreCheck, cure: Cure): Promise<string | undefined> {
  const { store, snapshots } = engine;
  switch (cure.cure) {
    case 'remove-file':
      rmSync(cure.path, { force: true });
      return 'forgotten';
    case 'salvage':
      return salvageTable(engine, cure.path);
    case 'learn-again':
      return learnAgain(engine, cure.diffId);
    case 'recover':
      return recoverContainer(engine, cure.id);
    case 'forget-step':
      store.steps.delete(cure.key);
      return 'forgotten';
    case 'delete-blob':
      // Content that is not what its name says is of no use to anybody, and stands in the way of what is.
      store.blobs.delete(cure.digest);
      return 'removed';
    case 'relink':
      await snapshots.restore(cure.id, undefined);
      return 'linked again';
    case 'restore':
      return restoreRecord(engine, check, cure.id, cure.layer);
    case 'unpack-again':
      return cure.layer === undefined ? undefined : unpackAgain(engine, check, cure.id, cure.layer);
    case 'remove-sealed':
      await snapshots.removeSealed(cure.id);
      return 'removed: nothing refers to it';
    case 'remove-active':
      await snapshots.removeActive(cure.key);
      return 'removed: nothing refers to it';
    case 'drop-name':
      return dropName(engine, cure.name);
    case 'drop-image':
      return dropImage(engine, cure.id);
  }
}

/** Believed only if its files are then what the layer promises. */
async function restoreRecord(
  engine: Engine,
  check: StoreCheck,
  id: SnapshotId,
  { parent, ...known }: UnpackedLayer,
): Promise<string | undefined> {
  const { snapshots } = engine;
  await snapshots.restore(id, parent);
  try {
    const actual = await contentDigest(engine, { id });
    if (actual === known.diffId) return 'its record was written again';
    const [blob] = soundBlobs(engine, known, check.isBadBlob);
    if (blob !== undefined) {
      const wanted = await unpackedAside(engine, parent, blob, known.diffId, (key) => contentDigest(engine, { key }));
      if (actual === wanted) return 'its record was written again';
      return unpackAgain(engine, check, id, { parent, ...known });
    }
  } catch {
    engine.signal?.throwIfAborted();
  }
  await snapshots.unrestore(id);
  return undefined;
}

/** What stands on the snapshot, containers as well, stands on the mended one then. */
async function unpackAgain(
  engine: Engine,
  check: StoreCheck,
  id: SnapshotId,
  known: KnownLayer | UnpackedLayer,
): Promise<string | undefined> {
  const { snapshots } = engine;
  const [blob] = soundBlobs(engine, known, check.isBadBlob);
  if (blob === undefined) {
    // It stays, for it is all there is; but nothing new is put on it, and building it again makes another one.
    engine.store.layers.forgetUnpacked(id);
    return undefined;
  }
  const isThere = await snapshots.has({ id });
  if (!isThere && !('parent' in known)) return undefined;
  const parent = isThere ? await snapshots.parentOf({ id }) : (known as UnpackedLayer).parent;
  if (parent !== undefined && !(await snapshots.has({ id: parent }))) return undefined;
  await unpackedAside(engine, parent, blob, known.diffId, (key) => snapshots.replace(id, key));
  await snapshots.flush();
  return 'unpacked again';
}

/** The files of a container whose record is gone, under a name of its own: what it was made of, nobody knows. */
async function recoverContainer(engine: Engine, id: string): Promise<string> {
  const { containers } = engine.store;
  if (!(await engine.snapshots.has({ key: id }))) {
    containers.delete(id);
    return 'removed: it has no files';
  }
  const name = `recovered-${id.slice(0, 12)}`;
  containers.put(id, { ...blankContainer(id, name, {}), created: nowNanoseconds() });
  return `its files are in the container ${name}, without the config they had`;
}

/** The image that got the name last keeps it, if it is one. */
async function dropName(engine: Engine, name: string): Promise<string> {
  await engine.store.images.edit((before) => {
    const owner = isFullName(name) ? before.findLast((image) => image.names.includes(name)) : undefined;
    return before.map((image) =>
      image === owner ? image : { ...image, names: image.names.filter((known) => known !== name) },
    );
  });
  return isFullName(name) ? 'left to the image that got it last' : 'removed';
}

/** Of an image whose manifest or config is gone nothing can be found any more but its name. */
async function dropImage(engine: Engine, id: string): Promise<string> {
  const names: string[] = [];
  await engine.store.images.edit((before) => {
    names.push(...before.filter((image) => image.id === id).flatMap((image) => image.names));
    return before.filter((image) => image.id !== id);
  });
  return names.length === 0 ? 'removed: it has no name' : `removed: pull or build ${names.join(', ')} again`;
}
