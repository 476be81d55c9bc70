/** `manifest`: lists of images made by hand. What is put into a list is fetched whole, so that a list can be pushed. */
import { copyImage } from '../image/copy.ts';
import { openTransport } from '../image/transport/open-transport.ts';
import { BuilderError } from '../report/builder-error.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { Digest } from '../spec/digest.ts';
import { parseImageName } from '../spec/image-name.ts';
import type { ImageIndex } from '../spec/manifest.ts';
import { isIndex } from '../spec/media-type.ts';
import { hostPlatform, type Platform } from '../spec/platform.ts';
import { parseManifest } from '../spec/schema.ts';
import type { ImageRecord } from '../store/image-table.ts';
import { writeArtifact } from './artifact.ts';
import type { Engine } from './engine.ts';
import { findImage, requireImage } from './local-image.ts';
import { localTarget } from './local-target.ts';
import { changeList, findList, listEntry, readList } from './manifest-list.ts';
import { newImageName, registryAccess } from './short-names.ts';
import { admitFromPlace } from './trust.ts';
import type { ArtifactOptions, ListEntryOptions, RegistryOptions } from './verb-options.ts';

export interface CreateListOptions extends RegistryOptions {
  /** Put the images into the list that has the name already. */
  readonly amend?: boolean;
  /** Take the name from whatever has it. */
  readonly replace?: boolean;
  /** Of an image that is a list itself, every image. */
  readonly all?: boolean;
  /** `k=v` of the list. */
  readonly annotations?: readonly string[];
}

/** Gives the list's id. @throws `image.name-in-use`, `manifest.not-a-list`, and what fetching the images throws */
export async function createList(
  engine: Engine,
  name: string,
  images: readonly string[],
  o: CreateListOptions = {},
): Promise<string> {
  const known = findImage(engine, newImageName(name));
  if (known !== undefined && o.amend !== true && o.replace !== true) {
    throw new BuilderError(
      'image.name-in-use',
      `the name ${newImageName(name)} is already in use by image ${known.id}`,
      {
        hint: 'use --amend to add to a list, or --replace',
      },
    );
  }
  if (o.replace !== true) findList(engine, newImageName(name));
  const entries: Descriptor[] = [];
  for (const image of images) entries.push(...(await fetchEntries(engine, image, o)));
  const record = await changeList(
    engine,
    name,
    (before) => withAnnotations(withEntries(before, entries), o.annotations),
    o.replace === true ? { isFresh: true } : {},
  );
  return record.id;
}

/** Puts an image, or every image of a list, into a list. @throws `image.not-known` for a list that does not exist */
export async function addToList(
  engine: Engine,
  list: string,
  image: string,
  o: ListEntryOptions = {},
): Promise<{ readonly id: string; readonly digest: Digest }> {
  const { names, id } = requireList(engine, list);
  const entries = (await fetchEntries(engine, image, o)).map((entry) => withEntryOptions(entry, o));
  await changeList(engine, names[0] ?? id, (before) => withEntries(before, entries));
  return { id, digest: entries.at(-1)!.digest };
}

/** Puts files into a list, as one artifact. @throws `usage.invalid`, `image.not-known` for a list that does not exist */
export async function addArtifactToList(
  engine: Engine,
  list: string,
  files: readonly string[],
  o: ArtifactOptions & ListEntryOptions = {},
): Promise<{ readonly id: string; readonly digest: Digest }> {
  const { names, id } = requireList(engine, list);
  const subject = o.subject === undefined ? undefined : await subjectNamed(engine, o.subject, o);
  const annotations = pairs(o.manifestAnnotations ?? []);
  const artifact = await writeArtifact(engine, files, o, annotations, subject);
  await changeList(engine, names[0] ?? id, (before) => withEntries(before, [withEntryOptions(artifact, o)]));
  return { id, digest: artifact.digest };
}

/** The subject stays where it is: the artifact only points to it. */
async function subjectNamed(engine: Engine, name: string, o: RegistryOptions): Promise<Descriptor> {
  const local = parseImageName(name).transport === undefined ? findImage(engine, name) : undefined;
  if (local !== undefined) return local.manifest;
  await using place = await openPlace(engine, name, o);
  const { mediaType, digest, size } = await place.resolve('', { signal: engine.signal });
  return { mediaType, digest, size };
}

/** Changes what a list says of an entry. @param entry a digest of the list, or an image in it */
export async function annotateEntry(
  engine: Engine,
  list: string,
  entry: string,
  o: ListEntryOptions,
): Promise<{ readonly id: string; readonly digest: Digest }> {
  const record = requireList(engine, list);
  const digest = entryNamed(engine, record, entry);
  await changeList(engine, record.names[0] ?? record.id, (before) => ({
    ...before,
    manifests: before.manifests.map((known) => (known.digest === digest ? withEntryOptions(known, o) : known)),
  }));
  return { id: record.id, digest };
}

/** Changes annotations and subject of the list itself. */
export async function annotateList(
  engine: Engine,
  list: string,
  o: { readonly annotations?: readonly string[]; readonly subject?: string },
): Promise<{ readonly id: string }> {
  const record = requireList(engine, list);
  const subject = o.subject === undefined ? undefined : await fetchWhole(engine, o.subject, {});
  await changeList(engine, record.names[0] ?? record.id, (before) => ({
    ...withAnnotations(before, o.annotations),
    ...(subject === undefined ? {} : { subject }),
  }));
  return { id: record.id };
}

