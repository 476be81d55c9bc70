/** Whether a policy accepts an image. */
import { readFileSync } from 'node:fs';
import { BuilderError } from '../report/builder-error.ts';
import { positionOf } from '../report/source-file.ts';
import type { Digest } from '../spec/digest.ts';
import { type ImageSignature, SIGSTORE_PAYLOAD } from '../spec/image-signature.ts';
import { placeInJson } from '../spec/json-place.ts';
import { readOpenPgpKeys } from './openpgp-signature.ts';
import type { KeySource, Policy, Requirement, SignedBy, SigstoreSigned } from './policy.ts';
import { policyError } from './policy-object.ts';
import { type ImageIdentity, requirementsFor } from './policy-scope.ts';
import { parsePayload, type SignaturePayload } from './signature-payload.ts';
import { identityMatches } from './signed-identity.ts';
import { readSigstoreKey, sigstoreFault } from './sigstore-signature.ts';

/** An image whose manifest has arrived; nothing in it has been looked at. */
export interface JudgedImage {
  readonly identity: ImageIdentity;
  /** Of the manifest, computed here. */
  readonly digest: Digest;
  /** Asked for only where a requirement is about signatures. */
  signatures(): Promise<readonly ImageSignature[]>;
  /** When keys have to be good; default now. */
  readonly now?: Date;
}

/** Whether the policy says yes to whatever the image is. */
export function acceptsAnything(policy: Policy, identity: ImageIdentity): boolean {
  return requirementsFor(policy, identity).every(({ type }) => type === 'insecureAcceptAnything');
}

/**
 * Refuses what no signature can save, before anything is fetched.
 * @throws `image.untrusted`
 */
export function refuseRejected(policy: Policy, identity: ImageIdentity): void {
  for (const requirement of requirementsFor(policy, identity)) {
    if (requirement.type === 'reject') throw untrusted(policy, requirement, identity, 'it rejects this image');
    if (requirement.type !== 'unsupported') continue;
    const { what, why } = requirement;
    throw untrusted(policy, requirement, identity, `it demands ${what}, which cannot be checked here: ${why}`);
  }
}

/**
 * Returns when all requirements are met.
 * @throws `image.untrusted` with the first requirement that is not and why, pointing into the policy; `trust.invalid`
 *   when a key cannot be read; what `signatures` throws
 */
export async function requireTrusted(policy: Policy, image: JudgedImage): Promise<void> {
  refuseRejected(policy, image.identity);
  let signatures: readonly ImageSignature[] | undefined;
  for (const requirement of requirementsFor(policy, image.identity)) {
    if (requirement.type !== 'signedBy' && requirement.type !== 'sigstoreSigned') continue;
    signatures ??= await image.signatures();
    const fault = await signedFault(policy, requirement, image, signatures);
    if (fault !== undefined) throw untrusted(policy, requirement, image.identity, fault);
  }
}

function untrusted(policy: Policy, { path }: Requirement, { name }: ImageIdentity, why: string): BuilderError {
  const { file } = policy;
  const place = placeInJson(file.text, path);
  const { line } = positionOf(file, place.start);
  return new BuilderError('image.untrusted', `source image rejected: ${name}: policy ${file.name}:${line}: ${why}`, {
    span: { file, ...place },
    // The message names the side itself.
    facts: { side: 'source', image: name, policy: file.name, line },
  });
}

type Signed = (SignedBy | SigstoreSigned) & Requirement;

/** Undefined when one signature is good. */
async function signedFault(
  policy: Policy,
  requirement: Signed,
  image: JudgedImage,
  all: readonly ImageSignature[],
): Promise<string | undefined> {
  const relevant = all.filter((signature) => isRelevant(signature, requirement));
  if (relevant.length === 0) return missingSignature(requirement, all);
  const faults: string[] = [];
  const check = await checkerOf(policy, requirement, image.now ?? new Date());
  for (const signature of relevant) {
    const payload = await check(signature);
    const fault = typeof payload === 'string' ? payload : payloadFault(payload, requirement, image);
    if (fault === undefined) return undefined;
    faults.push(fault);
  }
  if (faults.length === 1) return `its only signature is not accepted: ${faults[0]}`;
  return `none of its ${faults.length} signatures is accepted: ${faults.map((fault, i) => `(${i + 1}) ${fault}`).join('; ')}`;
}

function isRelevant(signature: ImageSignature, { type }: Signed): boolean {
  if (type === 'signedBy') return signature.format === 'simple';
  return signature.format === 'sigstore' && signature.mediaType === SIGSTORE_PAYLOAD;
}

function missingSignature({ type }: Signed, all: readonly ImageSignature[]): string {
  const wanted = type === 'signedBy' ? 'an OpenPGP signature' : 'a sigstore signature';
  if (all.length > 0) return `${wanted} is required, and all there are of another kind`;
  return 'a signature is required, but no signature exists';
}

function payloadFault(
  { digest, reference }: SignaturePayload,
  { identity }: Signed,
  image: JudgedImage,
): string | undefined {
  if (digest !== image.digest) return `it is of ${digest}, not of ${image.digest}`;
  if (identityMatches(identity, image.identity.reference, reference)) return undefined;
  return `it names ${JSON.stringify(reference)}, which ${identity.type} does not accept`;
}

type Check = (signature: ImageSignature) => Promise<SignaturePayload | string>;

/** Reads the keys and gives what verifies a signature with them and reads what it says. */
async function checkerOf(policy: Policy, requirement: Signed, now: Date): Promise<Check> {
  const { keys, type } = requirement;
  const contents = readKeys(policy, requirement, keys);
  if (type === 'signedBy') {
    const trusted = await keysOrError(policy, requirement, () => readOpenPgpKeys(contents));
    if (trusted.fingerprints.length === 0) throw policyError(policy.file, requirement.path, 'its keyring is empty');
    return async (signature) => {
      if (signature.format !== 'simple') return 'it is no OpenPGP message';
      const verified = await trusted.verify(signature.message, now);
      return 'reason' in verified ? verified.reason : parsePayload(verified.content, 'atomic container signature');
    };
  }
  const trusted = await keysOrError(policy, requirement, () => contents.map(readSigstoreKey));
  return async (signature) => {
    if (signature.format !== 'sigstore') return 'it is no sigstore signature';
    return sigstoreFault(signature, trusted) ?? parsePayload(signature.payload, 'cosign container image signature');
  };
}

function readKeys(policy: Policy, { path }: Requirement, keys: KeySource): readonly Uint8Array[] {
  if ('data' in keys) return keys.data;
  return keys.paths.map((file) => {
    try {
      return readFileSync(file);
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      throw policyError(policy.file, path, `its key ${file} cannot be read (${code})`);
    }
  });
}

async function keysOrError<T>(policy: Policy, { path }: Requirement, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw policyError(policy.file, path, `a key of it cannot be used: ${(error as Error).message}`);
  }
}
