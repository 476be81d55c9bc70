/** Who signs images: a key of gpg, a sigstore key, or both. */
import { readFileSync } from 'node:fs';
import { BuilderError } from '../report/builder-error.ts';
import { type ImageSignature, SIGSTORE_PAYLOAD, SIGSTORE_SIGNATURE } from '../spec/image-signature.ts';
import type { Cancellable } from '../spec/target.ts';
import { VERSION } from '../spec/version.ts';
import { requireGpgKey, signWithGpg } from './gpg.ts';
import { formatPayload, type SignaturePayload } from './signature-payload.ts';
import { openSigstoreKey, signBytes } from './sigstore-private-key.ts';

/** How images are signed where they go. */
export interface SigningOptions {
  /** Fingerprint of a secret key that gpg has: a simple signature. */
  readonly signBy?: string;
  /** File with a locked private key: a sigstore signature. */
  readonly signBySigstorePrivateKey?: string;
  /** Of the sigstore key, where there is one (default empty), else of gpg's, whose agent is asked otherwise. */
  readonly signPassphrase?: string;
}

export interface Signer {
  readonly format: ImageSignature['format'];
  /** For people: `simple signing`. */
  readonly name: string;
  sign(payload: SignaturePayload): Promise<ImageSignature>;
}

export interface SignerSurroundings extends Cancellable {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Makes a path of the caller's absolute. */
  readonly resolve: (path: string) => string;
}

/**
 * Gets the keys ready, so that what is missing is told before anything is sent.
 * @throws `signature.failed`
 */
export async function openSigners(o: SigningOptions, around: SignerSurroundings): Promise<readonly Signer[]> {
  const signers: Signer[] = [];
  // A passphrase is for one key; of two it is the one that no agent keeps.
  const gpgPassphrase = o.signBySigstorePrivateKey === undefined ? o.signPassphrase : undefined;
  if (o.signBy !== undefined) signers.push(await gpgSigner(o.signBy, gpgPassphrase, around));
  if (o.signBySigstorePrivateKey !== undefined) {
    signers.push(await sigstoreSigner(around.resolve(o.signBySigstorePrivateKey), o.signPassphrase ?? ''));
  }
  return signers;
}

async function gpgSigner(
  key: string,
  passphrase: string | undefined,
  { env, signal }: SignerSurroundings,
): Promise<Signer> {
  const options = { env, signal, passphrase };
  await requireGpgKey(key, options);
  return {
    format: 'simple',
    name: 'simple signing',
    sign: async (payload) => {
      const statement = formatPayload(payload, 'atomic container signature', CREATOR, now());
      return { format: 'simple', message: await signWithGpg(statement, key, options) };
    },
  };
}

async function sigstoreSigner(file: string, passphrase: string): Promise<Signer> {
  const key = await openSigstoreKey(readKeyFile(file), passphrase, file);
  return {
    format: 'sigstore',
    name: 'a sigstore signature',
    sign: (signed) => {
      const payload = formatPayload(signed, 'cosign container image signature', CREATOR, now());
      const annotations = { [SIGSTORE_SIGNATURE]: Buffer.from(signBytes(payload, key)).toString('base64') };
      return Promise.resolve({ format: 'sigstore', mediaType: SIGSTORE_PAYLOAD, payload, annotations });
    },
  };
}

const CREATOR = `slipway ${VERSION}`;

function now(): number {
  return Math.floor(Date.now() / 1000);
}

function readKeyFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new BuilderError('signature.failed', `cannot sign with ${file}: it cannot be read (${code})`, { cause });
  }
}
