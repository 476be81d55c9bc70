/** Fetching images from registries and other places into the store. */
import { copyImage } from '../image/copy.ts';
import { layerDecrypter } from '../image/crypt/layer-crypt.ts';
import { type ReadImage, readImage } from '../image/read-image.ts';
import { readPlatforms } from '../image/read-platforms.ts';
import { openTransport } from '../image/transport/open-transport.ts';
import { type OpenTarget, splitLocation } from '../image/transport/transport.ts';
import { aliasOf, type ImageSource, pullSources, resolveShortName } from '../registry/image-source.ts';
import { openRepository, type Repository } from '../registry/repository.ts';
import { BuilderError } from '../report/builder-error.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { hexOf } from '../spec/digest.ts';
import type { ImageConfig } from '../spec/image-config.ts';
import { parseImageName, type TransportName } from '../spec/image-name.ts';
import type { Manifest } from '../spec/manifest.ts';
import { hostPlatform, type Platform } from '../spec/platform.ts';
import { formatReference, parseReference, type QualifiedReference, withDefaultTag } from '../spec/reference.ts';
import { MAX_DOCUMENT_BYTES, parseImageConfig } from '../spec/schema.ts';
import type { ImageRecord } from '../store/image-table.ts';
import { BlobCache } from './blob-cache.ts';
import type { Engine } from './engine.ts';
import { nowNanoseconds } from './image-times.ts';
import { localTarget } from './local-target.ts';
import { containersConf } from './machine-defaults.ts';
import type { PulledImage } from './pull.ts';
import { type FailedPull, pullFailure } from './pull-failure.ts';
import { newImageName, registriesConf, registryAccess } from './short-names.ts';
import { admitFromPlace, admitFromRegistry } from './trust.ts';
import type { PullOptions } from './verb-options.ts';

export interface PeekedImage {
  readonly image: ReadImage;
  /** Full name; '' for none. */
  readonly name: string;
}

/** Pulls every tag of a repository. @throws `usage.invalid` for a name with a tag or another transport */
export async function listTags(engine: Engine, image: string, o: PullOptions): Promise<string[]> {
  const { transport, location } = parseImageName(image);
  if (transport !== undefined && transport !== 'docker') {
    throw new BuilderError('usage.invalid', `all tags can only be pulled from a registry, not from ${transport}:`);
  }
  const reference = parseReference(location);
  if (reference.tag !== undefined || reference.digest !== undefined) {
    throw new BuilderError('usage.invalid', `${image}: a name with a tag or digest cannot be pulled with all tags`);
  }
  const conf = registriesConf(engine);
  const first = resolveShortName(reference, conf)[0]!;
  const source = pullSources(first, conf).at(-1)!;
  const tags = await withRepository(engine, source, o, (repository) => repository.tags({ signal: engine.signal }));
  return tags.map((tag) => formatReference({ ...first, tag }));
}

/** @throws the errors of the registry; of several places tried, all are named */
export async function pullFromRegistry(
  engine: Engine,
  location: string,
  local: PulledImage | undefined,
  o: PullOptions,
): Promise<PulledImage> {
  // Before any place is tried: what is wrong with it is wrong everywhere.
  const cache = BlobCache.of(engine, o);
  return await fromFirstPlace(engine, location, o, (name, source) =>
    pullReference(engine, name, source, local, { ...o, cache }),
  );
}

/** Manifest and config of an image of a registry; nothing is stored. */
export function peekInRegistry(engine: Engine, location: string, o: PullOptions): Promise<PeekedImage> {
  return fromFirstPlace(engine, location, o, (name, source) =>
    withRepository(engine, source, o, async (repository) => {
      const wanted = wantedOf(source.reference);
      const admit = admitFromRegistry(engine, name, source.reference, repository, o);
      const image = await readImage(repository, wanted, o.platform ?? hostPlatform(), engine.signal, admit);
      return { image, name: formatReference(name) };
    }),
  );
}

/** The platforms an image of a registry can be had for; nothing is stored. */
export function platformsInRegistry(engine: Engine, location: string, o: PullOptions): Promise<readonly Platform[]> {
  return fromFirstPlace(engine, location, o, (_, source) =>
    withRepository(engine, source, o, (repository) =>
      readPlatforms(repository, wantedOf(source.reference), engine.signal),
    ),
  );
}

/** As `platformsInRegistry`, for what another transport names. */
export async function platformsInTransport(
  engine: Engine,
  image: string,
  o: PullOptions,
): Promise<readonly Platform[]> {
  await using place = await openPlace(engine, image, o);
  return await readPlatforms(place, '', engine.signal);
}

