/**
 * Signatures inside a registry: an image tagged `sha256-HEX.sig` in the repository of the image that is signed, with a
 * layer for every signature.
 * @see sigstore/cosign SIGNATURE_SPEC.md, "Storage"
 */
import { verified } from '../archive/verify.ts';
import { BuilderError, isBuilderError } from '../report/builder-error.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { type Digest, hexOf } from '../spec/digest.ts';
import { MAX_SIGNATURE_BYTES, type SigstoreSignature } from '../spec/image-signature.ts';
import type { Manifest } from '../spec/manifest.ts';
import { MAX_DOCUMENT_BYTES, parseManifest } from '../spec/schema.ts';
import type { Cancellable } from '../spec/target.ts';
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
