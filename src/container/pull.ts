/**
 * Images by name: from the store where the policy allows it, else fetched. What fetches is loaded only then, for most
 * builds find their base here.
 */
import { BuilderError } from '../report/builder-error.ts';
import { hexOf } from '../spec/digest.ts';
import { parseImageName } from '../spec/image-name.ts';
import type { ImageIndex, Manifest } from '../spec/manifest.ts';
import { isIndex } from '../spec/media-type.ts';
import { hostPlatform, platformScore } from '../spec/platform.ts';
import type { ImageRecord } from '../store/image-table.ts';
import type { Engine } from './engine.ts';
import { findImage, type LocalImage, loadImage, spokenName } from './local-image.ts';
import type { PullOptions } from './verb-options.ts';

export interface PulledImage {
  readonly record: ImageRecord;
  /** Full name; '' for an image found by id. */
  readonly name: string;
}

const IMAGE_ID = /^(sha256:)?[0-9a-f]{64}$/;

/** `pull`: gives the ids of what is now in the store. */
export async function pull(engine: Engine, image: string, o: PullOptions = {}): Promise<readonly string[]> {
  if (parseImageName(image).transport === 'docker-archive') {
    const pulled = await (await import('./pull-remote.ts')).pullFromArchive(engine, image, o);
    return pulled.map(({ record }) => record.id);
  }
  const names = o.allTags === true ? await (await import('./pull-remote.ts')).listTags(engine, image, o) : [image];
  const ids: string[] = [];
  for (const name of names) ids.push((await pullImage(engine, name, { policy: 'always', ...o })).record.id);
  return ids;
}

/**
 * The image, from the store or from where its name points, as the policy says (default `missing`).
 * @throws `image.not-known` under policy `never`, `platform.not-found`, the registry's errors
 */
export async function pullImage(engine: Engine, image: string, o: PullOptions = {}): Promise<PulledImage> {
  const { transport, location } = parseImageName(image);
  if (transport !== undefined && transport !== 'docker') {
    return (await import('./pull-remote.ts')).pullFromTransport(engine, image, o);
  }
  const policy = o.policy ?? 'missing';
  const local = localImage(engine, location, o);
  // An id names nothing anywhere else.
  if (local !== undefined && (policy === 'missing' || policy === 'never' || local.name === '')) return local;
  if (policy === 'never')
    throw new BuilderError('image.not-known', `${image}: image not known, and pulling is switched off`);
  if (IMAGE_ID.test(location)) throw new BuilderError('image.not-known', `${image}: image not known`);
  const remote = await import('./pull-remote.ts');
  return orLocal(engine, image, policy, local, () =>
    remote.pullFromRegistry(engine, location, local, { ...o, policy }),
  );
}

/** What a registry answers, or fails to, when it has nothing that could be newer. */
const NOTHING_NEWER = new Set([
  'registry.unauthorized',
  'registry.request-failed',
  'registry.not-a-registry',
  'image.not-known',
]);

/** Under policy `newer` the stored image is good enough when the registry cannot be asked. */
async function orLocal<T>(
  engine: Engine,
  image: string,
  policy: PullOptions['policy'],
  local: PulledImage | undefined,
  ask: () => Promise<T>,
): Promise<T | PulledImage> {
  try {
    return await ask();
  } catch (error) {
    if (policy !== 'newer' || local === undefined || !(error instanceof BuilderError)) throw error;
    if (!NOTHING_NEWER.has(error.code)) throw error;
    engine.emit({
      type: 'warning',
      text: `${image} is taken from the store, for no newer one can be had: ${error.message}`,
    });
    return local;
  }
}

/** An image by name, the local one where the policy allows it, else read where it is; nothing is stored. */
export async function peekImage(
  engine: Engine,
  image: string,
  o: PullOptions = {},
): Promise<{ readonly image: LocalImage; readonly name: string }> {
  const { transport, location } = parseImageName(image);
  const policy = o.policy ?? 'missing';
  const isElsewhere = transport !== undefined && transport !== 'docker';
  const local = isElsewhere ? undefined : localImage(engine, location, o);
  if (local !== undefined && (policy === 'missing' || policy === 'never' || local.name === '')) {
    return { image: loadImage(engine, local.record), name: local.name };
  }
  if (!isElsewhere && (policy === 'never' || IMAGE_ID.test(location))) {
    throw new BuilderError('image.not-known', `${image}: image not known`);
  }
  const remote = await import('./pull-remote.ts');
  const peeked = isElsewhere
    ? await remote.peekInTransport(engine, image, o)
    : await orLocal(engine, image, policy, local, () => remote.peekInRegistry(engine, location, o));
  if ('record' in peeked) return { image: loadImage(engine, peeked.record), name: peeked.name };
  const { descriptor, manifest, config } = peeked.image;
  const record = { id: hexOf(manifest.config.digest), names: [], manifest: descriptor, created: config.created ?? '' };
  const found = { ...peeked.image, record, layers: manifest.layers, diffIds: config.rootfs.diff_ids };
  return { image: found, name: peeked.name };
}

/** The stored image of that name, if it fits the platform asked for. */
function localImage(engine: Engine, location: string, o: PullOptions): PulledImage | undefined {
  const record = findImage(engine, location);
  if (record === undefined) return undefined;
  // Named by id it has none; a name with a digest stands for any of its names.
  const name = spokenName(engine, record, location) ?? (location.includes('@') ? (record.names[0] ?? '') : '');
  if (o.platform !== undefined && !isIndex(record.manifest.mediaType)) {
    const { config } = loadImage(engine, record);
    if (platformScore(o.platform, config) === undefined) return undefined;
  }
  return isIndex(record.manifest.mediaType) ? instanceOf(engine, record, name, o) : { record, name };
}

/** The instance of a stored index for a platform, if its content is here. */
function instanceOf(engine: Engine, record: ImageRecord, name: string, o: PullOptions): PulledImage | undefined {
  const index = JSON.parse(engine.store.blobs.read(record.manifest.digest).toString('utf8')) as ImageIndex;
  const want = o.platform ?? hostPlatform();
  const scored = index.manifests
    .map((manifest) => ({
      manifest,
      score: manifest.platform === undefined ? undefined : platformScore(want, manifest.platform),
    }))
    .filter(({ manifest, score }) => score !== undefined && engine.store.blobs.has(manifest.digest))
    .sort((a, b) => b.score! - a.score!);
  const best = scored[0]?.manifest;
  if (best === undefined) return undefined;
  const { config } = JSON.parse(engine.store.blobs.read(best.digest).toString('utf8')) as Manifest;
  return { record: { id: hexOf(config.digest), names: [], manifest: best, created: record.created }, name };
}
