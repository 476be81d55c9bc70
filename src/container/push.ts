/** Images out of the store, to registries and every other place. */
import { resolve } from 'node:path';
import { copyImage } from '../image/copy.ts';
import type { CopyOptions, TransformLayer } from '../image/copy-options.ts';
import { layerEncrypter } from '../image/crypt/layer-crypt.ts';
import { ImageSigner } from '../image/image-signer.ts';
import { requireChunkedFormat } from '../image/layer-form.ts';
import { openTransport } from '../image/transport/open-transport.ts';
import type { OpenTarget } from '../image/transport/transport.ts';
import { BuilderError } from '../report/builder-error.ts';
import type { ContainersConf } from '../run/containers-conf.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { parseImageName, type TransportName } from '../spec/image-name.ts';
import { type Compression, type ImageFormat, isIndex, MEDIA, plainCompression } from '../spec/media-type.ts';
import { BlobCache } from './blob-cache.ts';
import type { Engine } from './engine.ts';
import { requireImage, spokenName } from './local-image.ts';
import { localTarget } from './local-target.ts';
import { containersConf } from './machine-defaults.ts';
import { OutgoingLayers } from './outgoing-layer.ts';
import { type StoredPredicates, storedPredicates } from './predicates.ts';
import { attestedParts, nameAttested, type SentImage, takesAttestations } from './send-attestations.ts';
import { requireVariantFormat, sendVariants } from './send-variants.ts';
import { registryAccess } from './short-names.ts';
import { signaturePolicy } from './trust.ts';
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
  const name = transport === 'docker' ? location : image;
  const record = requireImage(engine, name);
  const target = destination ?? spokenName(engine, record, name) ?? record.names[0];
  if (target === undefined) {
    throw new BuilderError('usage.invalid', `${image} has no name: say where to push it`, {
      hint: 'push IMAGE docker://REGISTRY/NAME',
    });
  }
  // A push leaves no layer in a directory uncompressed; a commit or build writes there what it has.
  const manifest = await sendImage(engine, record.manifest, target, { ...o, compressesDirectories: true });
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

interface SendOptions extends PushOptions {
  /** `dir:` is to hold compressed layers, as a registry does. */
  readonly compressesDirectories?: boolean;
}

/**
 * Sends a stored image or list and gives the descriptor it has there. What is said about the images goes along, in an
 * index of images and attestations, wherever one can be held.
 */
export async function sendImage(
  engine: Engine,
  manifest: Descriptor,
  destination: string,
  o: SendOptions = {},
  said: StoredPredicates = storedPredicates(engine),
): Promise<Descriptor> {
  const named = parseImageName(destination);
  const transport = named.transport ?? 'docker';
  const encrypter = layerEncrypter(o, engine.cwd);
  await using place = await openTransport(transport, named.location, 'write', {
    registry: {
      tlsVerify: o.tlsVerify,
      certDir: o.certDir,
      authfile: o.authfile,
      creds: o.creds,
      retries: o.retries,
      retryDelayMs: o.retryDelayMs,
      env: engine.env,
      emit: engine.emit,
    },
    registriesConf: registryAccess(engine),
    signal: engine.signal,
  });
  signaturePolicy(engine);
  const { env, emit, signal, cwd } = engine;
  const around = { env, emit, signal, resolve: (path: string) => resolve(cwd, path) };
  const signer = await ImageSigner.open(place, { transport, location: named.location, signing: o, ...around });
  const there: Destination = { place, transport, location: named.location, signer, encrypter };
  const sent = await sendTo(engine, manifest, there, o, said);
  signer.sent(sent);
  await signer.finish();
  return sent;
}

interface Destination {
  readonly place: OpenTarget;
  readonly transport: TransportName;
  readonly location: string;
  readonly signer: ImageSigner;
  readonly encrypter: CopyOptions['encrypter'];
}

