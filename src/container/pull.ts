/** Bringing images into the store, from registries and from every other place. */
import { copyImage } from '../image/copy.ts';
import { openTransport } from '../image/transport/open-transport.ts';
import { splitLocation } from '../image/transport/transport.ts';
import { aliasOf, pullSources, resolveShortName } from '../registry/image-source.ts';
import { loadRegistriesConf, type RegistriesConf } from '../registry/registries-conf.ts';
import { openRepository } from '../registry/repository.ts';
import { BuilderError } from '../report/builder-error.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { hexOf } from '../spec/digest.ts';
import type { ImageConfig } from '../spec/image-config.ts';
import { parseImageName } from '../spec/image-name.ts';
import type { ImageIndex, Manifest } from '../spec/manifest.ts';
import { isIndex } from '../spec/media-type.ts';
import { hostPlatform, platformScore } from '../spec/platform.ts';
import { formatReference, parseReference, type QualifiedReference } from '../spec/reference.ts';
import type { ImageRecord } from '../store/image-table.ts';
import type { Engine } from './engine.ts';
import { nowNanoseconds } from './image-times.ts';
import { findImage, loadImage, newImageName } from './local-image.ts';
import { localTarget } from './local-target.ts';
import type { PullOptions } from './verb-options.ts';

export interface PulledImage {
  readonly record: ImageRecord;
  /** Full name; '' for an image found by id. */
  readonly name: string;
}

const IMAGE_ID = /^(sha256:)?[0-9a-f]{12,64}$/;

/** `pull`: gives the ids of what is now in the store. */
export async function pull(engine: Engine, image: string, o: PullOptions = {}): Promise<readonly string[]> {
  if (o.allTags !== true) return [(await pullImage(engine, image, { policy: 'always', ...o })).record.id];
  const { transport, location } = parseImageName(image);
  if (transport !== undefined && transport !== 'docker') {
    throw new BuilderError('usage.invalid', `all tags can only be pulled from a registry, not from ${transport}:`);
  }
  const reference = parseReference(location);
  if (reference.tag !== undefined || reference.digest !== undefined) {
    throw new BuilderError('usage.invalid', `${image}: a name with a tag or digest cannot be pulled with all tags`);
  }
  const conf = registriesConf(engine);
  const [first] = resolveShortName(reference, conf);
  const { reference: place, insecure } = pullSources(first!, conf).at(-1)!;
  const tags = await withRepository(engine, place, insecure, o, (repository) =>
    repository.tags({ signal: engine.signal }),
  );
  const ids: string[] = [];
  for (const tag of tags) {
    ids.push((await pullImage(engine, formatReference({ ...first!, tag }), { policy: 'always', ...o })).record.id);
  }
  return ids;
}

export function registriesConf(engine: Engine): RegistriesConf {
  return loadRegistriesConf({ path: engine.registriesConf, dir: engine.registriesConfDir, env: engine.env });
}

/**
 * The image, from the store or from where its name points, as the policy says (default `missing`).
 * @throws `image.not-known` under policy `never`, `platform.not-found`, the registry's errors
 */
export async function pullImage(engine: Engine, image: string, o: PullOptions = {}): Promise<PulledImage> {
  const { transport, location } = parseImageName(image);
  if (transport !== undefined && transport !== 'docker') return pullFromTransport(engine, image, o);
  const policy = o.policy ?? 'missing';
  const conf = registriesConf(engine);
  const local = localImage(engine, location, conf, o);
  // An id names nothing anywhere else.
  if (local !== undefined && (policy === 'missing' || policy === 'never' || local.name === '')) return local;
  if (policy === 'never')
    throw new BuilderError('image.not-known', `${image}: image not known, and pulling is switched off`);
  if (local === undefined && IMAGE_ID.test(location) && !/[g-z]/.test(location)) {
    if (/^(sha256:)?[0-9a-f]{64}$/.test(location))
      throw new BuilderError('image.not-known', `${image}: image not known`);
  }
  return pullFromRegistry(engine, location, conf, local, { ...o, policy });
}

/** The stored image of that name, if it fits the platform asked for. */
function localImage(engine: Engine, location: string, conf: RegistriesConf, o: PullOptions): PulledImage | undefined {
  const images = engine.store.images.list();
  const names = candidates(location, conf);
  const record =
    names.map((name) => findImage(images, name)).find((found) => found !== undefined) ??
    findImage(images, location, conf.searchRegistries);
  if (record === undefined) return undefined;
  const name =
    names.find((known) => record.names.includes(known)) ??
    record.names.find((known) => known.endsWith(`/${location}`) || known.endsWith(`/${location}:latest`)) ??
      record.names[0] ??
    '';
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

/** Full names a short or full name may have in the store, aliases first. */
function candidates(location: string, conf: RegistriesConf): string[] {
  try {
    return resolveShortName(parseReference(location), { ...conf, shortNameMode: 'permissive' }).map((reference) =>
      formatReference(tagged(reference)),
    );
  } catch {
    return [];
  }
}

function tagged(reference: QualifiedReference): QualifiedReference {
  return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: 'latest' } : reference;
}