/** As `peekInRegistry`, for what another transport names. */
export async function peekInTransport(engine: Engine, image: string, o: PullOptions): Promise<PeekedImage> {
  const { transport, location } = parseImageName(image);
  await using place = await openPlace(engine, image, o);
  const name = nameInPlace(transport!, location, place) ?? '';
  const admit = admitFromPlace(engine, transport!, location, place);
  return { image: await readImage(place, '', o.platform ?? hostPlatform(), engine.signal, admit), name };
}

/** Tries every place a name may mean, in order. */
async function fromFirstPlace<R>(
  engine: Engine,
  location: string,
  o: PullOptions,
  act: (name: QualifiedReference, source: ImageSource) => Promise<R>,
): Promise<R> {
  const conf = registriesConf(engine);
  const reference = parseReference(location);
  const alias = aliasOf(reference, conf);
  const names = resolveShortName(reference, conf).map(withDefaultTag);
  if (alias !== undefined)
    engine.emit({ type: 'note', text: `Resolved ${JSON.stringify(location)} as an alias (${alias.file})` });
  const failures: FailedPull[] = [];
  for (const name of names) {
    if (reference.registry === undefined)
      engine.emit({ type: 'note', text: `Trying to pull ${formatReference(name)}...` });
    for (const source of pullSources(name, conf)) {
      try {
        return await act(name, source);
      } catch (error) {
        engine.signal?.throwIfAborted();
        failures.push({ place: source.reference, isMirror: source.isMirror, error });
      }
    }
  }
  throw await pullFailure(location, failures, {
    hasCreds: o.creds !== undefined,
    authfile: o.authfile,
    helpers: conf.credentialHelpers,
    env: engine.env,
  });
}

async function withRepository<R>(
  engine: Engine,
  source: ImageSource,
  o: PullOptions,
  act: (repository: Repository) => Promise<R>,
): Promise<R> {
  const { credentialHelpers, retry } = registryAccess(engine);
  await using repository = openRepository(source.reference, {
    ...o,
    retries: o.retries ?? retry?.retries,
    retryDelayMs: o.retryDelayMs ?? retry?.delayMs,
    // A login given by hand is for the registry that was named.
    ...(source.isMirror ? { creds: undefined } : {}),
    tlsVerify: o.tlsVerify ?? !source.insecure,
    credentialHelpers,
    env: engine.env,
    emit: engine.emit,
    signal: engine.signal,
  });
  return await act(repository);
}

function wantedOf(place: QualifiedReference): string {
  return place.digest ?? place.tag ?? 'latest';
}

function pullReference(
  engine: Engine,
  name: QualifiedReference,
  source: ImageSource,
  local: PulledImage | undefined,
  o: PullOptions & { readonly cache: BlobCache | undefined },
): Promise<PulledImage> {
  return withRepository(engine, source, o, async (repository) => {
    const wanted = wantedOf(source.reference);
    const full = formatReference(name);
    const decrypter = layerDecrypter(o.decryptionKeys ?? [], engine.cwd);
    if (o.policy === 'newer' && local !== undefined) {
      const there = await repository.resolve(wanted, { signal: engine.signal });
      if (there.digest === local.record.manifest.digest) return local;
    }
    let got: Descriptor | undefined;
    await copyImage(
      o.cache?.reading(repository) ?? repository,
      wanted,
      localTarget(engine, (d) => (got = d)),
      full,
      {
        platforms: [o.platform ?? hostPlatform()],
        admit: admitFromRegistry(engine, name, source.reference, repository, o),
        concurrency: containersConf(engine).parallelCopies,
        decrypter,
        emit: engine.emit,
        signal: engine.signal,
      },
    );
    // A layer that was decrypted is not there in the form it has here.
    return recordPulled(engine, got!, [full], decrypter.hasKeys ? undefined : repository.name);
  });
}

/** The image another transport names. */
export async function pullFromTransport(engine: Engine, image: string, o: PullOptions): Promise<PulledImage> {
  const { transport, location } = parseImageName(image);
  await using place = await openPlace(engine, image, o);
  const name = nameInPlace(transport!, location, place);
  return await pullFromPlace(engine, image, place, '', name === undefined ? [] : [name], o);
}

/** Every image of a docker archive with all its names, where the location names none of them; else that one. */
export async function pullFromArchive(engine: Engine, image: string, o: PullOptions): Promise<readonly PulledImage[]> {
  const { location, transport } = parseImageName(image);
  await using place = await openPlace(engine, image, o);
  const images = splitLocation(location).name === '' ? imagesIn(place) : [];
  if (images.length < 2) {
    const name = nameInPlace(transport!, location, place);
    return [await pullFromPlace(engine, image, place, '', name === undefined ? [] : [name], o)];
  }
  const pulled: PulledImage[] = [];
  for (const [i, names] of images.entries()) pulled.push(await pullFromPlace(engine, image, place, `@${i}`, names, o));
  return pulled;
}

