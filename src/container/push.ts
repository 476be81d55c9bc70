/**
 * Images out of the store, to registries and every other place. A layer is compressed while it is sent, and the blob is
 * kept: the next push, to anywhere, finds it made.
 */
import { compress } from '../archive/compression.ts';
import { copyImage } from '../image/copy.ts';
import type { CopyOptions, LayerReplacement, SourceLayer } from '../image/copy-options.ts';
import { openTransport } from '../image/transport/open-transport.ts';
import { BuilderError } from '../report/builder-error.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { parseImageName, type TransportName } from '../spec/image-name.ts';
import {
  type Compression,
  compressionOf,
  type ImageFormat,
  isIndex,
  layerMediaType,
  MEDIA,
} from '../spec/media-type.ts';
import type { Bytes } from '../spec/target.ts';
import type { Engine } from './engine.ts';
import { layerTar } from './layer-bytes.ts';
import { requireImage } from './local-image.ts';
import { localTarget } from './local-target.ts';
import { type StoredPredicates, storedPredicates } from './predicates.ts';
import { attestedParts, nameAttested, type SentImage, takesAttestations } from './send-attestations.ts';
import { registriesConf } from './short-names.ts';
import type { PushOptions } from './verb-options.ts';

/** Whether a name says where to, other than into the local store. */
export function isRemoteName(name: string): boolean {
  return parseImageName(name).transport !== undefined;
}

/** `push`: the destination defaults to the image's own name, its transport to `docker://`. */
export async function push(
  engine: Engine,
  image: string,
  destination: string | undefined,
  o: PushOptions = {},
): Promise<{ readonly digest: string }> {
  const { transport, location } = parseImageName(image);
  const record = requireImage(engine, transport === 'docker' ? location : image);
  const target =
    destination ??
    record.names.find((name) => name === image || name.endsWith(`/${image}`) || name.endsWith(`/${image}:latest`)) ??
    record.names[0];
  if (target === undefined) {
    throw new BuilderError('usage.invalid', `${image} has no name: say where to push it`, {
      hint: 'push IMAGE docker://REGISTRY/NAME',
    });
  }
  const manifest = await sendImage(engine, record.manifest, target, o);
  return { digest: manifest.digest };
}

/** What a place does with layers that are not compressed yet, unless told otherwise. */
const USUAL_COMPRESSION: Readonly<Record<TransportName, Compression | 'as-is'>> = {
  docker: 'gzip',
  oci: 'gzip',
  'oci-archive': 'gzip',
  'docker-archive': 'none',
  'docker-daemon': 'none',
  dir: 'as-is',
  'containers-storage': 'as-is',
};

/**
 * Sends a stored image or list and gives the descriptor it has there. What is said about the images goes along, in an
 * index of images and attestations, wherever one can be held.
 */
export async function sendImage(
  engine: Engine,
  manifest: Descriptor,
  destination: string,
  o: PushOptions = {},
  said: StoredPredicates = storedPredicates(engine),
): Promise<Descriptor> {
  const named = parseImageName(destination);
  const transport = named.transport ?? 'docker';
  await using place = await openTransport(transport, named.location, 'write', {
    registry: {
      tlsVerify: o.tlsVerify,
      certDir: o.certDir,
      authfile: o.authfile,
      creds: o.creds,
      retries: o.retries,
      retryDelayMs: o.retryDelayMs,
      env: engine.env,
    },
    registriesConf: registriesConf(engine),
    signal: engine.signal,
  });
  const usual = USUAL_COMPRESSION[transport];
  const wanted = o.compression ?? (usual === 'as-is' ? undefined : usual);
  const format = o.format ?? place.requiredFormat;
  const keeping: Promise<void>[] = [];
  const options: CopyOptions = {
    // An index goes whole when asked; a plain push sends the image for this machine.
    ...(isIndex(manifest.mediaType) && o.all === true ? { platforms: 'all' as const } : {}),
    ...(format === undefined ? {} : { format }),
    ...(wanted === undefined
      ? {}
      : {
          transformLayer: (layer) =>
            outgoing(engine, layer, wanted, format ?? 'oci', 'pushUnsized' in place, keeping, o),
        }),
    emit: engine.emit,
    signal: engine.signal,
    ...(o.retries === undefined ? {} : { retries: o.retries }),
    ...(o.retryDelayMs === undefined ? {} : { retryDelayMs: o.retryDelayMs }),
  };
  const attested = attestedParts(engine, manifest, said, o.all === true);
  if (attested === undefined || !takesAttestations(engine, transport, format ?? formatOfManifest(manifest))) {
    const sent = await copyImage(localTarget(engine), manifest.digest, place, '', options);
    await Promise.all(keeping);
    return sent;
  }
  const sent: SentImage[] = [];
  for (const part of attested.parts) {
    const there = await copyImage(localTarget(engine), part.local.digest, place, undefined, options);
    sent.push({ ...part, manifest: there });
  }
  await Promise.all(keeping);
  const names = transport === 'docker' ? [named.location] : [];
  return await nameAttested(engine, place, sent, { names, annotations: attested.annotations, signal: engine.signal });
}

