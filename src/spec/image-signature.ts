/**
 * Signatures of images as they are stored: "simple" ones, OpenPGP messages around a statement, and those of sigstore,
 * a statement with its signature in an annotation.
 * @see containers-signature(5); sigstore/cosign SIGNATURE_SPEC.md
 */
import { BuilderError } from '../report/builder-error.ts';
import { isJsonObject, type JsonObject, parseStrictJson } from './strict-json.ts';

/** An OpenPGP message, binary. */
export interface SimpleSignature {
  readonly format: 'simple';
  readonly message: Uint8Array;
}

export interface SigstoreSignature {
  readonly format: 'sigstore';
  readonly mediaType: string;
  readonly payload: Uint8Array;
  readonly annotations: Readonly<Record<string, string>>;
}

export type ImageSignature = SimpleSignature | SigstoreSignature;

/** Of a sigstore signature; other attachments (attestations) have other types. */
export const SIGSTORE_PAYLOAD = 'application/vnd.dev.cosign.simplesigning.v1+json';
/** Annotation with the signature of the payload, base64. */
export const SIGSTORE_SIGNATURE = 'dev.cosignproject.cosign/signature';
/** No real signature is a tenth of this. */
export const MAX_SIGNATURE_BYTES = 4 * 1024 * 1024;

const NEWLINE = 0x0a;
/** Tags of OpenPGP packets that begin a signed message: signature, one-pass signature, compressed data. */
const MESSAGE_TAGS: readonly number[] = [2, 4, 8];

/**
 * A signature from a file: an OpenPGP message, or a zero byte, the name of a format, a line feed and the content.
 * @param what the file in messages
 * @throws `signature.invalid`
 */
export function parseSignatureFile(bytes: Uint8Array, what: string): ImageSignature {
  const first = bytes[0];
  if (first === undefined) throw invalid(what, 'it is empty');
  if (first !== 0) {
    // RFC 9580, 4.2: the upper two bits tell old headers, with four bits for the tag, from new ones with six.
    const tag = (first & 0xc0) === 0xc0 ? first & 0x3f : (first & 0xc0) === 0x80 ? (first & 0x3c) >> 2 : undefined;
    if (tag !== undefined && MESSAGE_TAGS.includes(tag)) return { format: 'simple', message: bytes };
    throw invalid(what, 'it is neither an OpenPGP message nor of a format that names itself');
  }
  const end = bytes.indexOf(NEWLINE);
  if (end === -1) throw invalid(what, 'the name of its format does not end');
  const format = Buffer.from(bytes.subarray(1, end)).toString('latin1');
  const content = bytes.subarray(end + 1);
  if (format === 'simple-signing') return { format: 'simple', message: content };
  if (format === 'sigstore-json') return parseSigstoreFile(content, what);
  throw invalid(what, `its format ${JSON.stringify(format.slice(0, 40))} is not known`);
}

/** The bytes of a file that holds the signature; `parseSignatureFile` gives an equal value back. */
export function formatSignatureFile(signature: ImageSignature): Uint8Array {
  if (signature.format === 'simple') return signature.message;
  const { mediaType, payload, annotations } = signature;
  const content = { mimeType: mediaType, payload: Buffer.from(payload).toString('base64'), annotations };
  return Buffer.from(`\0sigstore-json\n${JSON.stringify(content)}`);
}

function parseSigstoreFile(content: Uint8Array, what: string): SigstoreSignature {
  let value: unknown;
  try {
    value = parseStrictJson(content, what, { maxBytes: MAX_SIGNATURE_BYTES, maxDepth: 8 });
  } catch (cause) {
    throw invalid(what, 'it is not JSON', cause);
  }
  const { mimeType, payload, annotations } = isJsonObject(value as JsonObject) ? (value as JsonObject) : {};
  if (typeof mimeType !== 'string' || typeof payload !== 'string') {
    throw invalid(what, 'it has no mimeType or no payload');
  }
  const pairs = Object.entries(isJsonObject(annotations) ? annotations : {});
  if (!pairs.every(([, text]) => typeof text === 'string')) throw invalid(what, 'an annotation is not a string');
  return {
    format: 'sigstore',
    mediaType: mimeType,
    payload: Buffer.from(payload, 'base64'),
    annotations: Object.fromEntries(pairs) as Record<string, string>,
  };
}

function invalid(what: string, why: string, cause?: unknown): BuilderError {
  return new BuilderError('signature.invalid', `cannot read the signature ${what}: ${why}`, { cause });
}
