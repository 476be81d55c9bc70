/** An image held to its digest: the one in the store where it is that one, else pulled by the digest. */
import type { Engine } from '../container/engine.ts';
import type { PullOptions } from '../container/verb-options.ts';
import { BuilderError, isBuilderError } from '../report/builder-error.ts';
import { parseDigest } from '../spec/digest.ts';
import { parseImageName } from '../spec/image-name.ts';
import { formatReference, isQualified, parseReference } from '../spec/reference.ts';
import type { FindImage } from './find-image.ts';
import type { LockedImage } from './lock-file.ts';

type Found = Awaited<ReturnType<FindImage>>;

/**
 * @param path of the lock file, for messages
 * @throws `lock.mismatch` where the digest can be had nowhere else; the errors of pulling
 */
export async function findLockedImage(
  engine: Engine,
  locked: LockedImage,
  find: FindImage,
  o: PullOptions,
  path: string,
): Promise<Found> {
  const there = await foundWithoutPull(engine, locked.reference, find, o);
  if (there?.image.record.manifest.digest === locked.digest) return { ...there, name: locked.name };
  const pinned = pinnedName(locked);
  if (pinned === undefined || o.policy === 'never') {
    throw mismatch(locked, there?.image.record.manifest.digest ?? 'not here', path);
  }
  // Names end up in annotations and history, which a lock must not change.
  return { ...(await findPinned(engine, locked, pinned, find, o, path)), name: locked.name };
}

/** The digest decides; asking again what the name stands for could only differ from it. */
async function findPinned(
  engine: Engine,
  locked: LockedImage,
  pinned: string,
  find: FindImage,
  o: PullOptions,
  path: string,
): Promise<Found> {
  try {
    return await find(engine, pinned, { ...o, policy: 'missing' });
  } catch (error) {
    if (o.decryptionKeys === undefined || !isBuilderError(error)) throw error;
    engine.signal?.throwIfAborted();
  }
  // The manifest of an image that was decrypted is one that no registry has: its name leads to the encrypted one.
  const found = await find(engine, locked.reference, { ...o, policy: 'always' });
  const { digest } = found.image.record.manifest;
  if (digest === locked.digest) return found;
  throw mismatch(locked, digest, path);
}

function mismatch({ reference, digest }: LockedImage, found: string, path: string): BuilderError {
  return new BuilderError(
    'lock.mismatch',
    `cannot use the image ${reference}: it is locked to ${digest}, but is ${found}`,
    {
      hint: 'if this is wanted, update the lock file: build with --lock FILE and without --locked',
      facts: { lock: path, locked: digest, found },
    },
  );
}

async function foundWithoutPull(
  engine: Engine,
  reference: string,
  find: FindImage,
  o: PullOptions,
): Promise<Found | undefined> {
  try {
    return await find(engine, reference, { ...o, policy: 'never' });
  } catch (error) {
    if (isBuilderError(error, 'image.not-known')) return undefined;
    throw error;
  }
}

/** undefined for what no registry has: images of archives and layouts, those made here, those without a name. */
function pinnedName({ reference, name, digest }: LockedImage): string | undefined {
  const { transport } = parseImageName(reference);
  if (name === '' || (transport !== undefined && transport !== 'docker')) return undefined;
  const { registry, repository } = parseReference(name);
  const pinned = { registry, repository, digest: parseDigest(digest)! };
  return isQualified(pinned) && registry !== 'localhost' ? formatReference(pinned) : undefined;
}
