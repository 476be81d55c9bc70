/**
 * `rebase`: an image put onto another base. Layers are exchanged by their DiffIDs and nothing is built or unpacked; the
 * config is merged: what the image said itself stays, what it had from its old base comes from the new one.
 */
import { mergeConfig, rebasedHistory } from '../image/rebase-config.ts';
import { BuilderError } from '../report/builder-error.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { DiffId } from '../spec/digest.ts';
import type { ImageConfig } from '../spec/image-config.ts';
import { type ImageFormat, isIndex, MEDIA } from '../spec/media-type.ts';
import { buildPlatform } from '../spec/platform.ts';
import { parseReference, repositoryName } from '../spec/reference.ts';
import type { Engine } from './engine.ts';
import { baseAnnotations } from './from.ts';
import { imageTimes } from './image-times.ts';
import { findImage, type LocalImage, loadImage } from './local-image.ts';
import { peekImage, pullImage } from './pull.ts';
import { newImageName } from './short-names.ts';
import type { PullOptions, RegistryOptions } from './verb-options.ts';
import { recordImage, writeImage } from './write-image.ts';

export interface RebaseOptions extends RegistryOptions {
  /** The new base. */
  readonly onto: string;
  /** The old base; default what the image's annotations or labels say, else the stored image it shares most layers with. */
  readonly oldBase?: string;
  /** Names of the result; default none. */
  readonly names?: readonly string[];
  readonly format?: ImageFormat;
  /** Seconds since the epoch for `created`. */
  readonly timestamp?: number;
  readonly sourceDateEpoch?: number;
}

export interface RebaseResult {
  /** 64 hex digits. */
  readonly id: string;
  readonly manifest: Descriptor;
  readonly names: readonly string[];
  /** Layers taken over from the image, and how many of the old base went. */
  readonly kept: number;
  readonly replaced: number;
}

const BASE_DIGEST = 'org.opencontainers.image.base.digest';
const BASE_NAME = 'org.opencontainers.image.base.name';

interface Base {
  readonly config: ImageConfig;
  readonly diffIds: readonly DiffId[];
}

/**
 * @throws `image.base-unknown` when the old base cannot be told or the image does not stand on it; `image.not-known`,
 *   `platform.not-found`, the registry's errors
 */
export async function rebase(engine: Engine, name: string, o: RebaseOptions): Promise<RebaseResult> {
  const times = imageTimes(o);
  const names = (o.names ?? []).map(newImageName);
  const pulled = await pullImage(engine, name, { ...o, policy: 'missing' });
  const image = loadImage(engine, pulled.record);
  const old = await oldBase(engine, name, image, o);
  const count = standsOn(name, image, old);
  const onto = await pullImage(engine, o.onto, forPlatform(image, o));
  const fresh = loadImage(engine, onto.record);
  const config: ImageConfig = {
    ...withBaseLabels(mergeConfig(old.config, image.config, fresh.config), image, onto.name, fresh.record.manifest),
    created: times.now(),
    rootfs: { type: 'layers', diff_ids: [...fresh.diffIds, ...image.diffIds.slice(count)] },
    history: rebasedHistory(old.config, image.config, fresh.config),
  };
  const written = writeImage(engine, {
    format: o.format ?? (image.record.manifest.mediaType === MEDIA.dockerManifest ? 'docker' : 'oci'),
    layers: [...fresh.layers, ...image.layers.slice(count)],
    config,
    annotations: annotationsOf(image, onto.name, fresh.record.manifest, times.now()),
  });
  await recordImage(engine, written, names, { created: times.now() });
  return { id: written.id, manifest: written.manifest, names, kept: image.layers.length - count, replaced: count };
}

/** The base that was named, the one the image says it was built from, or the one its layers tell. */
async function oldBase(engine: Engine, name: string, image: LocalImage, o: RebaseOptions): Promise<Base> {
  if (o.oldBase !== undefined) return (await peekImage(engine, o.oldBase, forPlatform(image, o))).image;
  const said = { ...image.config.config?.Labels, ...image.manifest.annotations };
  const digest = said[BASE_DIGEST] ?? '';
  const baseName = said[BASE_NAME] ?? '';
  const told = digest === '' ? undefined : findImage(engine, digest);
  if (told !== undefined) return loadImage(engine, told);
  const below = nearestBelow(engine, image);
  if (below !== undefined) return below;
  if (digest === '') {
    throw new BuilderError('image.base-unknown', `cannot rebase ${name}: nothing tells what it was built from`, {
      hint: 'name its base with --old-base',
    });
  }
  try {
    const place = `docker://${repositoryName(parseReference(baseName))}@${digest}`;
    return (await peekImage(engine, place, forPlatform(image, o))).image;
  } catch (cause) {
    engine.signal?.throwIfAborted();
    throw new BuilderError(
      'image.base-unknown',
      `cannot rebase ${name}: its base ${baseName === '' ? '' : `${baseName} `}(${digest}) cannot be found any more`,
      { cause, hint: 'name its base, or an image with the same layers, with --old-base' },
    );
  }
}

function forPlatform({ config }: LocalImage, o: RebaseOptions): PullOptions {
  return { ...o, platform: buildPlatform(config), policy: 'missing' };
}

/** The stored image with a name whose layers are the most of this one's lowest. */
function nearestBelow(engine: Engine, image: LocalImage): Base | undefined {
  let best: LocalImage | undefined;
  for (const record of engine.store.images.list()) {
    if (record.names.length === 0 || isIndex(record.manifest.mediaType) || record.id === image.record.id) continue;
    const other = loadImage(engine, record);
    const count = other.diffIds.length;
    const isBelow = count < image.diffIds.length && other.diffIds.every((diffId, i) => diffId === image.diffIds[i]);
    if (isBelow && count > (best?.diffIds.length ?? 0)) best = other;
  }
  return best;
}

/** How many layers of the image are those of the base. @throws `image.base-unknown` */
function standsOn(name: string, image: LocalImage, base: Base): number {
  const wrong = base.diffIds.findIndex((diffId, i) => image.diffIds[i] !== diffId);
  if (wrong === -1) return base.diffIds.length;
  throw new BuilderError(
    'image.base-unknown',
    `cannot rebase ${name}: it does not stand on that base, whose layer ${wrong + 1} of ${base.diffIds.length} is another`,
    { hint: 'an image that was squashed holds its base in itself and cannot be rebased' },
  );
}

/** Labels that name the base, where the image has such, name the new one. */
function withBaseLabels(config: ImageConfig, image: LocalImage, name: string, base: Descriptor): ImageConfig {
  const before = image.config.config?.Labels ?? {};
  if (!(BASE_DIGEST in before || BASE_NAME in before)) return config;
  const labels = { ...config.config?.Labels, [BASE_DIGEST]: base.digest, [BASE_NAME]: name };
  return { ...config, config: { ...config.config, Labels: labels } };
}

function annotationsOf(
  image: LocalImage,
  name: string,
  base: Descriptor,
  created: string,
): Readonly<Record<string, string>> {
  const before = image.manifest.annotations ?? {};
  const stamp = 'org.opencontainers.image.created' in before ? { 'org.opencontainers.image.created': created } : {};
  return baseAnnotations({ ...before, ...stamp }, name, base);
}
