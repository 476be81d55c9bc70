/** Images in the local store: finding them by name, id or digest, and reading what they are made of. */
import { BuilderError } from '../report/builder-error.ts';
import { suggest } from '../report/suggestion.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { DiffId } from '../spec/digest.ts';
import type { ImageConfig } from '../spec/image-config.ts';
import type { Manifest } from '../spec/manifest.ts';
import { isIndex } from '../spec/media-type.ts';
import type { ImageRecord } from '../store/image-table.ts';
import type { Engine } from './engine.ts';
import { localNames } from './short-names.ts';

export interface LocalImage {
  readonly record: ImageRecord;
  readonly rawManifest: Buffer;
  readonly manifest: Manifest;
  readonly rawConfig: Buffer;
  readonly config: ImageConfig;
  /** Bottom first, as the manifest lists them. */
  readonly layers: readonly Descriptor[];
  readonly diffIds: readonly DiffId[];
}

const HEX = /^[0-9a-f]{3,64}$/;

/**
 * The record of an image named by full or short name, id, beginning of an id, or digest; undefined when there is none.
 * @param images where to look; the store's unless told
 * @throws `image.ambiguous` when a beginning fits several ids
 */
export function findImage(
  engine: Engine,
  name: string,
  images: readonly ImageRecord[] = engine.store.images.list(),
): ImageRecord | undefined {
  const byName = (full: string): ImageRecord | undefined => images.find((image) => image.names.includes(full));
  const exact = byName(name);
  if (exact !== undefined) return exact;
  for (const candidate of localNames(engine, name)) {
    const found = byName(candidate) ?? byDigestName(images, candidate);
    if (found !== undefined) return found;
  }
  return byId(images, name);
}

function byId(images: readonly ImageRecord[], name: string): ImageRecord | undefined {
  const hex = name.startsWith('sha256:') ? name.slice('sha256:'.length) : name;
  if (!HEX.test(hex)) return undefined;
  const exact = images.find((image) => image.id === hex || image.manifest.digest === `sha256:${hex}`);
  if (exact !== undefined) return exact;
  const begun = images.filter((image) => image.id.startsWith(hex));
  if (begun.length > 1) {
    throw new BuilderError('image.ambiguous', `the id ${hex} is the beginning of ${begun.length} images`, {
      hint: 'give more digits',
    });
  }
  return begun[0];
}

/** Which of an image's names a name means; undefined where it means the image by id. */
export function spokenName(engine: Engine, image: ImageRecord, name: string): string | undefined {
  return [name, ...localNames(engine, name)].find((candidate) => image.names.includes(candidate));
}

/** `repo@sha256:…`: the image of that digest that also has a name in that repository. */
function byDigestName(images: readonly ImageRecord[], name: string): ImageRecord | undefined {
  const at = name.lastIndexOf('@');
  if (at === -1) return undefined;
  const repository = name.slice(0, at);
  const digest = name.slice(at + 1);
  return images.find(
    (image) =>
      image.manifest.digest === digest &&
      image.names.some((known) => known.startsWith(`${repository}:`) || known.startsWith(`${repository}@`)),
  );
}

/** The same, which must exist. @throws `image.not-known` */
export function requireImage(engine: Engine, name: string): ImageRecord {
  const images = engine.store.images.list();
  const found = findImage(engine, name, images);
  if (found !== undefined) return found;
  const near = suggest(
    name,
    images.flatMap((image) => image.names.flatMap((full) => [full, shortName(full)])),
  );
  throw new BuilderError('image.not-known', `${name}: image not known`, {
    ...(near === undefined ? {} : { hint: `did you mean ${near}?` }),
  });
}

/** The name without `localhost/` or `docker.io/library/` and without `:latest`. */
export function shortName(full: string): string {
  return full.replace(/^(localhost|docker\.io\/library)\//, '').replace(/:latest$/, '');
}

/** Reads manifest and config of a stored image. @throws `manifest.invalid` for an index */
export function loadImage(engine: Engine, record: ImageRecord): LocalImage {
  if (isIndex(record.manifest.mediaType)) {
    throw new BuilderError('manifest.invalid', `${record.names[0] ?? record.id} is a list of images, not one image`);
  }
  const rawManifest = engine.store.blobs.read(record.manifest.digest);
  // What is in the store was validated on its way in.
  const manifest = JSON.parse(rawManifest.toString('utf8')) as Manifest;
  const rawConfig = engine.store.blobs.read(manifest.config.digest);
  const config = JSON.parse(rawConfig.toString('utf8')) as ImageConfig;
  return { record, rawManifest, manifest, rawConfig, config, layers: manifest.layers, diffIds: config.rootfs.diff_ids };
}
