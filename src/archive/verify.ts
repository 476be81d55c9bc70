/** Streams that are hashed while they pass: checked against a promise, or measured. */
import { createHash } from 'node:crypto';
import { BuilderError } from '../report/builder-error.ts';
import { type Digest, digestFromHex } from '../spec/digest.ts';
import type { Bytes } from '../spec/target.ts';

/**
 * Passes `bytes` through and throws at the end unless digest and size are the expected ones. A source that goes on
 * after the expected size is cut there: no byte beyond it is passed on.
 * @param what the content's name in messages, as `layer sha256:…`
 * @throws BuilderError `blob.digest-mismatch` naming both digests or both sizes
 */
export async function* verified(
  bytes: Bytes,
  expected: { readonly digest?: Digest; readonly size?: number },
  what: string,
): Bytes {
  const hash = expected.digest === undefined ? undefined : createHash('sha256');
  let size = 0;
  for await (const chunk of bytes) {
    size += chunk.length;
    if (expected.size !== undefined && size > expected.size) throw tooLong(what, expected.size);
    hash?.update(chunk);
    yield chunk;
  }
  if (expected.size !== undefined && size !== expected.size) {
    throw new BuilderError('blob.digest-mismatch', `${what} has ${size} bytes instead of ${expected.size}`, {
      facts: { expectedSize: expected.size, actualSize: size },
    });
  }
  if (hash === undefined || expected.digest === undefined) return;
  const actual = digestFromHex(hash.digest('hex'));
  if (actual === expected.digest) return;
  throw new BuilderError('blob.digest-mismatch', `${what} has the digest ${actual} instead of ${expected.digest}`, {
    facts: { expectedDigest: expected.digest, actualDigest: actual },
  });
}

function tooLong(what: string, size: number): BuilderError {
  return new BuilderError('blob.digest-mismatch', `${what} goes on after its ${size} bytes`, {
    facts: { expectedSize: size },
  });
}

/** Passes `bytes` through; once they have ended, and before the consumer learns of it, tells what they were. */
export async function* hashing(
  bytes: Bytes,
  onDone: (result: { readonly digest: Digest; readonly size: number }) => void,
): Bytes {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of bytes) {
    hash.update(chunk);
    size += chunk.length;
    yield chunk;
  }
  onDone({ digest: digestFromHex(hash.digest('hex')), size });
}
