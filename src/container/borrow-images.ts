/**
 * Images of other stores that are only read (`additionalimagestores`). Nothing is copied: blobs are links, snapshots are
 * records that point there, and image records say whose they are. So everything else works as with images of one's own.
 * What vanishes there is missing here, and is pulled again when it is needed.
 */
import { readFileSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { BuilderError, isBuilderError } from '../report/builder-error.ts';
import type { SnapshotId } from '../rootfs/snapshotter.ts';
import type { ChainId } from '../spec/digest.ts';
import { readJsonFile, writeAtomic } from '../store/atomic-file.ts';
import { ContentStore } from '../store/content-store.ts';
import { type ImageRecord, ImageTable } from '../store/image-table.ts';
import { LayerTable } from '../store/layer-table.ts';
import { type StorePaths, storePaths } from '../store/store-paths.ts';
import type { Engine } from './engine.ts';
import { type LiveContent, markImage, noContent } from './live-content.ts';

/** By the root of the lender: which state of it is known here. */
type Known = Readonly<Record<string, string>>;

/** A store that is only read. */
interface Lender {
  readonly root: string;
  readonly paths: StorePaths;
  /** Changes with the table of images. */
  readonly state: string;
}

/**
 * Takes in what has changed in the lenders since the last time, and gives back what is of stores that lend no more.
 * @param roots absolute paths; the first that has a name keeps it, and one's own images before all
 * @throws `usage.invalid` where there is no store, `sys.not-permitted` for one of somebody else; both only of lenders
 *   that were named with a word
 */
export async function borrowImages(engine: Engine, roots: readonly string[]): Promise<void> {
  const { borrowed } = engine.store.paths;
  const known = knownStates(borrowed);
  const lenders = roots.map((root) => lenderAt(engine, root)).filter((lender) => lender !== undefined);
  const states = Object.fromEntries(lenders.map(({ root, state }) => [root, state]));
  if (JSON.stringify(states) === JSON.stringify(known)) {
    const { images } = engine.store;
    if (withFreeNames(images.list()).isChanged) await images.edit((before) => withFreeNames(before).images);
    return;
  }
  const gone = Object.keys(known).filter((root) => states[root] === undefined);
  if (gone.length > 0 && (await engine.store.alone(() => giveBack(engine, gone))) === undefined) {
    // Somebody else may be about to use them by name; the next one who is alone gives them back.
    for (const root of gone) states[root] = known[root]!;
  }
  const lent: ImageRecord[] = [];
  for (const lender of lenders) lent.push(...(await takeIn(engine, lender)));
  engine.store.blobs.flush();
  const named = new Set(lenders.map(({ root }) => root));
  await engine.store.images.edit((before) => withBorrowed(before, lent, named));
  writeAtomic(borrowed, JSON.stringify(states));
}

/** Of a file that a crash of the machine cut off nothing is known, and all is taken in again. */
function knownStates(path: string): Known {
  try {
    return (readJsonFile(path) as Known | undefined) ?? {};
  } catch (error) {
    if (isBuilderError(error, 'store.damaged')) return {};
    throw error;
  }
}

async function giveBack(engine: Engine, roots: readonly string[]): Promise<true> {
  await engine.store.images.edit((before) => withBorrowed(before, [], new Set(roots)));
  return true;
}

function lenderAt(engine: Engine, root: string): Lender | undefined {
  const { isGiven } = engine.storage;
  const paths = storePaths({ root, runroot: root });
  const base = statIfAny(paths.base);
  const own = statSync(engine.store.paths.base);
  if (base?.ino === own.ino && base.dev === own.dev) {
    if (!isGiven) return undefined;
    throw new BuilderError(
      'usage.invalid',
      `cannot use the images of ${root} as those of another store: it is the store itself`,
    );
  }
  if (base === undefined) {
    if (!isGiven) return undefined;
    throw new BuilderError('usage.invalid', `there is no store in ${root} whose images could be used`, {
      hint: 'name the --root, or the --imagestore, that the images were pulled with',
    });
  }
  // Owners and attributes of its files mean the same only to the one who made it.
  if (base.uid !== process.geteuid?.()) {
    if (!isGiven) return undefined;
    throw new BuilderError('sys.not-permitted', `cannot use the images of ${root}: the store is another user's`);
  }
  const table = statSync(paths.images, { throwIfNoEntry: false, bigint: true });
  const driver = engine.snapshots.driver;
  const state = table === undefined ? 'empty' : `${driver} ${table.ino} ${table.mtimeNs} ${table.size}`;
  return { root, paths, state };
}

/** A directory that may not even be looked at is no store of ours. */
function statIfAny(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

/** Makes all content of a lender's images visible here, and gives their records. */
async function takeIn(engine: Engine, { root, paths }: Lender): Promise<readonly ImageRecord[]> {
  const blobs = new ContentStore(paths.blobs, () => paths.tmp);
  const layers = new LayerTable(paths.layers, paths.chains);
  const records = wholeImages(new ImageTable(paths.images, paths.locks).list(), blobs);
  const live = noContent();
  for (const record of records) markImage({ store: { blobs, layers } }, live, record);
  for (const digest of live.blobs) if (blobs.has(digest)) engine.store.blobs.borrow(digest, blobs);
  const snapshots = await borrowSnapshots(engine, paths, live);
  for (const diffId of live.layers) {
    const { size, forms, snapshot } = layers.get(diffId);
    if (size !== undefined) engine.store.layers.noteSize(diffId, size);
    for (const { descriptor, from } of forms) {
      engine.store.layers.noteForm(diffId, descriptor);
      for (const place of from) engine.store.layers.noteForm(diffId, descriptor, place);
    }
    const source = snapshots.get(snapshot as SnapshotId);
    const own = engine.store.layers.get(diffId).snapshot as SnapshotId | undefined;
    const hasOwn = own !== undefined && (await engine.snapshots.has({ id: own }));
    if (source !== undefined && !hasOwn) engine.store.layers.noteSource(diffId, source);
  }
  for (const chain of live.chains) await noteChain(engine, chain, layers, snapshots);
  return records.map(({ borrowed: _, ...record }) => ({ ...record, borrowed: { from: root, names: record.names } }));
}

/** Those whose manifest is there: a lender may itself have borrowed what is gone by now. */
function wholeImages(records: readonly ImageRecord[], blobs: ContentStore): readonly ImageRecord[] {
  return records.filter(({ manifest }) => blobs.has(manifest.digest));
}

/** By id there, the id here. Parents come first; one that was borrowed before is not borrowed again. */
async function borrowSnapshots(
  engine: Engine,
  paths: StorePaths,
  live: LiveContent,
): Promise<ReadonlyMap<SnapshotId, SnapshotId>> {
  const { snapshots } = engine;
  const folder = join(paths.rootfs, snapshots.driver, 'snapshots');
  const before = await snapshots.borrowed();
  const found = new Map<SnapshotId, SnapshotId>();
  const take = async (id: SnapshotId): Promise<SnapshotId | undefined> => {
    const done = found.get(id);
    if (done !== undefined) return done;
    const record = recordAt(join(folder, id, 'record.json'));
    if (record === undefined) return undefined;
    const parent = record.parent === undefined ? undefined : await take(record.parent);
    if (record.parent !== undefined && parent === undefined) return undefined;
    const at = record.at ?? join(folder, id, 'fs');
    const here = before.get(at) ?? (await snapshots.borrow(at, at, parent));
    found.set(id, here);
    return here;
  };
  for (const id of live.snapshots) await take(id);
  return found;
}

/** A record of the lender's driver; undefined for one that cannot be read. @see SnapshotRecord */
function recordAt(path: string): { readonly parent?: SnapshotId; readonly at?: string } | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as { readonly parent?: SnapshotId; readonly at?: string };
  } catch {
    return undefined;
  }
}

