/** The platforms an image can be had for, before any of them is fetched. */
import { indexPlatforms } from '../image/read-platforms.ts';
import { BuilderError, isBuilderError } from '../report/builder-error.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { parseImageName } from '../spec/image-name.ts';
import { isIndex } from '../spec/media-type.ts';
import { buildPlatform, type Platform } from '../spec/platform.ts';
import type { ImageRecord } from '../store/image-table.ts';
import type { Engine } from './engine.ts';
import { findImage, loadImage, spokenName } from './local-image.ts';
import { readList } from './manifest-list.ts';
import type { PullOptions } from './verb-options.ts';

/**
 * Normalised, each once, in the order of the image's index. An image in the store that was pulled for one platform says
 * nothing of the others its name stands for: unless the policy is `never`, the registry is asked.
 * @throws `image.not-known` under policy `never`, the errors of the registry
 */
export async function imagePlatforms(engine: Engine, image: string, o: PullOptions = {}): Promise<readonly Platform[]> {
  const { transport, location } = parseImageName(image);
  if (transport !== undefined && transport !== 'docker') {
    return (await import('./pull-remote.ts')).platformsInTransport(engine, image, o);
  }
  const policy = o.policy ?? 'missing';
  const record = findImage(engine, location);
  const stored = record === undefined ? undefined : storedPlatforms(engine, record, policy === 'never');
  if (policy === 'never' && stored === undefined) {
    throw new BuilderError('image.not-known', `${image}: image not known, and pulling is switched off`);
  }
  // Found by id it has no name that could be asked about; names of this machine mean nothing elsewhere.
  const name = record === undefined ? location : spokenName(engine, record, location);
  const isOnlyHere = name === undefined || (stored !== undefined && name.startsWith('localhost/'));
  const isWhole = policy === 'missing' && record !== undefined && isIndex(record.manifest.mediaType);
  if (stored !== undefined && (policy === 'never' || isOnlyHere || isWhole)) return stored;
  try {
    return await (await import('./pull-remote.ts')).platformsInRegistry(engine, name ?? location, o);
  } catch (error) {
    // One that was made here under the name of a registry that does not have it.
    if (stored === undefined || policy === 'always' || !isBuilderError(error, 'image.not-known')) throw error;
    return stored;
  }
}

/** @param isHere: only what could be used without a registry */
function storedPlatforms(engine: Engine, record: ImageRecord, isHere: boolean): readonly Platform[] {
  if (isIndex(record.manifest.mediaType)) {
    const index = readList(engine, record);
    const counts = ({ digest }: Descriptor): boolean => !isHere || engine.store.blobs.has(digest);
    return indexPlatforms({ ...index, manifests: index.manifests.filter(counts) });
  }
  return [buildPlatform(loadImage(engine, record).config)];
}
