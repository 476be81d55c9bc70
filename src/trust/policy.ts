/**
 * What a policy.json demands of images before they are used.
 * @see containers-policy.json(5)
 */
import type { SourceFile } from '../report/source-file.ts';
import type { JsonPath } from '../spec/json-place.ts';

export interface Policy {
  /** Path and text; errors point into it. */
  readonly file: SourceFile;
  readonly default: readonly Requirement[];
  /** By transport, then by scope; scope `''` is the default of the transport. */
  readonly transports: ReadonlyMap<string, ReadonlyMap<string, readonly Requirement[]>>;
}

interface Placed {
  /** Where in the file the requirement stands. */
  readonly path: JsonPath;
}

export type Requirement = (
  | { readonly type: 'insecureAcceptAnything' }
  | { readonly type: 'reject' }
  | SignedBy
  | SigstoreSigned
  | UnsupportedRequirement
) &
  Placed;

/** At least one signature by one of these OpenPGP keys that names the image. */
export interface SignedBy {
  readonly type: 'signedBy';
  readonly keys: KeySource;
  readonly identity: SignedIdentity;
}

/** At least one sigstore signature by one of these public keys that names the image. */
export interface SigstoreSigned {
  readonly type: 'sigstoreSigned';
  readonly keys: KeySource;
  readonly identity: SignedIdentity;
}

/** Well-formed, but nothing here can check it: an image under it is refused. */
export interface UnsupportedRequirement {
  readonly type: 'unsupported';
  /** What it demands, as the file calls it. */
  readonly what: string;
  readonly why: string;
}

/** Files that are read when a signature is to be checked, or their content. */
export type KeySource = { readonly paths: readonly string[] } | { readonly data: readonly Uint8Array[] };

/** Which name a signature must give the image. */
export type SignedIdentity =
  | { readonly type: 'matchExact' | 'matchRepoDigestOrExact' | 'matchRepository' }
  | { readonly type: 'exactReference'; readonly reference: string }
  | { readonly type: 'exactRepository'; readonly repository: string }
  | { readonly type: 'remapIdentity'; readonly prefix: string; readonly signedPrefix: string };
