import assert from 'node:assert/strict';
import { createDecipheriv, createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { readPrivateKey } from '../../../../src/image/crypt/key-file.ts';
import { unwrapSecret } from '../../../../src/image/crypt/key-wrap.ts';
import { LayerDecrypter, LayerEncrypter, layerEncrypter } from '../../../../src/image/crypt/layer-crypt.ts';
import { isBuilderError } from '../../../../src/report/builder-error.ts';
import type { ErrorCode } from '../../../../src/report/error-codes.ts';
import type { Descriptor } from '../../../../src/spec/descriptor.ts';
import { digestOf } from '../../../../src/spec/digest.ts';
import { JWE_ANNOTATION, PUBLIC_OPTIONS_ANNOTATION } from '../../../../src/spec/encrypted-layer.ts';
import { MEDIA } from '../../../../src/spec/media-type.ts';

const rsa = (): { publicKey: KeyObject; privateKey: KeyObject } => generateKeyPairSync('rsa', { modulusLength: 2048 });
const pair = rsa();
const other = rsa();
const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' });

async function* chunks(...parts: readonly (Uint8Array | string)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part);
}

async function drained(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of content) all.push(chunk);
  return Buffer.concat(all);
}

/** An encrypted layer of that text, as a manifest lists it. */
async function sealed(text: string, ...recipients: readonly KeyObject[]) {
  const made = new LayerEncrypter(recipients, undefined).seal(
    chunks(text.slice(0, 3), text.slice(3)),
    MEDIA.ociLayerGzip,
    {
      own: 'kept',
    },
  );
  const bytes = await drained(made.content);
  const annotations = await made.annotations();
  const layer: Descriptor = { mediaType: made.mediaType, digest: digestOf(bytes), size: bytes.length, annotations };
  return { bytes, layer };
}

const failsWith = (code: ErrorCode, message: RegExp) => (error: unknown) => {
  assert.ok(isBuilderError(error, code), String(error));
  assert.match(error.message, message);
  return true;
};

