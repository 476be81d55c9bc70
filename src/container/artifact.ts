/**
 * Files of the caller as an OCI artifact of the store: a manifest that lists them as they are.
 * @see OCI image-spec 1.1, manifest.md, "Guidelines for Artifact Usage"
 */
import { createReadStream, statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { detectFileType } from '../spec/file-type.ts';
import type { Manifest } from '../spec/manifest.ts';
import { MEDIA } from '../spec/media-type.ts';
import type { Engine } from './engine.ts';
import type { ArtifactOptions } from './verb-options.ts';

const EMPTY = Buffer.from('{}');
/** What others take for an artifact that does not say what it is. */
const UNKNOWN_TYPE = 'application/vnd.unknown.artifact.v1';
const TITLE = 'org.opencontainers.image.title';
/** What a type is told from. */
const HEAD_BYTES = 512;

/** Writes blobs and manifest; gives the descriptor for a list. @throws `usage.invalid` for what is no regular file */
export async function writeArtifact(
  engine: Engine,
  files: readonly string[],
  o: ArtifactOptions,
  annotations: Readonly<Record<string, string>>,
  subject: Descriptor | undefined,
): Promise<Descriptor> {
  const layers: Descriptor[] = [];
  for (const file of files) layers.push(await fileLayer(engine, file, o));
  const artifactType = o.artifactType ?? UNKNOWN_TYPE;
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: MEDIA.ociManifest,
    artifactType,
    config: await configOf(engine, o),
    layers,
    ...(subject === undefined ? {} : { subject }),
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
  };
  const bytes = Buffer.from(JSON.stringify(manifest));
  const digest = engine.store.blobs.put(bytes);
  return { mediaType: MEDIA.ociManifest, digest, size: bytes.length, artifactType };
}

async function fileLayer(engine: Engine, file: string, o: ArtifactOptions): Promise<Descriptor> {
  const title = basename(file);
  const { head, ...content } = await storeFile(engine, file);
  return {
    mediaType: o.layerType ?? detectFileType(title, head),
    ...content,
    ...(o.excludeTitles === true ? {} : { annotations: { [TITLE]: title } }),
  };
}

async function configOf(engine: Engine, o: ArtifactOptions): Promise<Descriptor> {
  const mediaType = o.configType ?? MEDIA.ociEmpty;
  if (o.configFile !== undefined) {
    const { digest, size } = await storeFile(engine, o.configFile);
    return { mediaType, digest, size };
  }
  return { mediaType, digest: engine.store.blobs.put(EMPTY), size: EMPTY.length, data: EMPTY.toString('base64') };
}

type StoredFile = Pick<Descriptor, 'digest' | 'size'> & { readonly head: Buffer };

async function storeFile(engine: Engine, file: string): Promise<StoredFile> {
  const path = resolve(engine.cwd, file);
  // A fifo would block, and a device may never end.
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) {
    throw new BuilderError('usage.invalid', `cannot add ${JSON.stringify(file)} as an artifact: it is no regular file`);
  }
  await using ingest = await engine.store.blobs.ingest();
  let head = Buffer.alloc(0);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
    engine.signal?.throwIfAborted();
    if (head.length < HEAD_BYTES) head = Buffer.concat([head, chunk.subarray(0, HEAD_BYTES - head.length)]);
    await ingest.write(chunk);
  }
  return { ...(await ingest.commit()), head };
}
