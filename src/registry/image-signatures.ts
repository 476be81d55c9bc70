/** All signatures of an image of a registry, wherever registries.d says that they are kept. */
import type { Digest } from '../spec/digest.ts';
import type { ImageSignature } from '../spec/image-signature.ts';
import type { QualifiedReference } from '../spec/reference.ts';
import { type LookasideOptions, lookasideBase, readLookaside } from './lookaside.ts';
import { loadSignatureStores, usesAttachments } from './registries-d.ts';
import type { Repository } from './repository.ts';
import { readAttachments } from './sigstore-attachments.ts';

/**
 * @param place where the image was found, which is a mirror's name if it came from one
 * @param digest of its manifest
 * @throws `trust.invalid`, `signature.invalid`, `registry.request-failed`
 */
export async function readImageSignatures(
  repository: Repository,
  place: QualifiedReference,
  digest: Digest,
  o: LookasideOptions,
): Promise<readonly ImageSignature[]> {
  const stores = await loadSignatureStores({ env: o.env });
  const beside = await readLookaside(lookasideBase(stores, place, 'read', o), digest, o);
  if (!usesAttachments(stores, place)) return beside;
  return [...beside, ...(await readAttachments(repository, digest, { signal: o.signal }))];
}
