/**
 * Private SSH keys in files: OpenSSH's own format and the PEM forms. A key is read into memory, signs there, and is
 * never written anywhere. Keys behind a passphrase are refused: nobody is there to type it.
 *
 * @see PROTOCOL.key of OpenSSH; RFC 4253 section 6.6, RFC 5656, RFC 8332, RFC 8709
 */
import { createPrivateKey, type JsonWebKey, type KeyObject, sign as signWith } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { BuilderError } from '../report/builder-error.ts';
import { WireReader, wireNumber, wireString, withoutLeadingZeros } from './ssh-wire.ts';

export interface SshKey {
  /** The public key as agents name it. */
  readonly publicBlob: Buffer;
  readonly comment: string;
  /** Signature of `content` as agents give it. @param flags of a sign request: which hash an RSA key is to use */
  sign(content: Buffer, flags: number): Buffer;
}

/** Far more than the longest RSA key. */
const MAX_BYTES = 100 * 1024;
const MAGIC = 'openssh-key-v1\0';
const SSH_AGENT_RSA_SHA2_256 = 2;
const SSH_AGENT_RSA_SHA2_512 = 4;

const CURVES: Readonly<Record<string, { readonly jwk: string; readonly hash: string; readonly bytes: number }>> = {
  nistp256: { jwk: 'P-256', hash: 'sha256', bytes: 32 },
  nistp384: { jwk: 'P-384', hash: 'sha384', bytes: 48 },
  nistp521: { jwk: 'P-521', hash: 'sha512', bytes: 66 },
};

/** Reads the key in a file. @throws `usage.invalid`, which never quotes what the file holds */
export function readSshKey(path: string): SshKey {
  const text = readKeyFile(path);
  try {
    return parseSshKey(text, path);
  } catch (cause) {
    if (cause instanceof BuilderError) throw cause;
    // The cause may describe the bytes of a private key, so it goes no further.
    throw new BuilderError('usage.invalid', `${path} holds no private SSH key that can be read`, {
      hint: 'load the key into an agent with ssh-add and pass --ssh default',
    });
  }
}

