/** What the policy of this user and machine says about images that come into the store. */
import { type Admit, admission, placeAdmission } from '../image/admission.ts';
import { readImageSignatures } from '../registry/image-signatures.ts';
import type { Repository } from '../registry/repository.ts';
import { BuilderError } from '../report/builder-error.ts';
import type { TransportName } from '../spec/image-name.ts';
import type { QualifiedReference } from '../spec/reference.ts';
import { loadPolicy } from '../trust/load-policy.ts';
import type { Policy } from '../trust/policy.ts';
import { registryIdentity } from '../trust/policy-scope.ts';
import type { SigningOptions } from '../trust/signer.ts';
import type { Engine } from './engine.ts';
import type { RegistryOptions } from './verb-options.ts';

/** @throws `trust.invalid`: a policy that cannot be read lets nothing pass, in neither direction */
export function signaturePolicy(engine: Engine): Policy {
  return loadPolicy({ path: engine.signaturePolicy, env: engine.env });
}

/**
 * The gate for an image of a registry.
 * @param name as it was asked for: what the policy is about and signatures have to say
 * @param place where it is read, which may be a mirror
 * @throws `trust.invalid`, `image.untrusted`
 */
export function admitFromRegistry(
  engine: Engine,
  name: QualifiedReference,
  place: QualifiedReference,
  repository: Repository,
  { retries, retryDelayMs }: RegistryOptions,
): Admit {
  const { env, signal } = engine;
  return admission(signaturePolicy(engine), registryIdentity(name), (digest) =>
    readImageSignatures(repository, place, digest, { env, signal, retries, retryDelayMs }),
  );
}

/** The gate for an image at a location of a transport. The storage of other tools has let its images in itself. */
export function admitFromPlace(
  engine: Engine,
  transport: TransportName,
  location: string,
  place: object,
): Admit | undefined {
  const policy = signaturePolicy(engine);
  return transport === 'containers-storage' ? undefined : placeAdmission(policy, transport, location, place);
}

/**
 * For images that stay in the store, which keeps no signatures.
 * @throws `usage.unsupported` when they are to be signed
 */
export function refuseSigning({ signBy, signBySigstorePrivateKey }: SigningOptions): void {
  if (signBy === undefined && signBySigstorePrivateKey === undefined) return;
  throw new BuilderError('usage.unsupported', 'cannot sign an image that stays in the store: it keeps no signatures', {
    hint: 'name a registry (docker://REGISTRY/NAME:TAG), or sign when you push',
  });
}
