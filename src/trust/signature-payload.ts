/**
 * The statement inside an image's signature: which manifest, under which name. Read strictly, for what a reader skips
 * is what a signer may have meant.
 * @see containers-signature(5), "JSON data format"
 */
import { type Digest, isDigest } from '../spec/digest.ts';
import { isJsonObject, type JsonObject, type JsonValue, parseStrictJson } from '../spec/strict-json.ts';

export interface SignaturePayload {
  /** Of the manifest. */
  readonly digest: Digest;
  /** The image's name, as it was written. */
  readonly reference: string;
}

export type PayloadType = 'atomic container signature' | 'cosign container image signature';

const LIMITS = { maxBytes: 1024 * 1024, maxDepth: 16 };

/**
 * Reads the statement of a signature that has been verified; gives a string with the reason where it says anything else
 * than what image it is about.
 */
export function parsePayload(content: Uint8Array, type: PayloadType): SignaturePayload | string {
  let value: JsonValue;
  try {
    value = parseStrictJson(content, 'its statement', LIMITS);
  } catch (error) {
    return (error as Error).message;
  }
  const top = exactly(value, ['critical', 'optional']);
  if (top === undefined) return 'its statement does not have the two parts of an image signature';
  const optional = optionalFault(top['optional'], type);
  if (optional !== undefined) return optional;
  const critical = exactly(top['critical'], ['type', 'image', 'identity']);
  const image = exactly(critical?.['image'], ['docker-manifest-digest']);
  const identity = exactly(critical?.['identity'], ['docker-reference']);
  if (critical === undefined || image === undefined || identity === undefined) {
    return 'the critical part of its statement is not that of an image signature';
  }
  if (critical['type'] !== type) return `it is of the type ${JSON.stringify(critical['type'])}`;
  const { 'docker-manifest-digest': digest } = image;
  const { 'docker-reference': reference } = identity;
  if (typeof digest !== 'string' || !isDigest(digest)) return 'the digest in its statement is malformed';
  if (typeof reference !== 'string') return 'the name in its statement is not a string';
  return { digest, reference };
}

function exactly(value: JsonValue | undefined, keys: readonly string[]): JsonObject | undefined {
  if (!isJsonObject(value)) return undefined;
  const found = Object.keys(value);
  return found.length === keys.length && keys.every((key) => Object.hasOwn(value, key)) ? value : undefined;
}

/** Members of other names are for other readers. */
function optionalFault(value: JsonValue | undefined, type: PayloadType): string | undefined {
  // cosign writes null where nobody added an annotation.
  if (value === null && type === 'cosign container image signature') return undefined;
  if (!isJsonObject(value)) return 'the optional part of its statement is not an object';
  const { creator, timestamp } = value;
  if (creator !== undefined && typeof creator !== 'string') return 'the creator in its statement is not a string';
  return timestamp === undefined || Number.isInteger(timestamp) ? undefined : 'its timestamp is not an integer';
}

/** The bytes to sign. @param creator program and version @param seconds since the epoch */
export function formatPayload(
  { digest, reference }: SignaturePayload,
  type: PayloadType,
  creator: string,
  seconds: number,
): Buffer {
  return Buffer.from(
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': reference },
        image: { 'docker-manifest-digest': digest },
        type,
      },
      optional: { creator, timestamp: seconds },
    }),
  );
}