function openPlace(engine: Engine, image: string, o: PullOptions): Promise<OpenTarget> {
  const { transport, location } = parseImageName(image);
  return openTransport(transport!, location, 'read', {
    registry: { ...o, env: engine.env, emit: engine.emit },
    registriesConf: registryAccess(engine),
    signal: engine.signal,
  });
}

async function pullFromPlace(
  engine: Engine,
  image: string,
  place: OpenTarget,
  wanted: string,
  names: readonly string[],
  o: PullOptions,
): Promise<PulledImage> {
  let got: Descriptor | undefined;
  const target = localTarget(engine, (d) => (got = d));
  const { transport, location } = parseImageName(image);
  await copyImage(BlobCache.of(engine, o)?.reading(place) ?? place, wanted, target, names[0] ?? '', {
    platforms: [o.platform ?? hostPlatform()],
    concurrency: containersConf(engine).parallelCopies,
    admit: admitFromPlace(engine, transport!, location, place),
    decrypter: layerDecrypter(o.decryptionKeys ?? [], engine.cwd),
    emit: engine.emit,
    signal: engine.signal,
  });
  const before = engine.store.images.list();
  const pulled = await recordPulled(engine, got!, names, undefined);
  // Who writes the name on the command line knows it; what an archive calls its images is anybody's claim.
  const { name } = splitLocation(location);
  if (name === '' || name.startsWith('@')) tellMovedNames(engine, image, before, pulled.record);
  return pulled;
}

function tellMovedNames(engine: Engine, image: string, before: readonly ImageRecord[], now: ImageRecord): void {
  for (const name of now.names) {
    const owner = before.find(({ id, names }) => id !== now.id && names.includes(name));
    if (owner === undefined) continue;
    const ids = `image ${now.id.slice(0, 12)} instead of ${owner.id.slice(0, 12)}`;
    engine.emit({ type: 'warning', text: `${name} now means ${ids}: ${image} claims the name` });
  }
}

/** The names of each image in a docker archive; nothing for other places. */
function imagesIn(place: OpenTarget): readonly (readonly string[])[] {
  return 'images' in place ? (place.images as readonly (readonly string[])[]) : [];
}

/** The name an image has in an archive or layout: what the location says, else the only name an archive gives it. */
function nameInPlace(transport: TransportName, location: string, place: OpenTarget): string | undefined {
  if (place.imageName !== undefined) return place.imageName === '' ? undefined : place.imageName;
  // A directory holds one image, and has no name for it.
  if (transport === 'dir') return undefined;
  const { name } = splitLocation(location);
  if (name !== '' && !name.startsWith('@')) {
    try {
      return newImageName(name);
    } catch {
      // A label that is no image name: the image stays nameless.
      return undefined;
    }
  }
  const images = imagesIn(place);
  return images.length === 1 ? images[0]?.[0] : undefined;
}

/** Writes the record, and remembers where the layers can be had. */
async function recordPulled(
  engine: Engine,
  manifest: Descriptor,
  names: readonly string[],
  from: string | undefined,
): Promise<PulledImage> {
  const { store } = engine;
  const document = JSON.parse(store.blobs.read(manifest.digest).toString('utf8')) as Manifest;
  const config = pulledConfig(engine, document, from);
  for (const [i, layer] of document.layers.entries()) {
    const diffId = config.rootfs.diff_ids[i];
    if (diffId !== undefined && layer.digest !== diffId) store.layers.noteForm(diffId, layer, from);
  }
  const record: ImageRecord = {
    id: hexOf(document.config.digest),
    names,
    manifest,
    created: config.created ?? nowNanoseconds(),
  };
  store.blobs.flush();
  await store.images.put(record);
  return { record, name: names[0] ?? '' };
}

/**
 * The config of an image that has arrived, which nobody has looked at yet: its DiffIDs become names of files.
 * @throws `manifest.invalid`
 */
function pulledConfig(engine: Engine, manifest: Manifest, from: string | undefined): ImageConfig {
  const { digest, size } = manifest.config;
  const name = from === undefined ? digest : `${digest} of ${from}`;
  if (size > MAX_DOCUMENT_BYTES) {
    throw new BuilderError(
      'manifest.invalid',
      `the image config ${name} is refused: ${size} bytes are more than the limit of ${MAX_DOCUMENT_BYTES}`,
    );
  }
  const config = parseImageConfig(engine.store.blobs.read(digest), name);
  const { length } = config.rootfs.diff_ids;
  if (length === manifest.layers.length) return config;
  throw new BuilderError(
    'manifest.invalid',
    `the image config ${name} is refused: it lists ${length} layers, but the manifest ${manifest.layers.length}`,
  );
}
