/**
 * The one cipher of encrypted layers: AES-256 in counter mode over the bytes, HMAC-SHA256 with the same key over the
 * encrypted bytes.
 *
 * @see containers/ocicrypt, blockcipher/blockcipher_aes_ctr.go
 */
import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { BuilderError } from '../../report/builder-error.ts';
import { type Digest, digestFromHex } from '../../spec/digest.ts';
import type { Bytes } from '../../spec/target.ts';

/** Its name in public options. */
export const LAYER_CIPHER = 'AES_256_CTR_HMAC_SHA256';
export const KEY_BYTES = 32;
export const NONCE_BYTES = 16;
export const MAC_BYTES = 32;
const AES = 'aes-256-ctr';

/** What opens one layer. */
export interface LayerSecret {
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
}

export interface Encryption {
  readonly content: Bytes;
  readonly secret: LayerSecret;
  /** Of what was read. @throws RangeError before the content has been read to its end */
  end(): { readonly mac: Uint8Array; readonly plainDigest: Digest };
}

/** Encrypts with a new key. */
export function encryptContent(plain: Bytes): Encryption {
  const secret = { key: randomBytes(KEY_BYTES), nonce: randomBytes(NONCE_BYTES) };
  let ended: ReturnType<Encryption['end']> | undefined;
  async function* encrypted(): Bytes {
    const cipher = createCipheriv(AES, secret.key, secret.nonce);
    const hmac = createHmac('sha256', secret.key);
    const hash = createHash('sha256');
    for await (const chunk of plain) {
      hash.update(chunk);
      const bytes = cipher.update(chunk);
      hmac.update(bytes);
      yield bytes;
    }
    // Counter mode has no last block: final() gives nothing.
    ended = { mac: hmac.digest(), plainDigest: digestFromHex(hash.digest('hex')) };
  }
  return {
    content: encrypted(),
    secret,
    end: () => {
      if (ended === undefined) throw new RangeError('the content has not been read to its end');
      return ended;
    },
  };
}

/**
 * Decrypts. The end of the content is held back until the MAC has been checked: nobody gets the whole of what is not
 * what was encrypted. What came before must count for nothing until the content has ended.
 * @param what for messages
 * @throws `layer.invalid` when the MAC is another
 */
export async function* decryptContent(encrypted: Bytes, secret: LayerSecret, mac: Uint8Array, what: string): Bytes {
  const cipher = createDecipheriv(AES, secret.key, secret.nonce);
  const hmac = createHmac('sha256', secret.key);
  let held: Buffer | undefined;
  for await (const chunk of encrypted) {
    if (held !== undefined) yield held;
    hmac.update(chunk);
    held = cipher.update(chunk);
  }
  if (!timingSafeEqual(hmac.digest(), mac)) {
    throw new BuilderError('layer.invalid', `cannot decrypt ${what}: its bytes are not those that were encrypted`);
  }
  if (held !== undefined) yield held;
}
