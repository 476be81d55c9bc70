/**
 * Private keys as `cosign generate-key-pair` and `skopeo generate-sigstore-key` write them: PEM around JSON that holds the
 * key, locked with NaCl's secretbox and a key that scrypt makes of the passphrase.
 * @see secure-systems-lab/go-securesystemslib, package encrypted
 */
import { createPrivateKey, type KeyObject, scrypt, sign } from 'node:crypto';
import { BuilderError } from '../report/builder-error.ts';
import { isJsonObject, type JsonObject, parseStrictJson } from '../spec/strict-json.ts';

const PEM = /-----BEGIN ([A-Z ]+)-----([\s\S]*?)-----END \1-----/;
const ENCRYPTED = ['ENCRYPTED SIGSTORE PRIVATE KEY', 'ENCRYPTED COSIGN PRIVATE KEY'];
/** What scrypt may be asked for: four times what these tools write, so that a file cannot take all memory. */
const MAX_N = 1 << 18;

/**
 * Opens a locked key.
 * @param text the file
 * @param what the file in messages
 * @throws `signature.failed` for a key that is not locked, a wrong passphrase, or what is no key
 */
export async function openSigstoreKey(text: string, passphrase: string, what: string): Promise<KeyObject> {
  const [, type = '', body = ''] = PEM.exec(text) ?? [];
  if (type === '') throw failed(what, 'it is no PEM file');
  if (!ENCRYPTED.includes(type)) {
    throw new BuilderError('signature.failed', `cannot sign with ${what}: it is a ${JSON.stringify(type)}`, {
      hint: `an ${ENCRYPTED[0]} is needed, as cosign generate-key-pair makes it`,
    });
  }
  const locked = readLocked(Buffer.from(body, 'base64'), what);
  const key = await derivedKey(passphrase, locked);
  const { xsalsa20poly1305 } = await import('@noble/ciphers/salsa.js');
  let opened: Uint8Array;
  try {
    opened = xsalsa20poly1305(key, locked.nonce).decrypt(locked.ciphertext);
  } catch {
    throw failed(what, 'the passphrase is wrong');
  }
  try {
    return createPrivateKey({ key: Buffer.from(opened), format: 'der', type: 'pkcs8' });
  } catch (cause) {
    throw failed(what, 'what it holds is no private key', cause);
  } finally {
    opened.fill(0);
    key.fill(0);
  }
}

/** The signature of the bytes as sigstore has it: ECDSA and RSA with SHA-256, Ed25519. */
export function signBytes(content: Uint8Array, key: KeyObject): Uint8Array {
  return sign(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', content, key);
}

interface Locked {
  readonly n: number;
  readonly r: number;
  readonly p: number;
  readonly salt: Uint8Array;
  readonly nonce: Uint8Array;
  readonly ciphertext: Uint8Array;
}

function readLocked(json: Uint8Array, what: string): Locked {
  let top: JsonObject;
  try {
    top = objectIn(parseStrictJson(json, what, { maxBytes: 1024 * 1024, maxDepth: 8 }));
  } catch (cause) {
    throw failed(what, 'its content is not JSON', cause);
  }
  const kdf = objectIn(top['kdf']);
  const cipher = objectIn(top['cipher']);
  const { N: n, r, p } = objectIn(kdf['params']);
  if (kdf['name'] !== 'scrypt' || cipher['name'] !== 'nacl/secretbox')
    throw failed(what, 'it is locked in another way');
  const isUsual = typeof n === 'number' && n >= 2 && n <= MAX_N && (n & (n - 1)) === 0 && r === 8 && p === 1;
  if (!isUsual) throw failed(what, 'the parameters of scrypt are out of range');
  const bytes = (value: unknown): Buffer => Buffer.from(typeof value === 'string' ? value : '', 'base64');
  const locked = { salt: bytes(kdf['salt']), nonce: bytes(cipher['nonce']), ciphertext: bytes(top['ciphertext']) };
  if (locked.nonce.length === 24 && locked.salt.length > 0 && locked.ciphertext.length > 16)
    return { n, r, p, ...locked };
  throw failed(what, 'its salt, nonce or content is malformed');
}

function objectIn(value: JsonObject[string] | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}

function derivedKey(passphrase: string, { n, r, p, salt }: Locked): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(passphrase, salt, 32, { N: n, r, p, maxmem: 256 * n * r }, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

function failed(what: string, why: string, cause?: unknown): BuilderError {
  return new BuilderError('signature.failed', `cannot sign with ${what}: ${why}`, { cause });
}
