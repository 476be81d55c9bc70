/**
 * Checks OpenPGP messages against trusted keys, as gpg does: what counts is whether the key is good today, not whether
 * it was on the day of the signature.
 * @see RFC 9580; containers-signature(5), "OpenPGP signature verification"
 */
import type { Key, PublicKey } from 'openpgp';

/** The signed content, or in words why it is not to be believed. */
export type Verified = { readonly content: Uint8Array } | { readonly reason: string };

type OpenPgp = typeof import('openpgp');

const ARMORED = /-----BEGIN PGP PUBLIC KEY BLOCK-----[\s\S]*?-----END PGP PUBLIC KEY BLOCK-----/g;
/** A statement about an image is a few hundred bytes; what unpacks into more is none. */
const MAX_MESSAGE_BYTES = 1024 * 1024;

/** Public keys to check signatures with. */
export interface TrustedKeys {
  /** Words about the keys: their fingerprints, for messages. */
  readonly fingerprints: readonly string[];
  /** @param message a signed message, binary @param now when the keys have to be good */
  verify(message: Uint8Array, now: Date): Promise<Verified>;
}

/**
 * Reads keyrings, binary or armored.
 * @throws an error in words when one holds no public key
 */
export async function readOpenPgpKeys(keyrings: readonly Uint8Array[]): Promise<TrustedKeys> {
  // Half a megabyte of code, for those whose policy asks for it.
  const openpgp = await import('openpgp');
  const keys: PublicKey[] = [];
  for (const keyring of keyrings) {
    for (const key of await readKeyring(openpgp, keyring)) await addKey(keys, key);
  }
  return {
    fingerprints: keys.map((key) => key.getFingerprint().toUpperCase()),
    verify: (message, now) => verify(openpgp, message, keys, now),
  };
}

/** What several keyrings say of one key counts together, as in gpg's: a revocation in one of them is one. */
async function addKey(keys: PublicKey[], key: PublicKey): Promise<void> {
  const known = keys.findIndex((other) => other.getFingerprint() === key.getFingerprint());
  if (known === -1) keys.push(key);
  else keys[known] = await keys[known]!.update(key);
}

async function readKeyring(openpgp: OpenPgp, keyring: Uint8Array): Promise<readonly PublicKey[]> {
  const blocks = Buffer.from(keyring).toString('latin1').match(ARMORED);
  if (blocks === null) return publicParts(await openpgp.readKeys({ binaryKeys: Uint8Array.from(keyring) }));
  const keys: PublicKey[] = [];
  for (const armoredKeys of blocks) keys.push(...publicParts(await openpgp.readKeys({ armoredKeys })));
  return keys;
}

function publicParts(keys: readonly Key[]): readonly PublicKey[] {
  return keys.map((key) => key.toPublic());
}

async function verify(openpgp: OpenPgp, bytes: Uint8Array, keys: PublicKey[], now: Date): Promise<Verified> {
  const config = { maxDecompressedMessageSize: MAX_MESSAGE_BYTES };
  try {
    const message = await openpgp.readMessage({ binaryMessage: Uint8Array.from(bytes), config });
    const { data, signatures } = await openpgp.verify({
      message,
      verificationKeys: keys,
      format: 'binary',
      date: now,
      config,
    });
    const [signature, another] = signatures;
    if (signature === undefined) return { reason: 'it is not signed' };
    if (another !== undefined) return { reason: 'it is signed more than once' };
    const { keyID } = signature;
    const owner = keys.find((key) => key.getKeys(keyID).length > 0);
    if (owner === undefined) return { reason: `it is by the key ${keyID.toHex().toUpperCase()}, which is not trusted` };
    await signature.verified;
    const { packets } = await signature.signature;
    // Other types sign something else than the document, one of them nothing at all.
    if (packets.length !== 1 || packets[0]?.signatureType !== openpgp.enums.signature.binary) {
      return { reason: 'it is not a signature of a binary document' };
    }
    // The library asks whether the key was good when it signed; gpg, whether it is now.
    await owner.getSigningKey(keyID, now);
    return { content: Uint8Array.from(data as Uint8Array) };
  } catch (error) {
    return { reason: reasonOf(error) };
  }
}

/** The library's words, without its name in front and the stack of causes behind. */
function reasonOf(error: unknown): string {
  const said = error instanceof Error ? error.message : String(error);
  const plain = said
    .replace(/^Error \w+ \w+: /, '')
    .split('\n')[0]!
    .trim();
  return plain.charAt(0).toLowerCase() + plain.slice(1);
}
