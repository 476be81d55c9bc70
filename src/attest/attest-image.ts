/**
 * Attestations beside an image: an attestation manifest whose layers are in-toto statements, and an index that holds
 * the image and it. Pure: the caller stores the blobs. Members and white space are BuildKit's.
 *
 * @see BuildKit, docs/attestations/attestation-storage.md; OCI image-spec 1.1, manifest.md, "subject"
 */
import { BuilderError } from '../report/builder-error.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { digestOf } from '../spec/digest.ts';
import { MEDIA } from '../spec/media-type.ts';
import type { Platform } from '../spec/platform.ts';
import type { Statement } from './in-toto.ts';

export const IN_TOTO = 'application/vnd.in-toto+json';
export const ATTESTATION_ARTIFACT = 'application/vnd.docker.attestation.manifest.v1+json';
const PREDICATE_TYPE = 'in-toto.io/predicate-type';
const REFERENCE_TYPE = 'vnd.docker.reference.type';
const REFERENCE_DIGEST = 'vnd.docker.reference.digest';
const UNKNOWN: Platform = { architecture: 'unknown', os: 'unknown' };
/** BuildKit's bound on one attestation, kept so that what is written here can be read there. */
const MAX_STATEMENT = 40 * 1024 * 1024;

export interface Blob {
  readonly descriptor: Descriptor;
  readonly bytes: Buffer;
}

export interface AttestationOptions {
  /**
   * `artifact`: artifact type, the empty config and `subject`, BuildKit's present form; `image`: an ordinary image
   * config and none of these, for registries that refuse what they do not know (`oci-artifact=false`).
   */
  readonly form?: 'artifact' | 'image';
}

/** An attestation manifest with everything it refers to. */
export interface Attestation {
  /** As an index lists it: platform unknown, annotated with what it is about. */
  readonly manifest: Blob;
  /** Config and statements. */
  readonly blobs: readonly Blob[];
}

/**
 * The attestation manifest of one image.
 * @param image its manifest's descriptor
 * @throws `build.failed` for a statement beyond 40 MiB
 */
export function attestationOf(
  image: Descriptor,
  statements: readonly Statement[],
  o: AttestationOptions = {},
): Attestation {
  const layers = statements.map(statementBlob);
  const isArtifact = o.form !== 'image';
  const config = isArtifact ? emptyConfig() : imageConfig(layers);
  const document = {
    schemaVersion: 2,
    mediaType: MEDIA.ociManifest,
    ...(isArtifact ? { artifactType: ATTESTATION_ARTIFACT } : {}),
    config: config.descriptor,
    layers: layers.map(({ descriptor }) => descriptor),
    ...(isArtifact ? { subject: { mediaType: image.mediaType, digest: image.digest, size: image.size } } : {}),
  };
  const { descriptor, bytes } = blobOf(MEDIA.ociManifest, goIndented(document));
  return {
    manifest: {
      descriptor: {
        ...descriptor,
        annotations: { [REFERENCE_DIGEST]: image.digest, [REFERENCE_TYPE]: 'attestation-manifest' },
        platform: UNKNOWN,
      },
      bytes,
    },
    blobs: [config, ...layers],
  };
}

export interface AttestedImage {
  readonly image: Descriptor & { readonly platform: Platform };
  readonly statements: readonly Statement[];
}

/**
 * The index of images and their attestations: the images as given, then one attestation manifest for each that has
 * statements. `blobs` holds everything that is new, the index itself last.
 * @throws `build.failed` as `attestationOf`
 */
export function attestedIndex(
  images: readonly AttestedImage[],
  o: AttestationOptions & { readonly annotations?: Readonly<Record<string, string>> } = {},
): { readonly index: Descriptor; readonly blobs: readonly Blob[] } {
  const attestations = images
    .filter(({ statements }) => statements.length > 0)
    .map(({ image, statements }) => attestationOf(image, statements, o));
  const manifests = [
    ...images.map(({ image }) => image),
    ...attestations.map(({ manifest }) => manifest.descriptor),
  ].map(inWritingOrder);
  const index = blobOf(
    MEDIA.ociIndex,
    goIndented({
      schemaVersion: 2,
      mediaType: MEDIA.ociIndex,
      manifests,
      ...(o.annotations === undefined || Object.keys(o.annotations).length === 0
        ? {}
        : { annotations: sorted(o.annotations) }),
    }),
  );
  const parts = attestations.flatMap(({ manifest, blobs }) => [...blobs, manifest]);
  return { index: index.descriptor, blobs: [...parts, index] };
}

/** One image alone with its statements. */
export function attestImage(
  image: AttestedImage['image'],
  statements: readonly Statement[],
  o: AttestationOptions = {},
) {
  return attestedIndex([{ image, statements }], o);
}

function statementBlob(statement: Statement): Blob {
  const bytes = Buffer.from(JSON.stringify(statement));
  if (bytes.length > MAX_STATEMENT) {
    throw new BuilderError(
      'build.failed',
      `the attestation ${statement.predicateType} has ${bytes.length} bytes, more than the limit of ${MAX_STATEMENT}`,
    );
  }
  const { descriptor } = blobOf(IN_TOTO, bytes);
  return { descriptor: { ...descriptor, annotations: { [PREDICATE_TYPE]: statement.predicateType } }, bytes };
}

function emptyConfig(): Blob {
  const bytes = Buffer.from('{}');
  const { descriptor } = blobOf(MEDIA.ociEmpty, bytes);
  return { descriptor: { ...descriptor, data: bytes.toString('base64') }, bytes };
}

/** A config that says no more than that this runs nowhere. */
function imageConfig(layers: readonly Blob[]): Blob {
  const document = {
    architecture: UNKNOWN.architecture,
    os: UNKNOWN.os,
    config: {},
    rootfs: { type: 'layers', diff_ids: layers.map(({ descriptor }) => descriptor.digest) },
  };
  return blobOf(MEDIA.ociConfig, Buffer.from(JSON.stringify(document)));
}

function blobOf(mediaType: string, bytes: Buffer): Blob {
  return { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length }, bytes };
}

/** Go writes these characters escaped. */
function goIndented(document: object): Buffer {
  const text = JSON.stringify(document, undefined, 2);
  return Buffer.from(text.replaceAll(/[<>&]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`));
}

/** Descriptors as Go prints them. */
function inWritingOrder({ mediaType, digest, size, annotations, platform }: Descriptor): object {
  return {
    mediaType,
    digest,
    size,
    ...(annotations === undefined ? {} : { annotations: sorted(annotations) }),
    ...(platform === undefined ? {} : { platform: platformInWritingOrder(platform) }),
  };
}

function platformInWritingOrder(platform: Platform): object {
  const { architecture, os, variant } = platform;
  return {
    architecture,
    os,
    'os.version': platform['os.version'],
    'os.features': platform['os.features'],
    variant,
  };
}

function sorted(map: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));
}
