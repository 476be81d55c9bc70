/**
 * Whether the name in a signature is one that was asked for. Names count in their full form: `busybox` is
 * `docker.io/library/busybox`, but a tag that is missing is missing.
 */
import type { Digest } from '../spec/digest.ts';
import { parseReference, type QualifiedReference, qualify, repositoryName } from '../spec/reference.ts';
import type { SignedIdentity } from './policy.ts';

interface Name {
  /** `registry/repository` */
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
}

/**
 * Whether a signature that calls an image `signed` is good for an image that was asked for as `intended`.
 * @param intended undefined for places whose images have no such name: then only the exact forms can match
 */
export function identityMatches(
  identity: SignedIdentity,
  intended: QualifiedReference | undefined,
  signed: string,
): boolean {
  const name = parseName(signed);
  if (name === undefined) return false;
  switch (identity.type) {
    case 'exactReference':
      return isSameName(parseName(identity.reference), name);
    case 'exactRepository':
      return parseName(identity.repository)?.repository === name.repository;
    case 'matchExact':
      return isSameName(nameOf(intended), name);
    case 'matchRepository':
      return nameOf(intended)?.repository === name.repository;
    case 'matchRepoDigestOrExact':
      return matchesRepoDigestOrExact(nameOf(intended), name);
    case 'remapIdentity':
      return matchesRepoDigestOrExact(remapped(nameOf(intended), identity), name);
  }
}

/** The name in its full form; undefined for what is no name. */
export function parseName(text: string): Name | undefined {
  try {
    const at = text.indexOf('@');
    // A reference with a digest has no tag of its own; here both are part of what was signed.
    const named = qualify(parseReference(at === -1 ? text : text.slice(0, at)), 'docker.io');
    const digest = at === -1 ? undefined : parseReference(text).digest;
    return { repository: repositoryName(named), tag: named.tag, digest };
  } catch {
    return undefined;
  }
}

function nameOf(reference: QualifiedReference | undefined): Name | undefined {
  if (reference === undefined) return undefined;
  return { repository: repositoryName(reference), tag: reference.tag, digest: reference.digest };
}

/** Names of whole repositories are equal to nothing: neither side may mean "any image of it". */
function isSameName(a: Name | undefined, b: Name): boolean {
  if (a === undefined || (a.tag === undefined && a.digest === undefined)) return false;
  return a.repository === b.repository && a.tag === b.tag && a.digest === b.digest;
}

/** An image asked for by digest needs no more than its repository: the digest is compared with the content anyway. */
function matchesRepoDigestOrExact(intended: Name | undefined, signed: Name): boolean {
  if (signed.tag === undefined && signed.digest === undefined) return false;
  if (intended === undefined || intended.tag !== undefined) return isSameName(intended, signed);
  return intended.digest !== undefined && intended.repository === signed.repository;
}

function remapped(
  intended: Name | undefined,
  { prefix, signedPrefix }: { readonly prefix: string; readonly signedPrefix: string },
): Name | undefined {
  if (intended === undefined) return undefined;
  const { repository } = intended;
  if (repository !== prefix && !repository.startsWith(`${prefix}/`)) return intended;
  const renamed = `${signedPrefix}${repository.slice(prefix.length)}`;
  // A prefix that is no full name would mean something else than it says.
  return parseName(renamed)?.repository === renamed ? { ...intended, repository: renamed } : undefined;
}
