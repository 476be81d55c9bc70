/** Lists of images: indexes in the store that are made here, entry by entry. */
import { randomBytes } from 'node:crypto';
import { BuilderError } from '../report/builder-error.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { ImageConfig } from '../spec/image-config.ts';
import type { ImageIndex, Manifest } from '../spec/manifest.ts';
import { isIndex, MEDIA } from '../spec/media-type.ts';
import { normalizePlatform } from '../spec/platform.ts';
import { type ImageRecord, withImage } from '../store/image-table.ts';
import type { Engine } from './engine.ts';
import { nowNanoseconds } from './image-times.ts';
import { findImage } from './local-image.ts';
import { newImageName } from './short-names.ts';

/**
 * The stored list of that name; undefined when nothing has the name.
 * @throws `manifest.not-a-list` when an image has it
 */
export function findList(engine: Engine, name: string): ImageRecord | undefined {
  return listNamed(engine, name);
}

function listNamed(engine: Engine, name: string, images?: readonly ImageRecord[]): ImageRecord | undefined {
  const record = findImage(engine, name, images);
  if (record === undefined || isIndex(record.manifest.mediaType)) return record;
  throw new BuilderError('manifest.not-a-list', `${name} is an image, not a list of images`, {
    hint: 'give the list another name, or remove the image first',
  });
}

export function readList(engine: Engine, { manifest }: ImageRecord): ImageIndex {
  return JSON.parse(engine.store.blobs.read(manifest.digest).toString('utf8')) as ImageIndex;
}

/** The entry a stored image gets in a list: its manifest's descriptor with the platform of its config. */
export function listEntry(engine: Engine, { mediaType, digest, size }: Descriptor): Descriptor {
  const { blobs } = engine.store;
  const manifest = JSON.parse(blobs.read(digest).toString('utf8')) as Manifest;
  const config = JSON.parse(blobs.read(manifest.config.digest).toString('utf8')) as ImageConfig;
  const { os, architecture, variant, 'os.version': version, 'os.features': features } = config;
  const platform = normalizePlatform({
    os,
    architecture,
    ...(variant === undefined ? {} : { variant }),
    ...(version === undefined ? {} : { 'os.version': version }),
    ...(features === undefined ? {} : { 'os.features': features }),
  });
  return { mediaType, digest, size, platform };
}

/** Writes an index into the store, as yet without a name: a Docker list when every entry is a Docker image. */
export function writeIndex(
  engine: Engine,
  index: Pick<ImageIndex, 'manifests' | 'annotations' | 'subject'>,
): Descriptor {
  const { manifests, annotations, subject } = index;
  // Docker's lists have neither annotations nor a subject.
  const isPlain = annotations === undefined && subject === undefined;
  const isDocker = isPlain && manifests.length > 0 && manifests.every((m) => m.mediaType === MEDIA.dockerManifest);
  const mediaType = isDocker ? MEDIA.dockerList : MEDIA.ociIndex;
  const document: ImageIndex = {
    schemaVersion: 2,
    mediaType,
    manifests,
    ...(subject === undefined ? {} : { subject }),
    ...(annotations === undefined ? {} : { annotations }),
  };
  const bytes = Buffer.from(JSON.stringify(document));
  return { mediaType, digest: engine.store.blobs.put(bytes), size: bytes.length };
}

/**
 * Puts entries into the list of that name, which is made when there is none. An entry takes the place of one with the
 * same digest. @throws `manifest.not-a-list`
 */
export function extendList(engine: Engine, name: string, entries: readonly Descriptor[]): Promise<ImageRecord> {
  const added = new Set<string>(entries.map(({ digest }) => digest));
  return changeList(engine, name, (before) => ({
    ...before,
    manifests: [...before.manifests.filter(({ digest }) => !added.has(digest)), ...entries],
  }));
}

/**
 * Changes the list of that name, which is made when there is none. It keeps its id.
 * @param o isFresh: the name is taken from whatever has it, and the list begins empty
 * @throws `manifest.not-a-list`
 */
export async function changeList(
  engine: Engine,
  name: string,
  change: (before: ImageIndex) => ImageIndex,
  o: { readonly isFresh?: boolean } = {},
): Promise<ImageRecord> {
  let record: ImageRecord | undefined;
  // Read and written under one lock: two builds may extend one list at the same time.
  await engine.store.images.edit((images) => {
    const known = o.isFresh === true ? undefined : listNamed(engine, name, images);
    const before = known === undefined ? EMPTY : readList(engine, known);
    record = {
      id: known?.id ?? randomBytes(32).toString('hex'),
      names: known?.names ?? [newImageName(name)],
      manifest: writeIndex(engine, change(before)),
      created: known?.created ?? nowNanoseconds(),
    };
    engine.store.blobs.flush();
    return withImage(images, record);
  });
  return record!;
}

const EMPTY: ImageIndex = { schemaVersion: 2, manifests: [] };

/** Gives names to an index in the store; the names leave whatever had them before. */
export async function nameList(engine: Engine, manifest: Descriptor, names: readonly string[]): Promise<ImageRecord> {
  const record: ImageRecord = {
    id: randomBytes(32).toString('hex'),
    names: names.map(newImageName),
    manifest,
    created: nowNanoseconds(),
  };
  engine.store.blobs.flush();
  await engine.store.images.put(record);
  return record;
}
