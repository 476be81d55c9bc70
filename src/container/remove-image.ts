/** Removing images and their names. */
import { BuilderError } from '../report/builder-error.ts';
import type { EditImages, ImageRecord } from '../store/image-table.ts';
import { errnoOf } from '../sys/libc.ts';
import { listContainers } from './container-store.ts';
import type { Engine } from './engine.ts';
import { collectGarbage } from './garbage.ts';
import { findImage, requireImage, spokenName } from './local-image.ts';
import { removeContainer } from './remove-container.ts';
import { newImageName } from './short-names.ts';
import type { RemovedImage } from './verb-options.ts';

/**
 * Takes a name off an image, and removes the image with its last name; named by id it is removed whole.
 * @throws `image.not-known`; `image.read-only` for one of another store; `image.in-use` for one with several names (by
 *   id) or with containers, unless `force`
 */
export async function removeImage(engine: Engine, name: string, o: { force?: boolean } = {}): Promise<RemovedImage> {
  const image = requireImage(engine, name);
  const spoken = spokenName(engine, image, name);
  requireRemovable(image, spoken);
  if (spoken !== undefined && image.names.length > 1 && o.force !== true) {
    await editWhenFull(engine, (before) =>
      before.map((known) => (known.id === image.id ? withoutName(known, spoken) : known)),
    );
    return { untagged: [spoken], removed: [] };
  }
  if (spoken === undefined && image.names.length > 1 && o.force !== true) {
    throw new BuilderError(
      'image.in-use',
      `unable to delete ${JSON.stringify(name)} (must force) - image is referred to in multiple tags`,
      {
        hint: 'remove the names one by one, or use --force',
      },
    );
  }
  await releaseContainers(engine, image, o.force === true);
  await editWhenFull(engine, (before) => before.filter((known) => known.id !== image.id));
  await collectGarbage(engine);
  return { untagged: image.names, removed: [image.id] };
}

/** Names that an image was given here go; what another store lends stays as long as it does. */
function requireRemovable({ id, borrowed }: ImageRecord, spoken: string | undefined): void {
  if (borrowed === undefined || (spoken !== undefined && !borrowed.names.includes(spoken))) return;
  throw new BuilderError(
    'image.read-only',
    `cannot remove the image ${spoken ?? id}: it is of the store ${borrowed.from}`,
    {
      hint: 'that store is only read here; remove the image there, with --root',
      facts: { store: borrowed.from },
    },
  );
}

/** Even to take something out, the table is written anew: on a full disk what nobody refers to makes room first. */
async function editWhenFull(engine: Engine, change: EditImages): Promise<void> {
  try {
    await engine.store.images.edit(change);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== 'ENOSPC' && errno !== 'EDQUOT') throw error;
    if ((await collectGarbage(engine, { forgetSteps: true })) === undefined) throw error;
    await engine.store.images.edit(change);
  }
}

function withoutName(image: ImageRecord, name: string): ImageRecord {
  return { ...image, names: image.names.filter((known) => known !== name) };
}

/** Containers elsewhere that stand on the image are not removed: they keep what they need of it. */
async function releaseContainers(engine: Engine, image: ImageRecord, force: boolean): Promise<void> {
  const other = engine.store.otherContainers().find(({ record }) => record.base?.id === image.id);
  if (!force && other !== undefined) {
    throw new BuilderError('image.in-use', `image used by ${other.record.id}: image is in use by a container`, {
      hint: `the container ${other.record.name} is listed in ${other.directory}; --force takes the image's names alone`,
    });
  }
  for (const container of listContainers(engine)) {
    if (container.base?.id !== image.id) continue;
    if (!force) {
      throw new BuilderError('image.in-use', `image used by ${container.id}: image is in use by a container`, {
        hint: `remove the container ${container.name} first, or use --force`,
      });
    }
    await removeContainer(engine, container.id);
  }
}

/** Removes images without names; with `all` every image no container uses, and the build cache. */
export async function pruneImages(engine: Engine, o: { all?: boolean; force?: boolean } = {}): Promise<RemovedImage> {
  const used = new Set(o.force === true ? [] : engine.store.everyContainer().map((container) => container.base?.id));
  const doomed = engine.store.images
    .list()
    .filter(
      (image) => image.borrowed === undefined && (o.all === true || image.names.length === 0) && !used.has(image.id),
    );
  if (o.force === true) for (const image of doomed) await releaseContainers(engine, image, true);
  const ids = new Set(doomed.map((image) => image.id));
  await editWhenFull(engine, (before) => (ids.size === 0 ? before : before.filter((known) => !ids.has(known.id))));
  await collectGarbage(engine, { forgetSteps: true });
  return { untagged: doomed.flatMap((image) => image.names), removed: doomed.map((image) => image.id) };
}

/** Gives an image further names. @throws `image.not-known`, `reference.invalid` */
export async function tagImage(engine: Engine, name: string, newNames: readonly string[]): Promise<void> {
  const names = newNames.map(newImageName);
  const image = requireImage(engine, name);
  await engine.store.images.edit((before) => {
    const current = findImage(engine, image.id, before);
    if (current === undefined) throw new BuilderError('image.not-known', `${name}: image not known`);
    return before.map((known) => {
      const others = known.names.filter((old) => !names.includes(old));
      if (known.id === current.id) return { ...known, names: [...others, ...names] };
      return others.length === known.names.length ? known : { ...known, names: others };
    });
  });
}