describe('an encrypted layer', () => {
  it('has the media type, annotations, cipher and MAC of ocicrypt', async () => {
    const { bytes, layer } = await sealed('the plain text', pair.publicKey);
    assert.equal(layer.mediaType, `${MEDIA.ociLayerGzip}+encrypted`);
    assert.deepEqual(Object.keys(layer.annotations!).sort(), [JWE_ANNOTATION, PUBLIC_OPTIONS_ANNOTATION, 'own']);
    const decoded = (name: string): string => Buffer.from(layer.annotations![name]!, 'base64').toString();
    const known = JSON.parse(decoded(PUBLIC_OPTIONS_ANNOTATION)) as { cipher: string; hmac: string };
    const jwe = JSON.parse(decoded(JWE_ANNOTATION)) as { protected: string };
    assert.deepEqual(JSON.parse(Buffer.from(jwe.protected, 'base64url').toString()), {
      alg: 'RSA-OAEP',
      enc: 'A256GCM',
    });
    const secret = JSON.parse(
      Buffer.from((await unwrapSecret(decoded(JWE_ANNOTATION), [pair.privateKey]))!).toString(),
    ) as { symkey: string; digest: string; cipheroptions: { nonce: string } };
    assert.equal(secret.digest, digestOf(Buffer.from('the plain text')));
    const key = Buffer.from(secret.symkey, 'base64');
    const nonce = Buffer.from(secret.cipheroptions.nonce, 'base64');
    assert.equal(known.cipher, 'AES_256_CTR_HMAC_SHA256');
    assert.equal(known.hmac, createHmac('sha256', key).update(bytes).digest('base64'));
    assert.equal(createDecipheriv('aes-256-ctr', key, nonce).update(bytes).toString(), 'the plain text');
  });

  for (const [name, recipients] of [
    ['one RSA key', [pair]],
    ['a key of an elliptic curve', [curve]],
    ['several keys, each for itself', [other, curve, pair]],
  ] as const) {
    it(`is opened by ${name}`, async () => {
      const { bytes, layer } = await sealed('text', ...recipients.map(({ publicKey }) => publicKey));
      for (const { privateKey } of recipients) {
        const opened = await new LayerDecrypter([rsa().privateKey, privateKey]).open(layer);
        assert.equal(opened.descriptor.mediaType, MEDIA.ociLayerGzip);
        assert.deepEqual(opened.descriptor.annotations, { own: 'kept' });
        assert.equal((await drained(opened.decrypt(chunks(bytes)))).toString(), 'text');
      }
    });
  }

  it('may be empty', async () => {
    const { bytes, layer } = await sealed('', pair.publicKey);
    const opened = await new LayerDecrypter([pair.privateKey]).open(layer);
    assert.equal((await drained(opened.decrypt(chunks(bytes)))).length, 0);
  });

  it('is encrypted anew every time', async () => {
    const [a, b] = [await sealed('text', pair.publicKey), await sealed('text', pair.publicKey)];
    assert.notDeepEqual(a.bytes, b.bytes);
  });

  it('is refused without a key, with another, and for other ways of wrapping', async () => {
    const { layer } = await sealed('text', pair.publicKey);
    const open = (keys: readonly KeyObject[], d = layer) => new LayerDecrypter(keys).open(d);
    await assert.rejects(open([]), failsWith('layer.encrypted', /is encrypted, and no key to open it is given/));
    await assert.rejects(open([other.privateKey]), failsWith('layer.encrypted', /and the key does not open it/));
    await assert.rejects(
      open([other.privateKey, curve.privateKey]),
      failsWith('layer.encrypted', /and none of the keys opens it/),
    );
    const { [JWE_ANNOTATION]: jwe, ...rest } = layer.annotations!;
    const foreign = { ...layer, annotations: { ...rest, 'org.opencontainers.image.enc.keys.pgp': jwe! } };
    await assert.rejects(
      open([pair.privateKey], foreign),
      failsWith('layer.encrypted', /for keys of pgp, which cannot/),
    );
  });

  it('is opened by any of several wrappings, as recipients are added', async () => {
    const [mine, theirs] = [await sealed('text', pair.publicKey), await sealed('text', other.publicKey)];
    const both = `${theirs.layer.annotations![JWE_ANNOTATION]},${mine.layer.annotations![JWE_ANNOTATION]}`;
    const layer = { ...mine.layer, annotations: { ...mine.layer.annotations, [JWE_ANNOTATION]: both } };
    const opened = await new LayerDecrypter([pair.privateKey]).open(layer);
    assert.equal((await drained(opened.decrypt(chunks(mine.bytes)))).toString(), 'text');
  });

  it('is wrapped a bounded number of times', async () => {
    const { layer } = await sealed('text', pair.publicKey);
    const open = (wrapped: string) =>
      new LayerDecrypter([other.privateKey]).open({
        ...layer,
        annotations: { ...layer.annotations, [JWE_ANNOTATION]: wrapped },
      });
    const once = layer.annotations![JWE_ANNOTATION]!;
    const often = Array.from({ length: 257 }, () => once).join(',');
    await assert.rejects(open(often), failsWith('layer.invalid', /wrapped more than 256 times/));
    const { encrypted_key, ...jwe } = JSON.parse(Buffer.from(once, 'base64').toString()) as Record<string, unknown>;
    const recipients = Array.from({ length: 257 }, () => ({ encrypted_key }));
    const wide = Buffer.from(JSON.stringify({ ...jwe, recipients })).toString('base64');
    await assert.rejects(open(wide), failsWith('layer.encrypted', /the key does not open it/));
    for (const text of [
      '',
      'AAAA',
      Buffer.from('null').toString('base64'),
      Buffer.from('{"recipients":1}').toString('base64'),
    ]) {
      await assert.rejects(open(text), failsWith('layer.encrypted', /the key does not open it/));
    }
  });

  it('gives nobody its whole when its bytes are others', async () => {
    const { bytes, layer } = await sealed('text', pair.publicKey);
    const changed = Buffer.from(bytes);
    changed[2]! ^= 1;
    // Whoever changes the bytes changes the digest as well.
    const opened = await new LayerDecrypter([pair.privateKey]).open({ ...layer, digest: digestOf(changed) });
    let length = 0;
    await assert.rejects(
      async () => {
        for await (const chunk of opened.decrypt(chunks(changed))) length += chunk.length;
      },
      failsWith('layer.invalid', /its bytes are not those that were encrypted/),
    );
    assert.equal(length, 0);
    const kept = await new LayerDecrypter([pair.privateKey]).open(layer);
    await assert.rejects(drained(kept.decrypt(chunks(changed))), failsWith('blob.digest-mismatch', /./));
    await assert.rejects(drained(kept.decrypt(chunks(bytes.subarray(1)))), failsWith('blob.digest-mismatch', /./));
  });

  it('must tell of a cipher and MAC that are known', async () => {
    const { layer } = await sealed('text', pair.publicKey);
    const open = (options: unknown) => {
      const text = Buffer.from(typeof options === 'string' ? options : JSON.stringify(options)).toString('base64');
      const annotations = { ...layer.annotations, [PUBLIC_OPTIONS_ANNOTATION]: text };
      return new LayerDecrypter([pair.privateKey]).open({ ...layer, annotations });
    };
    const cipher = 'AES_256_CTR_HMAC_SHA256';
    await assert.rejects(open('{'), failsWith('layer.invalid', /is not JSON/));
    await assert.rejects(open([]), failsWith('layer.invalid', /its cipher is ""/));
    await assert.rejects(open({ cipher: 'ROT13' }), failsWith('layer.invalid', /its cipher is "ROT13", not AES_256/));
    await assert.rejects(open({ cipher }), failsWith('layer.invalid', /no MAC of the right length/));
    await assert.rejects(open({ cipher, hmac: 'AAAA' }), failsWith('layer.invalid', /no MAC of the right length/));
  });
});

