/**
 * The gate between a place and whoever uses its images: every manifest passes it before anything else of the image is
 * read or believed.
 */
import type { Descriptor } from '../spec/descriptor.ts';
import type { Digest } from '../spec/digest.ts';
import type { TransportName } from '../spec/image-name.ts';
import type { ImageSignature } from '../spec/image-signature.ts';
import { acceptsAnything, refuseRejected, requireTrusted } from '../trust/judge-image.ts';
import type { Policy } from '../trust/policy.ts';
import { type ImageIdentity, locationIdentity } from '../trust/policy-scope.ts';

/** Lets a manifest pass whose bytes have the digest of the descriptor. @throws `image.untrusted` */
export type Admit = (manifest: Descriptor) => Promise<void>;

/** Optional power of a place: it keeps signatures of its images. */
export interface HoldsSignatures {
  signaturesOf(manifest: Digest): Promise<readonly ImageSignature[]>;
}

/**
 * The gate for one image, closed at once where the policy rejects it whatever it is.
 * @param signatures undefined for places that keep none
 * @throws `image.untrusted`, `trust.invalid`
 */
export function admission(
  policy: Policy,
  identity: ImageIdentity,
  signatures: HoldsSignatures['signaturesOf'] | undefined,
): Admit {
  refuseRejected(policy, identity);
  if (acceptsAnything(policy, identity)) return () => Promise.resolve();
  return async ({ digest }) =>
    requireTrusted(policy, { identity, digest, signatures: async () => (await signatures?.(digest)) ?? [] });
}

/** The gate for an image at a location of a transport. */
export function placeAdmission(policy: Policy, transport: TransportName, location: string, place: object): Admit {
  const identity = locationIdentity(transport, location);
  return admission(policy, identity, holdsSignatures(place) ? (digest) => place.signaturesOf(digest) : undefined);
}

export function holdsSignatures(place: object): place is HoldsSignatures {
  return 'signaturesOf' in place && typeof place.signaturesOf === 'function';
}
