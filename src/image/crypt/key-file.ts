/**
 * Keys as the command line names them, in Buildah's words. `jwe:FILE` is a public key to encrypt for; `FILE`,
 * `FILE:PASSPHRASE`, `FILE:pass=…`, `FILE:file=…` and `FILE:fd=N` are private keys to decrypt with. What files and
 * passphrases hold stays in memory, and out of every message.
 */
import { createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { BuilderError } from '../../report/builder-error.ts';

/** The ways of wrapping that are known elsewhere, and why they are not here. */
const OTHER_WRAPPINGS: Readonly<Record<string, string>> = {
  pgp: 'keys of GnuPG are not read',
  pkcs7: 'certificates are not used',
  pkcs11: 'tokens and hardware modules are not spoken to',
  provider: 'no other program is asked for keys',
};

/** @throws `usage.invalid`, `usage.unsupported` for `pgp:` and the like, `key.invalid` */
export function readRecipient(text: string, cwd: string): KeyObject {
  const at = text.indexOf(':');
  const [protocol, file] = at === -1 ? ['', text] : [text.slice(0, at), text.slice(at + 1)];
  refuseWrapping('--encryption-key', protocol);
  if (protocol !== 'jwe' || file === '') {
    throw new BuilderError('usage.invalid', `--encryption-key ${JSON.stringify(text)} must be jwe:FILE`);
  }
  return usable(publicKeyIn(readKeyFile(file, cwd), file), file);
}

/** @throws `usage.unsupported` for `provider:`, `key.invalid` naming the file */
export function readPrivateKey(text: string, cwd: string): KeyObject {
  const at = text.indexOf(':');
  const [file, secret] = at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
  if (file === 'provider') refuseWrapping('--decryption-key', file);
  if (file === '') throw new BuilderError('usage.invalid', '--decryption-key must begin with the name of a file');
  const passphrase = secret === undefined ? undefined : readPassphrase(secret, file, cwd);
  return usable(privateKeyIn(readKeyFile(file, cwd), passphrase, file), file);
}

function refuseWrapping(flag: string, protocol: string): void {
  const why = OTHER_WRAPPINGS[protocol];
  if (why === undefined) return;
  throw new BuilderError('usage.unsupported', `${flag} ${protocol}: is not supported: ${why}`, {
    hint: 'use a key of RSA or elliptic curves, which jwe is for',
  });
}

function readKeyFile(file: string, cwd: string): Buffer {
  try {
    return readFileSync(resolve(cwd, file));
  } catch (cause) {
    throw new BuilderError('key.invalid', `cannot read the key ${file}`, { cause });
  }
}

/** What a descriptor gave: it can be read once, and builds pull several times. */
const heard = new Map<number, Buffer>();

function readPassphrase(text: string, file: string, cwd: string): Buffer {
  const form = /^(pass|file|fd)=(.*)$/s.exec(text);
  if (form === null || form[1] === 'pass') return Buffer.from(form?.[2] ?? text);
  try {
    if (form[1] === 'file') return withoutLineEnd(readFileSync(resolve(cwd, form[2]!)));
    const fd = Number(form[2]);
    if (!/^\d+$/.test(form[2]!)) throw new Error(`${JSON.stringify(form[2])} is no descriptor`);
    const known = heard.get(fd) ?? withoutLineEnd(readFileSync(fd));
    heard.set(fd, known);
    return known;
  } catch (cause) {
    throw new BuilderError('key.invalid', `cannot read the passphrase of the key ${file}`, { cause });
  }
}

/** Editors end files with one; no passphrase does. */
function withoutLineEnd(bytes: Buffer): Buffer {
  const length = bytes.length - (bytes.at(-1) === 0x0a ? 1 : 0);
  return bytes.subarray(0, bytes[length - 1] === 0x0d ? length - 1 : length);
}

type Attempt = () => KeyObject;

/** PEM, DER or JWK, whichever it is. */
function publicKeyIn(content: Buffer, file: string): KeyObject {
  const text = content.toString('latin1');
  const pem = pemLabel(text);
  const other = hasPrivatePart(text) ? PRIVATE : kindOf(pem);
  if (other !== undefined && other !== PUBLIC) {
    throw new BuilderError('key.invalid', `cannot encrypt for ${file}: it is ${other}, and a public key is needed`);
  }
  const found =
    pem !== undefined
      ? attempt(() => createPublicKey(content))
      : (attempt(() => createPublicKey({ key: jwkOf(text), format: 'jwk' })) ??
        attempt(() => createPublicKey({ key: content, format: 'der', type: 'spki' })));
  if (found !== undefined) return found;
  throw new BuilderError('key.invalid', `cannot encrypt for ${file}: it is no public key in PEM, DER or JWK form`);
}

function privateKeyIn(content: Buffer, passphrase: Buffer | undefined, file: string): KeyObject {
  const text = content.toString('latin1');
  const pem = pemLabel(text);
  const refuse = (why: string): never => {
    throw new BuilderError('key.invalid', `cannot decrypt with ${file}: ${why}`);
  };
  const other = kindOf(pem);
  if (other !== undefined && other !== PRIVATE) refuse(`it is ${other}, and a private key is needed`);
  const isLocked = pem === 'ENCRYPTED PRIVATE KEY' || /^Proc-Type: 4,ENCRYPTED/m.test(text);
  if (isLocked && passphrase === undefined) refuse('it needs a passphrase, as in FILE:file=PASSPHRASE_FILE');
  const key = passphrase === undefined ? {} : { passphrase };
  const der = (type: 'pkcs8' | 'pkcs1' | 'sec1'): KeyObject | undefined =>
    attempt(() => createPrivateKey({ ...key, key: content, format: 'der', type }));
  const found =
    pem !== undefined
      ? attempt(() => createPrivateKey({ ...key, key: content, format: 'pem' }))
      : (attempt(() => createPrivateKey({ key: jwkOf(text), format: 'jwk' })) ??
        der('pkcs8') ??
        der('pkcs1') ??
        der('sec1'));
  if (found !== undefined) return found;
  return refuse(isLocked ? 'the passphrase is wrong' : 'it is no private key in PEM, DER or JWK form');
}

const PRIVATE = 'a private key';
const PUBLIC = 'a public key';

function pemLabel(text: string): string | undefined {
  return /-----BEGIN ([A-Z0-9 ]+)-----/.exec(text)?.[1];
}

/** What a file in PEM form is, where its label tells. */
function kindOf(label: string | undefined): string | undefined {
  if (label === undefined) return undefined;
  if (label.startsWith('PGP ')) return 'a key of GnuPG';
  if (label === 'CERTIFICATE') return 'a certificate';
  return label.endsWith('PRIVATE KEY') ? PRIVATE : label.endsWith('PUBLIC KEY') ? PUBLIC : undefined;
}

/** The reasons of the cryptographic library may quote what they could not read. */
function attempt(act: Attempt): KeyObject | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}

function jwkOf(text: string): JsonWebKey {
  return JSON.parse(text) as JsonWebKey;
}

function hasPrivatePart(text: string): boolean {
  try {
    return 'd' in jwkOf(text);
  } catch {
    return false;
  }
}

const MIN_RSA_BITS = 2048;

function usable(key: KeyObject, file: string): KeyObject {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === 'ec') return key;
  if (type !== 'rsa') {
    throw new BuilderError('key.invalid', `cannot use the key ${file}: it is of type ${type}, not RSA or EC`);
  }
  const { modulusLength = 0 } = details ?? {};
  if (modulusLength >= MIN_RSA_BITS) return key;
  throw new BuilderError(
    'key.invalid',
    `cannot use the key ${file}: it has ${modulusLength} bits, less than ${MIN_RSA_BITS}`,
  );
}