describe('which layers are encrypted', () => {
  const chosen = (positions: readonly number[] | undefined, count: number) => [
    ...new LayerEncrypter([], positions).chosen(count),
  ];
  it('all, or those at the positions given, from the bottom or the top', () => {
    assert.deepEqual(chosen(undefined, 3), [0, 1, 2]);
    assert.deepEqual(chosen([], 2), [0, 1]);
    assert.deepEqual(chosen([0, -1, 2], 3), [0, 2]);
    assert.deepEqual(chosen(undefined, 0), []);
  });
  it('never one that is not there', () => {
    for (const position of [3, -4]) {
      assert.throws(
        () => chosen([position], 3),
        failsWith('usage.invalid', new RegExp(`the layer ${position}: the image has 3 layers`)),
      );
    }
  });
  it('nothing is encrypted for nobody', () => {
    assert.equal(layerEncrypter({}, '/'), undefined);
    assert.throws(
      () => layerEncrypter({ encryptLayers: [0] }, '/'),
      failsWith('usage.invalid', /needs --encryption-key/),
    );
  });
});

describe('key files', () => {
  let place = '';
  before(() => {
    place = mkdtempSync(join(tmpdir(), 'slipway-keys-'));
    const pem = (name: string, type: 'pkcs1' | 'pkcs8', cipher?: string): void => {
      const locked = cipher === undefined ? {} : { cipher, passphrase: 'open: sesame' };
      writeFileSync(join(place, name), pair.privateKey.export({ format: 'pem', type, ...locked } as never));
    };
    pem('pkcs1.pem', 'pkcs1');
    pem('pkcs8.pem', 'pkcs8');
    pem('locked1.pem', 'pkcs1', 'aes-256-cbc');
    pem('locked8.pem', 'pkcs8', 'aes-256-cbc');
    const put = (name: string, content: string | Buffer): void => writeFileSync(join(place, name), content);
    put('pkcs1.der', pair.privateKey.export({ format: 'der', type: 'pkcs1' }));
    put('pkcs8.der', pair.privateKey.export({ format: 'der', type: 'pkcs8' }));
    put('key.jwk', JSON.stringify(pair.privateKey.export({ format: 'jwk' })));
    put('sec1.pem', curve.privateKey.export({ format: 'pem', type: 'sec1' }));
    put('sec1.der', curve.privateKey.export({ format: 'der', type: 'sec1' }));
    put('public.pem', pair.publicKey.export({ format: 'pem', type: 'spki' }));
    put('public1.pem', pair.publicKey.export({ format: 'pem', type: 'pkcs1' }));
    put('public.der', pair.publicKey.export({ format: 'der', type: 'spki' }));
    put('public.jwk', JSON.stringify(pair.publicKey.export({ format: 'jwk' })));
    put('passphrase', 'open: sesame\n');
    put('noise', 'this is no key');
    put('certificate.pem', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
    put('ring.asc', '-----BEGIN PGP PRIVATE KEY BLOCK-----\nAAAA\n-----END PGP PRIVATE KEY BLOCK-----\n');
    const small = generateKeyPairSync('rsa', { modulusLength: 1024 });
    put('small.pem', small.publicKey.export({ format: 'pem', type: 'spki' }));
    put('ed.pem', generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }));
  });
  after(() => rmSync(place, { recursive: true, force: true }));

  for (const text of [
    'pkcs1.pem',
    'pkcs8.pem',
    'pkcs1.der',
    'pkcs8.der',
    'key.jwk',
    'locked1.pem:open: sesame',
    'locked8.pem:pass=open: sesame',
    'locked8.pem:file=passphrase',
    'pkcs8.pem:not needed',
  ]) {
    it(`decrypts with ${text}`, () => {
      assert.ok(readPrivateKey(text, place).equals(pair.privateKey));
    });
  }
  for (const text of ['sec1.pem', 'sec1.der']) {
    it(`decrypts with ${text}`, () => assert.ok(readPrivateKey(text, place).equals(curve.privateKey)));
  }
  for (const file of ['public.pem', 'public1.pem', 'public.der', 'public.jwk']) {
    it(`encrypts for ${file}`, async () => {
      const encrypter = layerEncrypter({ encryptionKeys: [`jwe:${file}`] }, place)!;
      const made = encrypter.seal(chunks('text'), MEDIA.ociLayer, undefined);
      const bytes = await drained(made.content);
      const layer = {
        mediaType: made.mediaType,
        digest: digestOf(bytes),
        size: 4,
        annotations: await made.annotations(),
      };
      const opened = await new LayerDecrypter([pair.privateKey]).open(layer);
      assert.equal((await drained(opened.decrypt(chunks(bytes)))).toString(), 'text');
    });
  }

  const refusedPrivate: readonly (readonly [string, ErrorCode, RegExp])[] = [
    ['nowhere.pem:hush', 'key.invalid', /^cannot read the key nowhere\.pem$/],
    ['noise', 'key.invalid', /noise: it is no private key in PEM, DER or JWK form/],
    ['locked8.pem', 'key.invalid', /needs a passphrase/],
    ['locked1.pem', 'key.invalid', /needs a passphrase/],
    ['locked8.pem:hush', 'key.invalid', /locked8\.pem: the passphrase is wrong$/],
    ['locked1.pem:hush', 'key.invalid', /locked1\.pem: the passphrase is wrong$/],
    ['locked8.pem:file=nowhere', 'key.invalid', /the passphrase of the key locked8\.pem/],
    ['locked8.pem:fd=x', 'key.invalid', /the passphrase of the key locked8\.pem/],
    ['public.pem', 'key.invalid', /it is a public key/],
    ['certificate.pem', 'key.invalid', /it is a certificate/],
    ['ring.asc', 'key.invalid', /it is a key of GnuPG/],
    ['ed.pem', 'key.invalid', /of type ed25519, not RSA or EC/],
    ['provider:x', 'usage.unsupported', /--decryption-key provider: is not supported: no other program/],
    [':hush', 'usage.invalid', /must begin with the name of a file/],
  ];
  for (const [text, code, message] of refusedPrivate) {
    it(`refuses to decrypt with ${text}, and tells no passphrase`, () => {
      assert.throws(
        () => readPrivateKey(text, place),
        (error) => {
          for (let e = error; e instanceof Error; e = e.cause) assert.doesNotMatch(`${e.message}${e.stack}`, /hush/);
          return failsWith(code, message)(error);
        },
      );
    });
  }
  const refusedPublic: readonly (readonly [string, ErrorCode, RegExp])[] = [
    ['public.pem', 'usage.invalid', /must be jwe:FILE/],
    ['jwe:', 'usage.invalid', /must be jwe:FILE/],
    ['rot13:public.pem', 'usage.invalid', /must be jwe:FILE/],
    ['pgp:ada@example.org', 'usage.unsupported', /--encryption-key pgp: is not supported: keys of GnuPG/],
    ['pkcs7:c.pem', 'usage.unsupported', /pkcs7: is not supported: certificates/],
    ['pkcs11:k', 'usage.unsupported', /pkcs11: is not supported: tokens/],
    ['provider:p', 'usage.unsupported', /provider: is not supported: no other program/],
    ['jwe:pkcs8.pem', 'key.invalid', /it is a private key, and a public key is needed/],
    ['jwe:key.jwk', 'key.invalid', /it is a private key/],
    ['jwe:certificate.pem', 'key.invalid', /it is a certificate/],
    ['jwe:ring.asc', 'key.invalid', /it is a key of GnuPG/],
    ['jwe:noise', 'key.invalid', /it is no public key/],
    ['jwe:small.pem', 'key.invalid', /it has 1024 bits, less than 2048/],
  ];
  for (const [text, code, message] of refusedPublic) {
    it(`refuses to encrypt for ${text}`, () => {
      assert.throws(() => layerEncrypter({ encryptionKeys: [text] }, place), failsWith(code, message));
    });
  }
});
