/** Signatures of an image of a registry, put where registries.d says that they are kept. */
import { randomBytes } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import type { Digest } from '../spec/digest.ts';
import { formatSignatureFile, type ImageSignature, type SigstoreSignature } from '../spec/image-signature.ts';
import { formatReference, type QualifiedReference } from '../spec/reference.ts';
import { makeDirectories } from '../sys/make-directories.ts';
import { type LookasideOptions, lookasideBase, pathOfUrl, signatureUrl } from './lookaside.ts';
import { loadSignatureStores, usesAttachments } from './registries-d.ts';
import { redactUrl } from './registry-error.ts';
import type { Repository } from './repository.ts';
import { addAttachments } from './sigstore-attachments.ts';

type Environment = LookasideOptions['env'];

/**
 * Whether signatures of these kinds can be kept for a repository.
 * @throws `signature.failed` saying what registries.d lacks
 */
export async function requireSignatureStore(
  place: QualifiedReference,
  formats: readonly ImageSignature['format'][],
  env: Environment,
): Promise<void> {
  const stores = await loadSignatureStores({ env });
  const name = formatReference(place);
  if (formats.includes('sigstore') && !usesAttachments(stores, place)) {
    throw new BuilderError(
      'signature.failed',
      `cannot sign ${name}: registries.d does not allow sigstore signatures, which are attachments, for it`,
      { hint: `say "use-sigstore-attachments: true" for ${place.registry} in registries.d` },
    );
  }
  if (!formats.includes('simple')) return;
  const base = lookasideBase(stores, place, 'write', { env });
  if (base.protocol === 'file:') return;
  throw new BuilderError(
    'signature.failed',
    `cannot sign ${name}: nothing can be written to the signature store ${redactUrl(base)}`,
    { hint: `name a directory for ${place.registry} in registries.d: lookaside-staging: file:///…` },
  );
}

/**
 * Keeps the signatures of a manifest: simple ones take the place of those in the lookaside store, sigstore ones are added
 * to the attachments.
 * @throws `signature.failed`, the registry's errors
 */
export async function writeImageSignatures(
  repository: Repository,
  place: QualifiedReference,
  digest: Digest,
  signatures: readonly ImageSignature[],
  { env, signal }: Pick<LookasideOptions, 'env' | 'signal'>,
): Promise<void> {
  const attached = signatures.filter((signature): signature is SigstoreSignature => signature.format === 'sigstore');
  const simple = signatures.filter(({ format }) => format === 'simple');
  if (attached.length > 0) await addAttachments(repository, digest, attached, { signal });
  if (simple.length === 0) return;
  const base = lookasideBase(await loadSignatureStores({ env }), place, 'write', { env });
  await writeNumbered(simple, (number) => pathOfUrl(signatureUrl(base, digest, number)));
}

/** Writes signatures as files 1, 2, … and removes those with higher numbers. @throws `signature.failed` */
export async function writeNumbered(
  signatures: readonly ImageSignature[],
  pathOf: (number: number) => string,
): Promise<void> {
  for (const [i, signature] of signatures.entries()) await writeSignature(signature, pathOf(i + 1));
  for (let number = signatures.length + 1; ; number++) {
    try {
      await rm(pathOf(number));
    } catch {
      return;
    }
  }
}

async function writeSignature(signature: ImageSignature, path: string): Promise<void> {
  const beside = join(dirname(path), `.new-${randomBytes(8).toString('hex')}`);
  try {
    makeDirectories(dirname(path));
    await writeFile(beside, formatSignatureFile(signature), { flag: 'wx', mode: 0o644 });
    await rename(beside, path);
  } catch (cause) {
    await rm(beside, { force: true });
    const { code } = cause as NodeJS.ErrnoException;
    throw new BuilderError('signature.failed', `cannot write the signature ${path}: ${code}`, { cause });
  }
}