async function noteChain(
  engine: Engine,
  chain: ChainId,
  layers: LayerTable,
  snapshots: ReadonlyMap<SnapshotId, SnapshotId>,
): Promise<void> {
  const there = layers.snapshotOf(chain);
  const here = there === undefined ? undefined : snapshots.get(there.id as SnapshotId);
  if (there === undefined || here === undefined) return;
  const own = engine.store.layers.snapshotOf(chain);
  if (own !== undefined && (await engine.snapshots.has({ id: own.id as SnapshotId }))) return;
  engine.store.layers.noteBorrowed(chain, here, there);
}

/** An own image takes its name from a borrowed one for as long as it has it. */
export function withFreeNames(before: readonly ImageRecord[]): {
  readonly images: readonly ImageRecord[];
  readonly isChanged: boolean;
} {
  const taken = new Set(before.flatMap(({ names }) => names));
  let isChanged = false;
  const images = before.map((image) => {
    const free = image.borrowed?.names.filter((name) => !taken.has(name)) ?? [];
    if (free.length === 0) return image;
    isChanged = true;
    for (const name of free) taken.add(name);
    return { ...image, names: [...image.names, ...free] };
  });
  return { images, isChanged };
}

/**
 * The table with what `lent` has in the place of all that `roots` lent before. Other images keep their names and what they
 * are; names that borrowed ones were given here stay with them.
 */
export function withBorrowed(
  before: readonly ImageRecord[],
  lent: readonly ImageRecord[],
  roots: ReadonlySet<string>,
): readonly ImageRecord[] {
  const isReplaced = ({ borrowed }: ImageRecord): boolean => borrowed !== undefined && roots.has(borrowed.from);
  const own = before.filter((image) => !isReplaced(image));
  const last = new Map(before.filter(isReplaced).map((image) => [image.id, image]));
  const given = (id: string): readonly string[] => {
    const image = last.get(id);
    return image?.names.filter((name) => image.borrowed?.names.includes(name) !== true) ?? [];
  };
  const taken = new Set([...own.flatMap(({ names }) => names), ...lent.flatMap(({ id }) => given(id))]);
  const images = new Map(own.map((image) => [image.id, image]));
  for (const image of lent) {
    const names = image.names.filter((name) => !taken.has(name));
    for (const name of names) taken.add(name);
    const here = images.get(image.id);
    const more = here === undefined ? given(image.id) : here.names;
    images.set(image.id, { ...(here ?? image), names: [...more, ...names] });
  }
  return [...images.values()];
}
