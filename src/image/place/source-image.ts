/**
 * Source images: OCI layouts whose config has a type of its own and whose layers are archives of sources, as Buildah's
 * `source` commands make them.
 */
import { createReadStream, lstatSync } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { gzip } from '../../archive/gzip.ts';
import { END_OF_ARCHIVE, encodeEntry, padding } from '../../archive/tar-writer.ts';
import { BuilderError } from '../../report/builder-error.ts';
import { diffTrees } from '../../rootfs/diff-tree.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import { digestOf, hexOf } from '../../spec/digest.ts';
import type { Manifest } from '../../spec/manifest.ts';
import { MEDIA } from '../../spec/media-type.ts';
import { parseReference } from '../../spec/reference.ts';
import { MAX_DOCUMENT_BYTES, parseManifest } from '../../spec/schema.ts';
import type { Bytes, Cancellable, ReadTarget } from '../../spec/target.ts';
import { makeDirectories } from '../../sys/make-directories.ts';
import { readDocument } from '../copy-side.ts';
import { writeWhole } from '../transport/blob-directory.ts';
import { OciLayout } from '../transport/oci-layout.ts';
import { type CopyBetweenOptions, copyBetween } from './copy-between.ts';
import { openPlace, parsePlace } from './open-place.ts';

const SOURCE_CONFIG = 'application/vnd.oci.source.image.config.v1+json';

export interface CreateSourceOptions {
  readonly author?: string;
  /** Say when it was made; default true. */
  readonly timeStamp?: boolean;
}

/** Makes an empty source image. @throws `usage.invalid` when something is at the path */
export async function createSourceImage(path: string, o: CreateSourceOptions = {}): Promise<void> {
  await requireNothing(path, 'creating source image: ');
  await using layout = await OciLayout.create(path, '');
  const config = {
    ...(o.timeStamp === false ? {} : { created: new Date().toISOString() }),
    ...(o.author === undefined || o.author === '' ? {} : { author: o.author }),
  };
  const { digest, size } = await layout.pushUnsized(once(Buffer.from(JSON.stringify(config))));
  await writeManifest(path, layout, { config: { mediaType: SOURCE_CONFIG, digest, size }, layers: [] });
}

/**
 * Adds a file, or what a directory holds, as a gzipped archive.
 * @param annotations `key=value`, each key once
 * @throws `usage.invalid`, `manifest.invalid` when there is no source image at the path
 */
export async function addSource(
  path: string,
  artifact: string,
  o: Cancellable & { readonly annotations?: readonly string[] } = {},
): Promise<void> {
  const annotations = annotationsOf(o.annotations ?? []);
  await using layout = await OciLayout.open(path, '');
  const before = await layout.resolve('');
  const { config, layers } = await readSourceManifest(layout, before, path, o);
  const { digest, size } = await layout.pushUnsized(gzip(archiveOf(resolve(artifact))), o);
  const layer: Descriptor = { mediaType: MEDIA.ociLayerGzip, digest, size, ...annotations };
  const after = await writeManifest(path, layout, { config, layers: [...layers, layer] });
  if (after.digest !== before.digest) await rm(join(path, 'blobs/sha256', hexOf(before.digest)), { force: true });
}

/** Copies a source image of a registry to a new layout. @throws `manifest.invalid` for another kind of image */
export async function pullSourceImage(image: string, path: string, o: CopyBetweenOptions = {}): Promise<void> {
  await requireNothing(path, '');
  const name = remoteName(image);
  {
    await using from = await openPlace(parsePlace(name), 'read', o);
    await readSourceManifest(from, await from.resolve('', o), image, o);
  }
  await copyBetween(name, `oci:${path}`, o);
}

/** Copies a source image to a registry; gives its descriptor there. */
export async function pushSourceImage(path: string, image: string, o: CopyBetweenOptions = {}): Promise<Descriptor> {
  return await copyBetween(`oci:${path}`, remoteName(image), o);
}