async function sendTo(
  engine: Engine,
  manifest: Descriptor,
  destination: Destination,
  o: SendOptions,
  said: StoredPredicates,
): Promise<Descriptor> {
  const { place, transport, location } = destination;
  const outgoing = new OutgoingLayers(engine, BlobCache.of(engine, o));
  const options = (compression?: Compression) => copyOptions(engine, destination, outgoing, manifest, o, compression);
  const { addCompression = [] } = o;
  if (addCompression.length > 0 && isIndex(manifest.mediaType)) {
    requireVariantFormat(o.format ?? place.requiredFormat);
    if (attestedParts(engine, manifest, said, true) !== undefined) {
      const text = 'the attestations of the images are not sent along: they belong to one form of an image';
      engine.emit({ type: 'warning', text });
    }
    const usual = plainCompression(o.compression ?? 'gzip');
    return await sendVariants(engine, manifest, addCompression, usual, place, async (image, compression) => {
      const sent = await copyImage(localTarget(engine), image.digest, place, undefined, options(compression));
      await outgoing.kept();
      return sent;
    });
  }
  const attested = attestedParts(engine, manifest, said, o.all === true);
  const format = o.format ?? place.requiredFormat ?? formatOfManifest(manifest);
  if (attested === undefined || !takesAttestations(engine, transport, format)) {
    const sent = await copyImage(localTarget(engine), manifest.digest, place, '', options());
    await outgoing.kept();
    return sent;
  }
  const sent: SentImage[] = [];
  for (const part of attested.parts) {
    const there = await copyImage(localTarget(engine), part.local.digest, place, undefined, options());
    sent.push({ ...part, manifest: there });
  }
  await outgoing.kept();
  const names = transport === 'docker' ? [location] : [];
  return await nameAttested(engine, place, sent, { names, annotations: attested.annotations, signal: engine.signal });
}

function wantedAsIs(usual: Compression | 'as-is'): Compression | undefined {
  return usual === 'as-is' ? undefined : usual;
}

function retryOf(conf: ContainersConf, o: PushOptions): Pick<CopyOptions, 'retries' | 'retryDelayMs'> {
  const retries = o.retries ?? conf.retries;
  const retryDelayMs = o.retryDelayMs ?? conf.retryDelayMs;
  return {
    ...(retries === undefined ? {} : { retries }),
    ...(retryDelayMs === undefined ? {} : { retryDelayMs }),
  };
}

/** @param compression in the place of what the push asks for: layers are compressed again, in OCI's format */
function copyOptions(
  engine: Engine,
  { place, transport, signer, encrypter }: Destination,
  outgoing: OutgoingLayers,
  manifest: Descriptor,
  o: SendOptions,
  compression: Compression | undefined,
): CopyOptions {
  const usual = transport === 'dir' && o.compressesDirectories === true ? 'gzip' : USUAL_COMPRESSION[transport];
  const conf = containersConf(engine);
  const isDocker = (o.format ?? place.requiredFormat ?? formatOfManifest(manifest)) === 'docker';
  // Docker's format has no zstd, and a file about the whole machine must not end a push.
  const configured = isDocker ? undefined : conf.compressionFormat;
  const wanted = compression ?? o.compression ?? (usual === 'gzip' ? (configured ?? usual) : wantedAsIs(usual));
  const isVaried = (o.addCompression ?? []).length > 0;
  const format = isVaried ? 'oci' : requireChunkedFormat(o.compression, o.format, place.requiredFormat);
  const compressionLevel = o.compressionLevel ?? conf.compressionLevel;
  const transformLayer: TransformLayer = (layer) =>
    outgoing.form(layer, {
      wanted: wanted!,
      format: format ?? 'oci',
      isAsked: o.compression !== undefined,
      streams: 'pushUnsized' in place,
      ...(compressionLevel === undefined || compression !== undefined ? {} : { compressionLevel }),
      forceCompression: compression !== undefined || o.forceCompression === true,
    });
  return {
    // An index goes whole when asked; a plain push sends the image for this machine.
    ...(isIndex(manifest.mediaType) && o.all === true ? { platforms: 'all' as const } : {}),
    ...(isIndex(manifest.mediaType) && o.indexOnly === true ? { platforms: 'none' as const } : {}),
    ...(format === undefined ? {} : { format }),
    ...(wanted === undefined ? {} : { transformLayer }),
    signatures: signer,
    encrypter,
    emit: engine.emit,
    signal: engine.signal,
    concurrency: conf.parallelCopies,
    ...retryOf(conf, o),
  };
}

function formatOfManifest({ mediaType }: Descriptor): ImageFormat {
  return mediaType === MEDIA.dockerManifest || mediaType === MEDIA.dockerList ? 'docker' : 'oci';
}
