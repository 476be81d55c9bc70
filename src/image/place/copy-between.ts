/** An image from one place to another, with no store in between: each blob is read once and sent on while it arrives. */
import { resolve } from 'node:path';
import { decompress } from '../../archive/compression.ts';
import { verified } from '../../archive/verify.ts';
import { BuilderError } from '../../report/builder-error.ts';
import { silent } from '../../report/event.ts';
import type { Descriptor } from '../../spec/descriptor.ts';
import type { TransportName } from '../../spec/image-name.ts';
import { type ImageFormat, type LayerCompression, layerMediaType, plainCompression } from '../../spec/media-type.ts';
import type { Platform } from '../../spec/platform.ts';
import type { SigningOptions } from '../../trust/signer.ts';
import { copyImage } from '../copy.ts';
import type { CopyOptions, TransformLayer } from '../copy-options.ts';
import { type EncryptionOptions, layerDecrypter, layerEncrypter } from '../crypt/layer-crypt.ts';
import { ImageSigner, type ImageSignerOptions } from '../image-signer.ts';
import { compressLayer, layerCompression, requireChunkedFormat } from '../layer-form.ts';
import type { OpenTarget } from '../transport/transport.ts';
import { admitAt, openPlace, type PlaceName, type PlaceOptions, parsePlace } from './open-place.ts';

export interface CopyBetweenOptions extends PlaceOptions, EncryptionOptions, SigningOptions {
  /** `FILE[:PASSPHRASE]`, private keys that open encrypted layers; without any these are copied as they are. */
  readonly decryptionKeys?: readonly string[] | undefined;
  /** What is different for the source alone, and for the destination. */
  readonly source?: PlaceOptions | undefined;
  readonly destination?: PlaceOptions | undefined;
  /** Which images of an index; default the one for this machine. */
  readonly platforms?: readonly Platform[] | 'all' | undefined;
  /** Fail rather than change a manifest. */
  readonly preserveDigests?: boolean | undefined;
  readonly format?: ImageFormat | undefined;
  /** Of layers that are not compressed; default gzip where registries and layouts are written. */
  readonly compression?: LayerCompression | undefined;
  readonly compressionLevel?: number | undefined;
  /** Compress again what is compressed otherwise. */
  readonly forceCompression?: boolean | undefined;
  /** Further names at the destination. */
  readonly additionalTags?: readonly string[] | undefined;
  /** Leave the signatures of the source behind; else they go along, and the manifests stay as they are. */
  readonly removeSignatures?: boolean | undefined;
  /** The name to sign; default that of the destination. */
  readonly signIdentity?: string | undefined;
}

/** Places that keep whatever form a layer comes in. */
const AS_IS: readonly TransportName[] = ['dir', 'docker-archive', 'docker-daemon', 'containers-storage'];

/**
 * Copies and gives the descriptor of what the destination's name now is.
 * @throws `reference.invalid` for names without transport, `usage.invalid`, `platform.not-found`, `transport.unsupported`,
 *   and what the two places throw; messages begin with `source:` or `destination:`
 */
export async function copyBetween(
  source: string,
  destination: string,
  o: CopyBetweenOptions = {},
): Promise<Descriptor> {
  const [from, to] = [parsePlace(source), parsePlace(destination)];
  if (o.preserveDigests === true && (o.format !== undefined || o.compression !== undefined)) {
    throw new BuilderError('usage.invalid', 'digests cannot be preserved in another format or compression');
  }
  const crypt = cryptOptions(o);
  const { source: sourceOptions, destination: destinationOptions, ...common } = o;
  await using reading = await openPlace(from, 'read', { ...common, ...sourceOptions });
  await using writing = await openPlace(to, 'write', { ...common, ...destinationOptions });
  const signer = await ImageSigner.open(writing, signerOptions(to, reading, o, crypt));
  const copied = await copyImage(reading, '', writing, '', {
    platforms: o.platforms,
    emit: o.emit,
    signal: o.signal,
    format: requireChunkedFormat(o.compression, o.format, writing.requiredFormat),
    preserveDigests: o.preserveDigests,
    admit: admitAt(from, reading, o),
    signatures: signer,
    retries: o.retries,
    retryDelayMs: o.retryDelayMs,
    transformLayer: transformFor(to.transport, writing, o),
    ...crypt,
  });
  for (const tag of o.additionalTags ?? []) await writing.tag(copied, tag, { signal: o.signal });
  await signer.finish();
  return copied;
}

/** @throws `usage.invalid`, `usage.unsupported`, `key.invalid`, before any place is opened */
function cryptOptions(o: CopyBetweenOptions): Pick<CopyOptions, 'encrypter' | 'decrypter'> {
  const encrypter = layerEncrypter(o, process.cwd());
  const decrypter = o.decryptionKeys === undefined ? undefined : layerDecrypter(o.decryptionKeys, process.cwd());
  if (encrypter !== undefined && decrypter !== undefined) {
    throw new BuilderError('usage.invalid', 'layers are encrypted or decrypted by a copy, not both');
  }
  if (o.preserveDigests === true && (encrypter ?? decrypter) !== undefined) {
    throw new BuilderError('usage.invalid', 'digests cannot be preserved where layers are encrypted or decrypted');
  }
  return { encrypter, decrypter };
}

function signerOptions(
  { transport, location }: PlaceName,
  from: OpenTarget,
  o: CopyBetweenOptions,
  { encrypter, decrypter }: ReturnType<typeof cryptOptions>,
): ImageSignerOptions {
  const isCompressed = o.compression !== undefined || o.forceCompression === true;
  const isCrypted = (encrypter ?? decrypter) !== undefined;
  return {
    transport,
    location,
    signing: o,
    identity: o.signIdentity,
    from: o.removeSignatures === true ? undefined : from,
    change: isCompressed || isCrypted ? 'compressing or encrypting layers changes the manifest' : undefined,
    emit: o.emit ?? silent,
    env: o.env ?? process.env,
    resolve,
    signal: o.signal,
  };
}

function transformFor(transport: TransportName, place: OpenTarget, o: CopyBetweenOptions): TransformLayer | undefined {
  const wanted = o.compression ?? (AS_IS.includes(transport) || o.preserveDigests === true ? undefined : 'gzip');
  // Where layers cannot be streamed in, the place decides on their form itself.
  if (wanted === undefined || !('pushUnsized' in place)) return undefined;
  return recompressing(wanted, o);
}

/** Brings layers into one compression; those compressed otherwise only when that is wished, or none is wanted. */
function recompressing(
  wanted: LayerCompression,
  o: Pick<CopyBetweenOptions, 'compressionLevel' | 'forceCompression' | 'format'>,
): TransformLayer {
  return async ({ descriptor, diffId, open }) => {
    const has = layerCompression(descriptor);
    if (has === wanted || plainCompression(has) === wanted) return undefined;
    if (has !== 'none' && wanted !== 'none' && o.forceCompression !== true) return undefined;
    const tar = verified(decompress(await open()), { digest: diffId }, `uncompressed layer ${diffId}`);
    // A manifest that is rewritten gets the layer types of its own family.
    const mediaType = layerMediaType(o.format ?? 'oci', plainCompression(wanted));
    return { mediaType, ...compressLayer(tar, wanted, o.compressionLevel) };
  };
}
