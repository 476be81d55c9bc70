/**
 * Content digests and the names derived from them. The only way to make one is a parse or a hash function, so a value
 * of type `Digest` is always well-formed and may be used as a path component.
 */
import { createHash } from 'node:crypto';

declare const brand: unique symbol;
export type Branded<T, N extends string> = T & { readonly [brand]: { readonly [K in N]: true } };

/** `sha256:` + 64 lowercase hex digits. */
export type Digest = Branded<string, 'Digest'>;
/** Digest of a layer's uncompressed tar. */
export type DiffId = Digest & Branded<string, 'DiffId'>;
/** Digest naming a stack of layers. @see OCI image-spec, config.md, "Layer ChainID" */
export type ChainId = Digest & Branded<string, 'ChainId'>;

const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** The digest if `text` is one, else undefined. */
export function parseDigest(text: unknown): Digest | undefined {
  return typeof text === 'string' && DIGEST.test(text) ? (text as Digest) : undefined;
}

export function isDigest(text: unknown): text is Digest {
  return parseDigest(text) !== undefined;
}

/** Makes a digest from the hex a hash function gave; throws `RangeError` on anything that is not 64 hex digits. */
export function digestFromHex(hex: string): Digest {
  const digest = parseDigest(`sha256:${hex}`);
  if (digest === undefined) throw new RangeError(`not a sha256 hex value: ${JSON.stringify(hex)}`);
  return digest;
}

/**
 * The 64 hex digits without the algorithm. They become names of files, so what a cast made of something else is refused
 * with a `RangeError` rather than followed.
 */
export function hexOf(digest: Digest): string {
  if (!DIGEST.test(digest)) throw new RangeError(`not a sha256 digest: ${JSON.stringify(digest)}`);
  return digest.slice('sha256:'.length);
}

/** SHA-256 of the given bytes (a string counts as UTF-8). */
export function digestOf(content: Uint8Array | string): Digest {
  return `sha256:${createHash('sha256').update(content).digest('hex')}` as Digest;
}

/** ChainID of `child` on top of `parent`; the first layer's ChainID is its DiffID. */
export function chainIdOf(parent: ChainId | undefined, child: DiffId): ChainId {
  if (parent === undefined) return child as Digest as ChainId;
  return digestOf(`${parent} ${child}`) as ChainId;
}

/** ChainID of a whole stack, bottom first; undefined for no layers. */
export function chainIdOfAll(diffIds: readonly DiffId[]): ChainId | undefined {
  let chain: ChainId | undefined;
  for (const diffId of diffIds) chain = chainIdOf(chain, diffId);
  return chain;
}