function readKeyFile(path: string): Buffer {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (cause) {
    throw new BuilderError('usage.invalid', `cannot read the SSH key ${path}`, { cause });
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new BuilderError('usage.invalid', `${path} is neither an SSH key nor an agent's socket`);
    if (stat.size > MAX_BYTES) throw new BuilderError('usage.invalid', `${path} is too large for an SSH key`);
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** @param comment what agents call a key that has no comment of its own. @throws for anything that is no key */
export function parseSshKey(pem: Buffer, comment: string): SshKey {
  const text = pem.toString('latin1');
  const own = /-----BEGIN OPENSSH PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END OPENSSH PRIVATE KEY-----/.exec(text);
  if (own !== null) return fromOpenSsh(Buffer.from(own[1]!, 'base64'), comment);
  if (/ENCRYPTED/.test(text)) throw passphrase(comment);
  return fromKeyObject(createPrivateKey(pem), comment);
}

function passphrase(path: string): BuilderError {
  return new BuilderError('usage.invalid', `the SSH key ${path} is protected by a passphrase`, {
    hint: 'load the key into an agent with ssh-add and pass --ssh default',
  });
}

function fromOpenSsh(bytes: Buffer, path: string): SshKey {
  const reader = new WireReader(bytes);
  if (reader.take(MAGIC.length).toString('latin1') !== MAGIC) throw new Error('not a key');
  if (reader.text() !== 'none') throw passphrase(path);
  reader.text();
  reader.string();
  if (reader.uint32() !== 1) throw new Error('not one key');
  reader.string();
  const secret = new WireReader(reader.string());
  const check = secret.uint32();
  if (secret.uint32() !== check) throw new Error('damaged');
  const jwk = jwkOf(secret.text(), secret, path);
  return fromKeyObject(createPrivateKey({ key: jwk, format: 'jwk' }), secret.text() || path);
}

function jwkOf(type: string, secret: WireReader, path: string): JsonWebKey {
  if (type === 'ssh-ed25519') {
    const x = base64(secret.string());
    return { kty: 'OKP', crv: 'Ed25519', x, d: base64(secret.string().subarray(0, 32)) };
  }
  if (type === 'ssh-rsa') return rsaJwk(secret);
  const curve = Object.hasOwn(CURVES, type.replace(/^ecdsa-sha2-/, '')) ? secret.text() : undefined;
  if (curve === undefined) {
    throw new BuilderError('usage.unsupported', `the SSH key ${path} is of type ${JSON.stringify(type)}`, {
      hint: 'load the key into an agent with ssh-add and pass --ssh default',
    });
  }
  const { jwk, bytes } = CURVES[curve]!;
  const point = secret.string().subarray(1);
  const d = fixed(secret.string(), bytes);
  return {
    kty: 'EC',
    crv: jwk,
    x: base64(point.subarray(0, bytes)),
    y: base64(point.subarray(bytes)),
    d: base64(d),
  };
}

function rsaJwk(secret: WireReader): JsonWebKey {
  const [n, e, d, qi, p, q] = Array.from({ length: 6 }, () => withoutLeadingZeros(secret.string()));
  const [whole, first, second] = [number(d!), number(p!), number(q!)];
  return {
    kty: 'RSA',
    n: base64(n!),
    e: base64(e!),
    d: base64(d!),
    p: base64(p!),
    q: base64(q!),
    dp: base64(magnitude(whole % (first - 1n))),
    dq: base64(magnitude(whole % (second - 1n))),
    qi: base64(qi!),
  };
}

const base64 = (bytes: Buffer): string => bytes.toString('base64url');
const unbase64 = (text: string | undefined): Buffer => Buffer.from(text ?? '', 'base64url');
const number = (bytes: Buffer): bigint => BigInt(`0x${bytes.toString('hex') || '0'}`);

function magnitude(value: bigint): Buffer {
  const hex = value.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
}

function fixed(bytes: Buffer, length: number): Buffer {
  const bare = withoutLeadingZeros(bytes);
  return Buffer.concat([Buffer.alloc(Math.max(0, length - bare.length)), bare]);
}

function fromKeyObject(key: KeyObject, comment: string): SshKey {
  const jwk = key.export({ format: 'jwk' });
  if (jwk.kty === 'RSA') return rsaKey(key, jwk, comment);
  if (jwk.kty === 'OKP' && jwk.crv === 'Ed25519') return ed25519Key(key, jwk, comment);
  const curve = Object.entries(CURVES).find(([, { jwk: name }]) => name === jwk.crv)?.[0];
  if (jwk.kty === 'EC' && curve !== undefined) return ecdsaKey(key, jwk, curve, comment);
  throw new Error('not a kind of key SSH knows');
}

function ed25519Key(key: KeyObject, jwk: JsonWebKey, comment: string): SshKey {
  return {
    publicBlob: Buffer.concat([wireString('ssh-ed25519'), wireString(unbase64(jwk.x))]),
    comment,
    sign: (content) => Buffer.concat([wireString('ssh-ed25519'), wireString(signWith(null, content, key))]),
  };
}

function rsaKey(key: KeyObject, jwk: JsonWebKey, comment: string): SshKey {
  return {
    publicBlob: Buffer.concat([wireString('ssh-rsa'), wireNumber(unbase64(jwk.e)), wireNumber(unbase64(jwk.n))]),
    comment,
    sign: (content, flags) => {
      const [name, hash] =
        (flags & SSH_AGENT_RSA_SHA2_512) !== 0
          ? ['rsa-sha2-512', 'sha512']
          : (flags & SSH_AGENT_RSA_SHA2_256) !== 0
            ? ['rsa-sha2-256', 'sha256']
            : ['ssh-rsa', 'sha1'];
      return Buffer.concat([wireString(name!), wireString(signWith(hash, content, key))]);
    },
  };
}

function ecdsaKey(key: KeyObject, jwk: JsonWebKey, curve: string, comment: string): SshKey {
  const { hash, bytes } = CURVES[curve]!;
  const name = `ecdsa-sha2-${curve}`;
  const point = Buffer.concat([Buffer.from([4]), fixed(unbase64(jwk.x), bytes), fixed(unbase64(jwk.y), bytes)]);
  return {
    publicBlob: Buffer.concat([wireString(name), wireString(curve), wireString(point)]),
    comment,
    sign: (content) => {
      const pair = signWith(hash, content, { key, dsaEncoding: 'ieee-p1363' });
      const signature = Buffer.concat([wireNumber(pair.subarray(0, bytes)), wireNumber(pair.subarray(bytes))]);
      return Buffer.concat([wireString(name), wireString(signature)]);
    },
  };
}
