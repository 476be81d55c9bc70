/** Key pairs of sigstore, locked as cosign locks them. */
import { generateKeyPairSync, randomBytes, scryptSync } from 'node:crypto';
import { xsalsa20poly1305 } from '@noble/ciphers/salsa.js';

export interface SigstoreKeyPair {
  readonly privatePem: string;
  readonly publicPem: string;
}

export interface SigstoreKeyOptions {
  readonly type?: 'ec' | 'rsa' | 'ed25519';
  readonly label?: string;
  /** Of scrypt. */
  readonly n?: number;
}

export function makeSigstoreKey(passphrase: string, o: SigstoreKeyOptions = {}): SigstoreKeyPair {
  const { privateKey, publicKey } = keyPair(o.type ?? 'ec');
  const n = o.n ?? 32768;
  const [salt, nonce] = [randomBytes(32), randomBytes(24)];
  const key = scryptSync(passphrase, salt, 32, { N: n, r: 8, p: 1, maxmem: 256 * n * 8 });
  const content = xsalsa20poly1305(key, nonce).encrypt(privateKey.export({ format: 'der', type: 'pkcs8' }));
  const locked = {
    kdf: { name: 'scrypt', params: { N: n, r: 8, p: 1 }, salt: salt.toString('base64') },
    cipher: { name: 'nacl/secretbox', nonce: nonce.toString('base64') },
    ciphertext: Buffer.from(content).toString('base64'),
  };
  return {
    privatePem: pem(o.label ?? 'ENCRYPTED SIGSTORE PRIVATE KEY', JSON.stringify(locked)),
    publicPem: publicKey.export({ format: 'pem', type: 'spki' }) as string,
  };
}

function keyPair(type: 'ec' | 'rsa' | 'ed25519') {
  if (type === 'rsa') return generateKeyPairSync('rsa', { modulusLength: 2048 });
  return type === 'ec' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519');
}

export function pem(label: string, content: string): string {
  const lines =
    Buffer.from(content)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}