function formatOfManifest({ mediaType }: Descriptor): ImageFormat {
  return mediaType === MEDIA.dockerManifest || mediaType === MEDIA.dockerList ? 'docker' : 'oci';
}

/** The form in which a layer leaves; undefined leaves it as it is. */
async function outgoing(
  engine: Engine,
  layer: SourceLayer,
  wanted: Compression,
  format: ImageFormat,
  streams: boolean,
  keeping: Promise<void>[],
  o: PushOptions,
): Promise<LayerReplacement | undefined> {
  const { layers, blobs } = engine.store;
  const { diffId, descriptor } = layer;
  const has = compressionOf(descriptor.mediaType);
  if (has === wanted) return undefined;
  const mediaType = layerMediaType(format, wanted);
  if (wanted === 'none') {
    if (o.compression === 'none' && o.forceCompression !== true) return undefined;
    const size = layers.get(diffId).size ?? (await measure(engine, layer));
    return { descriptor: { mediaType, digest: diffId, size }, open: () => layerTar(engine, diffId) };
  }
  if (has !== 'none' && o.forceCompression !== true) return undefined;
  const known = layers
    .get(diffId)
    .forms.find(({ descriptor: form }) => compressionOf(form.mediaType) === wanted && blobs.has(form.digest));
  if (known !== undefined && o.compressionLevel === undefined) {
    const { digest, size } = known.descriptor;
    return { descriptor: { mediaType, digest, size }, open: () => blobs.open({ digest }) };
  }
  const content = kept(engine, layer, wanted, mediaType, o.compressionLevel, keeping);
  if (streams) return { mediaType, content };
  // A place that stores by digest needs it first: the blob is made here and copied.
  for await (const _ of content) engine.signal?.throwIfAborted();
  await Promise.all(keeping);
  const made = layers
    .get(diffId)
    .forms.findLast(({ descriptor: form }) => compressionOf(form.mediaType) === wanted && blobs.has(form.digest))!;
  const { digest, size } = made.descriptor;
  return { descriptor: { mediaType, digest, size }, open: () => blobs.open({ digest }) };
}

/**
 * Compresses, and keeps what passes by as a blob. The blob reaches the disk beside the end of the transfer: whoever
 * started it awaits `keeping`.
 */
async function* kept(
  engine: Engine,
  layer: SourceLayer,
  kind: Compression,
  mediaType: string,
  level: number | undefined,
  keeping: Promise<void>[],
): Bytes {
  const ingest = await engine.store.blobs.ingest();
  let isWhole = false;
  try {
    for await (const chunk of compress(await layerTar(engine, layer.diffId), kind, level)) {
      await ingest.write(chunk);
      yield chunk;
    }
    isWhole = true;
  } finally {
    if (!isWhole) await ingest[Symbol.asyncDispose]();
  }
  const done = ingest.commit().then(({ digest, size }) => {
    engine.store.layers.noteForm(layer.diffId, { mediaType, digest, size });
  });
  // Awaited later; until then a failure must not count as unhandled.
  done.catch(() => {});
  keeping.push(done);
}

async function measure(engine: Engine, layer: SourceLayer): Promise<number> {
  let size = 0;
  for await (const chunk of await layerTar(engine, layer.diffId)) size += chunk.length;
  engine.store.layers.noteSize(layer.diffId, size);
  return size;
}
