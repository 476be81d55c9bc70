/**
 * Checks sigstore signatures against public keys: the signature in the annotation is one of the payload's bytes.
 * @see sigstore/cosign SIGNATURE_SPEC.md
 */
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { SIGSTORE_SIGNATURE, type SigstoreSignature } from '../spec/image-signature.ts';

const PEM = /-----BEGIN PUBLIC KEY-----[\s\S]*?-----END PUBLIC KEY-----/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Reads a public key in PEM form. @throws an error in words */
export function readSigstoreKey(text: Uint8Array): KeyObject {
  const pem = PEM.exec(Buffer.from(text).toString('latin1'))?.[0];
  if (pem === undefined) throw new Error('it holds no PEM public key');
  const key = createPublicKey(pem);
  const type = key.asymmetricKeyType;
  if (type === 'ec' || type === 'rsa' || type === 'ed25519') return key;
  throw new Error(`keys of the type ${type} do not sign images`);
}

/** Undefined when one of the keys made the signature, else in words why not. */
export function sigstoreFault(signature: SigstoreSignature, keys: readonly KeyObject[]): string | undefined {
  const text = signature.annotations[SIGSTORE_SIGNATURE];
  if (text === undefined) return `it lacks the annotation ${SIGSTORE_SIGNATURE}`;
  if (!BASE64.test(text)) return `its annotation ${SIGSTORE_SIGNATURE} is not base64`;
  const bytes = Buffer.from(text, 'base64');
  return keys.some((key) => isSignedBy(signature.payload, bytes, key)) ? undefined : 'it is not by a trusted key';
}

function isSignedBy(payload: Uint8Array, signature: Uint8Array, key: KeyObject): boolean {
  try {
    // Ed25519 hashes on its own; everything else is used with SHA-256, RSA with PKCS #1 v1.5.
    return verify(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', payload, key, signature);
  } catch {
    return false;
  }
}