/** Takes an entry out. @throws `manifest.no-entry` */
export async function removeFromList(
  engine: Engine,
  list: string,
  entry: string,
): Promise<{ readonly id: string; readonly digest: Digest }> {
  const record = requireList(engine, list);
  const digest = entryNamed(engine, record, entry);
  await changeList(engine, record.names[0] ?? record.id, (before) => ({
    ...before,
    manifests: before.manifests.filter((known) => known.digest !== digest),
  }));
  return { id: record.id, digest };
}

/** The bytes of a list in the store, or where its name points. @throws `manifest.not-a-list` */
export async function readAnyList(engine: Engine, name: string, o: RegistryOptions = {}): Promise<ImageIndex> {
  const { transport } = parseImageName(name);
  const local = transport === undefined ? findList(engine, name) : undefined;
  if (local !== undefined) return readList(engine, local);
  await using place = await openPlace(engine, name, o);
  const top = await place.resolve('', { signal: engine.signal });
  const chunks: Uint8Array[] = [];
  for await (const chunk of await place.open(top, { signal: engine.signal })) chunks.push(Buffer.from(chunk));
  const parsed = parseManifest(Buffer.concat(chunks), top.mediaType);
  if (parsed.kind === 'index') return parsed.value;
  throw new BuilderError('manifest.not-a-list', `${name} is an image, not a list of images`);
}

function requireList(engine: Engine, name: string): ImageRecord {
  return findList(engine, name) ?? requireImage(engine, name);
}

function entryNamed(engine: Engine, record: ImageRecord, text: string): Digest {
  const { manifests } = readList(engine, record);
  const digest = text.startsWith('sha256:') ? text : findImage(engine, text)?.manifest.digest;
  const found = manifests.find((entry) => entry.digest === digest);
  if (found !== undefined) return found.digest;
  throw new BuilderError('manifest.no-entry', `the list ${record.names[0] ?? record.id} has no entry ${text}`, {
    hint: manifests.length === 0 ? 'it is empty' : `it has ${manifests.map((entry) => entry.digest).join(', ')}`,
  });
}

type Fetching = RegistryOptions & { readonly all?: boolean; readonly platform?: Platform };

/** What an image becomes in a list: one entry, or with `all` those of the list it is. */
async function fetchEntries(engine: Engine, image: string, o: Fetching): Promise<readonly Descriptor[]> {
  const top = await fetchWhole(engine, image, o);
  if (!isIndex(top.mediaType)) return [listEntry(engine, top)];
  return (JSON.parse(engine.store.blobs.read(top.digest).toString('utf8')) as ImageIndex).manifests;
}

/** Brings an image into the store, without a name; one that is there is taken as it is. */
async function fetchWhole(engine: Engine, image: string, o: Fetching): Promise<Descriptor> {
  const platforms = o.all === true ? ('all' as const) : [o.platform ?? hostPlatform()];
  const { transport, location } = parseImageName(image);
  const local = transport === undefined ? findImage(engine, image) : undefined;
  const target = localTarget(engine);
  if (local !== undefined)
    return copyImage(target, local.manifest.digest, target, '', { platforms, signal: engine.signal });
  await using place = await openPlace(engine, image, o);
  const admit = admitFromPlace(engine, transport ?? 'docker', location, place);
  return copyImage(place, '', target, '', { platforms, admit, emit: engine.emit, signal: engine.signal });
}

function openPlace(engine: Engine, image: string, o: RegistryOptions) {
  const { transport, location } = parseImageName(image);
  return openTransport(transport ?? 'docker', location, 'read', {
    registry: { ...o, env: engine.env, emit: engine.emit },
    registriesConf: registryAccess(engine),
    signal: engine.signal,
  });
}

function withEntries(before: ImageIndex, entries: readonly Descriptor[]): ImageIndex {
  const added = new Set<string>(entries.map(({ digest }) => digest));
  return { ...before, manifests: [...before.manifests.filter(({ digest }) => !added.has(digest)), ...entries] };
}

function withAnnotations(before: ImageIndex, annotations: readonly string[] | undefined): ImageIndex {
  return annotations === undefined
    ? before
    : { ...before, annotations: { ...before.annotations, ...pairs(annotations) } };
}

function withEntryOptions(entry: Descriptor, o: ListEntryOptions): Descriptor {
  const { os, architecture, variant, osVersion, osFeatures, features, annotations } = o;
  const said = {
    ...(os === undefined ? {} : { os }),
    ...(architecture === undefined ? {} : { architecture }),
    ...(variant === undefined ? {} : { variant }),
    ...(osVersion === undefined ? {} : { 'os.version': osVersion }),
    ...(osFeatures === undefined ? {} : { 'os.features': osFeatures }),
    ...(features === undefined ? {} : { features }),
  };
  const platform: Platform = { ...(entry.platform ?? { os: 'linux', architecture: '' }), ...said };
  return {
    ...entry,
    // An artifact runs nowhere, unless somebody says where.
    ...(entry.artifactType !== undefined && Object.keys(said).length === 0 ? {} : { platform }),
    ...(annotations === undefined ? {} : { annotations: { ...entry.annotations, ...pairs(annotations) } }),
  };
}

/** @throws `usage.invalid` */
function pairs(entries: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    entries.map((entry) => {
      const at = entry.indexOf('=');
      if (at > 0) return [entry.slice(0, at), entry.slice(at + 1)];
      throw new BuilderError('usage.invalid', `the annotation ${JSON.stringify(entry)} must be KEY=VALUE`);
    }),
  );
}