async function requireNothing(path: string, what: string): Promise<void> {
  if (path.includes(':')) {
    const why = 'in the names of layouts a colon ends the path';
    throw new BuilderError('usage.invalid', `${what}${JSON.stringify(path)} cannot be used: ${why}`);
  }
  if ((await stat(path).catch(() => undefined)) === undefined) return;
  throw new BuilderError('usage.invalid', `${what}${JSON.stringify(path)} already exists`);
}

/** @throws `reference.invalid` for short names: what they mean is decided for images that are run */
function remoteName(image: string): string {
  const bare = image.replace(/^docker:\/\//, '');
  if (parseReference(bare).registry !== undefined) return `docker://${bare}`;
  throw new BuilderError('reference.invalid', `the short name ${JSON.stringify(image)} cannot name a source image`, {
    hint: 'use the full name: registry.example/repository:tag',
  });
}

async function readSourceManifest(
  from: ReadTarget,
  d: Descriptor,
  name: string,
  { signal }: Cancellable,
): Promise<Manifest> {
  const parsed = parseManifest(await readDocument(from, d, MAX_DOCUMENT_BYTES, signal), d.mediaType, name);
  const found = parsed.kind === 'manifest' ? parsed.value.config.mediaType : parsed.mediaType;
  if (parsed.kind === 'manifest' && found === SOURCE_CONFIG) return parsed.value;
  throw new BuilderError('manifest.invalid', `${name} is no source image: its config is of type ${found}`, {
    hint: `a source image has one of type ${SOURCE_CONFIG}`,
  });
}

/** The layout holds this one manifest from then on. */
async function writeManifest(
  path: string,
  layout: OciLayout,
  content: Pick<Manifest, 'config' | 'layers'>,
): Promise<Descriptor> {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA.ociManifest, ...content }));
  const manifest = { mediaType: MEDIA.ociManifest, digest: digestOf(bytes), size: bytes.length };
  await layout.push(manifest, once(bytes));
  const index = { schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests: [manifest] };
  makeDirectories(path);
  await writeWhole(join(path, 'index.json'), JSON.stringify(index));
  return manifest;
}

function annotationsOf(texts: readonly string[]): Pick<Descriptor, 'annotations'> {
  const annotations = new Map<string, string>();
  for (const text of texts) {
    const at = text.indexOf('=');
    if (at === -1)
      throw new BuilderError('usage.invalid', `invalid annotation ${JSON.stringify(text)}: write key=value`);
    const key = text.slice(0, at);
    if (annotations.has(key))
      throw new BuilderError('usage.invalid', `annotation ${JSON.stringify(key)} is given twice`);
    annotations.set(key, text.slice(at + 1));
  }
  return annotations.size === 0 ? {} : { annotations: Object.fromEntries(annotations) };
}

function archiveOf(path: string): Bytes {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found?.isDirectory() === true) return diffTrees({ lower: undefined, merged: path });
  if (found?.isFile() === true) return fileArchive(path);
  throw new BuilderError('usage.invalid', `cannot add ${path}: it is neither a file nor a directory`);
}

async function* fileArchive(path: string): Bytes {
  const { size, mode, uid, gid, mtimeMs } = lstatSync(path);
  const seconds = Math.floor(mtimeMs / 1000);
  yield encodeEntry({
    name: Buffer.from(basename(path)),
    type: 'file',
    mode: mode & 0o7777,
    uid,
    gid,
    size,
    mtime: { seconds, nanoseconds: 0 },
    linkName: Buffer.alloc(0),
    devMajor: 0,
    devMinor: 0,
    xattrs: new Map(),
  });
  let read = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
    read += chunk.length;
    if (read <= size) yield chunk;
  }
  if (read !== size) throw new BuilderError('layer.diff-failed', `${path} changed while it was read`);
  yield padding(size);
  yield END_OF_ARCHIVE;
}

async function* once(content: Uint8Array): Bytes {
  yield content;
}
