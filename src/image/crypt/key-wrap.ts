/** Small secrets wrapped for the owners of keys: JSON Web Encryption, RFC 7516, as ocicrypt has it. */
import type { KeyObject } from 'node:crypto';
import type { FlattenedJWE, GeneralJWE } from 'jose';
import { BuilderError } from '../../report/builder-error.ts';

/** Of the wrapped text. */
const CONTENT_CIPHER = 'A256GCM';
const CONTENT_CIPHERS = ['A128GCM', 'A192GCM', 'A256GCM', 'A128CBC-HS256', 'A192CBC-HS384', 'A256CBC-HS512'];
/** What other writers use. RSA-OAEP is with SHA-1, which is sound there and what every reader knows. */
const KEY_CIPHERS = ['RSA-OAEP', 'RSA-OAEP-256', 'ECDH-ES+A128KW', 'ECDH-ES+A192KW', 'ECDH-ES+A256KW'];

/** Each costs an operation of a private key: whoever makes the image must not choose how many there are. */
export const MAX_RECIPIENTS = 256;

/**
 * The JWE in its JSON form, for one recipient flattened.
 * @param recipients RSA or EC public keys, at least one
 * @throws `key.invalid` for a key that cannot be used so
 */
export async function wrapSecret(secret: Uint8Array, recipients: readonly KeyObject[]): Promise<string> {
  const { FlattenedEncrypt, GeneralEncrypt } = await import('jose');
  try {
    if (recipients.length === 1) {
      const header = { alg: keyCipherFor(recipients[0]!), enc: CONTENT_CIPHER };
      return JSON.stringify(await new FlattenedEncrypt(secret).setProtectedHeader(header).encrypt(recipients[0]!));
    }
    const jwe = new GeneralEncrypt(secret).setProtectedHeader({ enc: CONTENT_CIPHER });
    for (const key of recipients) jwe.addRecipient(key).setUnprotectedHeader({ alg: keyCipherFor(key) });
    return JSON.stringify(await jwe.encrypt());
  } catch (cause) {
    throw new BuilderError('key.invalid', 'cannot encrypt for these keys', { cause });
  }
}

function keyCipherFor(key: KeyObject): string {
  return key.asymmetricKeyType === 'ec' ? 'ECDH-ES+A256KW' : 'RSA-OAEP';
}

/** What one of the private keys unwraps; undefined when none fits, or the text is no JWE. */
export async function unwrapSecret(text: string, keys: readonly KeyObject[]): Promise<Uint8Array | undefined> {
  const { flattenedDecrypt, generalDecrypt } = await import('jose');
  const options = { keyManagementAlgorithms: KEY_CIPHERS, contentEncryptionAlgorithms: CONTENT_CIPHERS };
  const jwe = jweIn(text);
  if (jwe === undefined) return undefined;
  for (const key of keys) {
    try {
      const opened =
        'recipients' in jwe ? await generalDecrypt(jwe, key, options) : await flattenedDecrypt(jwe, key, options);
      return opened.plaintext;
    } catch {
      // Made for another key, or damaged: the next one may fit. Which of the two it was is nobody's business.
    }
  }
  return undefined;
}

/** What the library itself checks is left to it. */
function jweIn(text: string): GeneralJWE | FlattenedJWE | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  if (!('recipients' in value)) return value as FlattenedJWE;
  const { recipients } = value;
  return Array.isArray(recipients) && recipients.length <= MAX_RECIPIENTS ? (value as GeneralJWE) : undefined;
}
