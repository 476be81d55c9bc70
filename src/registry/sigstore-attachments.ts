/**
 * Signatures inside a registry: an image tagged `sha256-HEX.sig` in the repository of the image that is signed, with a
 * layer for every signature.
 * @see sigstore/cosign SIGNATURE_SPEC.md, "Storage"
 */
import { verified } from '../archive/verify.ts';
import { BuilderError, isBuilderError } from '../report/builder-error.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { type Digest, digestOf, hexOf } from '../spec/digest.ts';
import { MAX_SIGNATURE_BYTES, type SigstoreSignature } from '../spec/image-signature.ts';
import type { Manifest } from '../spec/manifest.ts';
import { MEDIA } from '../spec/media-type.ts';
import { MAX_DOCUMENT_BYTES, parseManifest } from '../spec/schema.ts';
import type { Bytes, Cancellable } from '../spec/target.ts';
import { readBounded } from './bounded-body.ts';
import type { Repository } from './repository.ts';

/** Nobody signs an image more often. */
const MAX_ATTACHMENTS = 128;

/** The tag under which the signatures of a manifest are. */
export function attachmentTag(digest: Digest): string {
  return `sha256-${hexOf(digest)}.sig`;
}

/** The image that holds the signatures of a manifest; undefined when there is none. */
export async function readAttachmentManifest(
  repository: Repository,
  digest: Digest,
  o: Cancellable,
): Promise<Manifest | undefined> {
  let descriptor: Descriptor;
  try {
    descriptor = await repository.resolve(attachmentTag(digest), o);
  } catch (error) {
    if (isBuilderError(error, 'registry.request-failed') && error.facts['status'] === 404) return undefined;
    throw error;
  }
  const raw = await readSmall(repository, descriptor, MAX_DOCUMENT_BYTES, o);
  const parsed = parseManifest(raw, descriptor.mediaType, `${attachmentTag(digest)} of ${repository.name}`);
  if (parsed.kind === 'manifest' && parsed.value.layers.length <= MAX_ATTACHMENTS) return parsed.value;
  throw new BuilderError(
    'signature.invalid',
    `cannot read the signatures ${attachmentTag(digest)} of ${repository.name}: ` +
      (parsed.kind === 'manifest' ? `there are more than ${MAX_ATTACHMENTS}` : 'it is an index'),
  );
}

/** All attachments of a manifest, those of other kinds too. @throws `signature.invalid`, the registry's errors */
export async function readAttachments(
  repository: Repository,
  digest: Digest,
  o: Cancellable,
): Promise<readonly SigstoreSignature[]> {
  const manifest = await readAttachmentManifest(repository, digest, o);
  const all: SigstoreSignature[] = [];
  for (const layer of manifest?.layers ?? []) {
    const payload = await readSmall(repository, layer, MAX_SIGNATURE_BYTES, o);
    all.push({ format: 'sigstore', mediaType: layer.mediaType, payload, annotations: layer.annotations ?? {} });
  }
  return all;
}

async function readSmall(repository: Repository, d: Descriptor, limit: number, o: Cancellable): Promise<Uint8Array> {
  const what = `${d.digest} of ${repository.name}`;
  const body = verified(await repository.open(d, o), d, what);
  const { content, isTruncated } = await readBounded(body, limit);
  if (!isTruncated) return content;
  throw new BuilderError('signature.invalid', `cannot read the signature ${what}: it is larger than ${limit} bytes`);
}

/** Adds signatures to those a manifest has; one that is there already stays alone. @throws the registry's errors */
export async function addAttachments(
  repository: Repository,
  digest: Digest,
  signatures: readonly SigstoreSignature[],
  o: Cancellable,
): Promise<void> {
  const before = await readAttachmentManifest(repository, digest, o);
  const layers = [...(before?.layers ?? [])];
  for (const { mediaType, payload, annotations } of signatures) {
    const layer: Descriptor = { mediaType, digest: digestOf(payload), size: payload.length, annotations };
    if (layers.some((known) => isSameAttachment(known, layer))) continue;
    await repository.push(layer, once(payload), o);
    layers.push(layer);
  }
  // An image's config, with the payloads for layers: what registries that look into images expect to find.
  const rootfs = { type: 'layers', diff_ids: layers.map((layer) => layer.digest) };
  const config = Buffer.from(JSON.stringify({ architecture: '', os: '', config: {}, rootfs }));
  const configDescriptor = { mediaType: MEDIA.ociConfig, digest: digestOf(config), size: config.length };
  await repository.push(configDescriptor, once(config), o);
  const manifest: Manifest = { schemaVersion: 2, mediaType: MEDIA.ociManifest, config: configDescriptor, layers };
  const bytes = Buffer.from(JSON.stringify(manifest));
  const descriptor = { mediaType: MEDIA.ociManifest, digest: digestOf(bytes), size: bytes.length };
  await repository.pushNamed(descriptor, once(bytes), attachmentTag(digest), o);
}

function isSameAttachment(a: Descriptor, b: Descriptor): boolean {
  const [left, right] = [a.annotations ?? {}, b.annotations ?? {}];
  const names = Object.keys(left);
  return (
    a.digest === b.digest &&
    a.mediaType === b.mediaType &&
    names.length === Object.keys(right).length &&
    names.every((name) => left[name] === right[name])
  );
}

async function* once(content: Uint8Array): Bytes {
  yield content;
}