async function pullFromRegistry(
  engine: Engine,
  location: string,
  conf: RegistriesConf,
  local: PulledImage | undefined,
  o: PullOptions,
): Promise<PulledImage> {
  const reference = parseReference(location);
  const alias = aliasOf(reference, conf);
  const names = resolveShortName(reference, conf).map(tagged);
  if (alias !== undefined)
    engine.emit({ type: 'note', text: `Resolved ${JSON.stringify(location)} as an alias (${alias.file})` });
  const failures: unknown[] = [];
  for (const name of names) {
    if (reference.registry === undefined)
      engine.emit({ type: 'note', text: `Trying to pull ${formatReference(name)}...` });
    for (const source of pullSources(name, conf)) {
      try {
        return await pullReference(engine, name, source.reference, source.insecure, local, o);
      } catch (error) {
        engine.signal?.throwIfAborted();
        failures.push(error);
      }
    }
  }
  if (failures.length === 1) throw failures[0];
  throw new BuilderError(
    'registry.request-failed',
    `cannot pull ${location} from any of ${failures.length} places: ${failures.map((f) => (f as Error).message).join('; ')}`,
    {
      cause: failures.at(-1),
    },
  );
}

async function withRepository<R>(
  engine: Engine,
  place: QualifiedReference,
  insecure: boolean,
  o: PullOptions,
  act: (repository: ReturnType<typeof openRepository>) => Promise<R>,
): Promise<R> {
  await using repository = openRepository(place, {
    ...o,
    tlsVerify: o.tlsVerify ?? !insecure,
    env: engine.env,
    signal: engine.signal,
  });
  return await act(repository);
}

function pullReference(
  engine: Engine,
  name: QualifiedReference,
  place: QualifiedReference,
  insecure: boolean,
  local: PulledImage | undefined,
  o: PullOptions,
): Promise<PulledImage> {
  return withRepository(engine, place, insecure, o, async (repository) => {
    const wanted = place.digest ?? place.tag ?? 'latest';
    const full = formatReference(name);
    if (o.policy === 'newer' && local !== undefined) {
      const there = await repository.resolve(wanted, { signal: engine.signal });
      if (there.digest === local.record.manifest.digest) return local;
    }
    let got: Descriptor | undefined;
    await copyImage(
      repository,
      wanted,
      localTarget(engine, (d) => (got = d)),
      full,
      {
        platforms: [o.platform ?? hostPlatform()],
        emit: engine.emit,
        signal: engine.signal,
      },
    );
    return recordPulled(engine, got!, full, repository.name);
  });
}

async function pullFromTransport(engine: Engine, image: string, o: PullOptions): Promise<PulledImage> {
  const { transport, location } = parseImageName(image);
  const registry = { ...o, env: engine.env };
  await using place = await openTransport(transport!, location, 'read', {
    registry,
    registriesConf: registriesConf(engine),
    signal: engine.signal,
  });
  const name = nameInPlace(location, place);
  let got: Descriptor | undefined;
  await copyImage(
    place,
    '',
    localTarget(engine, (d) => (got = d)),
    name ?? '',
    {
      platforms: [o.platform ?? hostPlatform()],
      emit: engine.emit,
      signal: engine.signal,
    },
  );
  return recordPulled(engine, got!, name, undefined);
}

/** The name an image has in an archive or layout: what the location says, else the only name an archive gives it. */
function nameInPlace(location: string, place: object): string | undefined {
  const { name } = splitLocation(location);
  if (name !== '' && !name.startsWith('@')) {
    try {
      return newImageName(name);
    } catch {
      // A label that is no image name: the image stays nameless.
      return undefined;
    }
  }
  const images = 'images' in place ? (place.images as readonly (readonly string[])[]) : [];
  return images.length === 1 ? images[0]?.[0] : undefined;
}

/** Writes the record, and remembers where the layers can be had. */
async function recordPulled(
  engine: Engine,
  manifest: Descriptor,
  name: string | undefined,
  from: string | undefined,
): Promise<PulledImage> {
  const { store } = engine;
  const document = JSON.parse(store.blobs.read(manifest.digest).toString('utf8')) as Manifest;
  const config = JSON.parse(store.blobs.read(document.config.digest).toString('utf8')) as ImageConfig;
  for (const [i, layer] of document.layers.entries()) {
    const diffId = config.rootfs.diff_ids[i];
    if (diffId !== undefined && layer.digest !== diffId) store.layers.noteForm(diffId, layer, from);
  }
  const record: ImageRecord = {
    id: hexOf(document.config.digest),
    names: name === undefined ? [] : [name],
    manifest,
    created: config.created ?? nowNanoseconds(),
  };
  store.blobs.flush();
  await store.images.put(record);
  return { record, name: name ?? '' };
}
