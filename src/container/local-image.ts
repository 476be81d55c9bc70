/** Images in the local store: finding them by name, id or digest, and reading what they are made of. */
import { BuilderError } from '../report/builder-error.ts';
import { suggest } from '../report/suggestion.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { DiffId } from '../spec/digest.ts';
import type { ImageConfig } from '../spec/image-config.ts';
import type { Manifest } from '../spec/manifest.ts';
import { isIndex } from '../spec/media-type.ts';
import { formatReference, parseReference } from '../spec/reference.ts';
import type { ImageRecord } from '../store/image-table.ts';
import type { Engine } from './engine.ts';

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

/** Full names under which a short or full name may be known here, most likely first. */
export function localCandidates(name: string, searched: readonly string[] = []): string[] {
  let parsed: ReturnType<typeof parseReference>;
  try {
    parsed = parseReference(name);
  } catch {
    return [];
  }
  if (parsed.registry !== undefined) return [formatReference(withDefaultTag(parsed))];
  const tail = formatReference(withDefaultTag({ ...parsed, registry: 'localhost' })).slice('localhost/'.length);
  const docker = tail.includes('/') ? `docker.io/${tail}` : `docker.io/library/${tail}`;
  return [`localhost/${tail}`, ...searched.map((registry) => `${registry}/${tail}`), docker];
}

type Reference = ReturnType<typeof parseReference>;

function withDefaultTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: 'latest' } : reference;
}

/** The full name under which something new is stored: unqualified names go to `localhost/`, the tag is `latest`. */
export function newImageName(name: string): string {
  const parsed = parseReference(name);
  return formatReference(withDefaultTag(parsed.registry === undefined ? { ...parsed, registry: 'localhost' } : parsed));
}

/**
 * The record of an image named by full or short name, id, beginning of an id, or digest; undefined when there is none.
 * @throws `image.ambiguous` when a beginning fits several ids
 */
export function findImage(
  images: readonly ImageRecord[],
  name: string,
  searched: readonly string[] = [],
): ImageRecord | undefined {
  const byName = (full: string): ImageRecord | undefined => images.find((image) => image.names.includes(full));
  for (const candidate of [name, ...localCandidates(name, searched)]) {
    const found = byName(candidate) ?? byDigestName(images, candidate);
    if (found !== undefined) return found;
  }
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
export function requireImage(engine: Engine, name: string, searched: readonly string[] = []): ImageRecord {
  const images = engine.store.images.list();
  const found = findImage(images, name, searched);
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
