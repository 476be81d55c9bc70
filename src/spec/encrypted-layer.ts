/**
 * Encrypted layers as descriptors tell of them: a media type that ends in `+encrypted`, and annotations with the wrapped
 * keys and what everybody may know about the cipher.
 *
 * @see containers/ocicrypt, spec and README; the OCI proposal on encrypted layers
 */

const SUFFIX = '+encrypted';
const ANNOTATIONS = 'org.opencontainers.image.enc.';
const KEYS = `${ANNOTATIONS}keys.`;

/** Base64 of JWEs in their JSON form, with commas in between. */
export const JWE_ANNOTATION = `${KEYS}jwe`;
/** Base64 of the JSON of what is public: cipher and MAC. */
export const PUBLIC_OPTIONS_ANNOTATION = `${ANNOTATIONS}pubopts`;

export function isEncryptedLayer(mediaType: string): boolean {
  return mediaType.endsWith(SUFFIX);
}

export function encryptedLayerType(mediaType: string): string {
  return isEncryptedLayer(mediaType) ? mediaType : `${mediaType}${SUFFIX}`;
}

/** The media type of what is inside. */
export function decryptedLayerType(mediaType: string): string {
  return isEncryptedLayer(mediaType) ? mediaType.slice(0, -SUFFIX.length) : mediaType;
}

/** The annotations that are not about encryption; undefined when none is left. */
export function decryptedLayerAnnotations(
  annotations: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, string>> | undefined {
  const left = Object.entries(annotations ?? {}).filter(([name]) => !name.startsWith(ANNOTATIONS));
  return left.length === 0 ? undefined : Object.fromEntries(left);
}

/** The ways a layer's key is wrapped in: `jwe`, `pgp`, `pkcs7`, `pkcs11`, `provider.NAME`. */
export function keyWrappings(annotations: Readonly<Record<string, string>> | undefined): readonly string[] {
  const names = Object.keys(annotations ?? {}).filter((name) => name.startsWith(KEYS));
  return names.map((name) => name.slice(KEYS.length)).sort();
}
