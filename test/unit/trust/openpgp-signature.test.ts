import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as openpgp from 'openpgp';
import { readOpenPgpKeys } from '../../../src/trust/openpgp-signature.ts';

const NOW = new Date('2026-01-01T00:00:00Z');
const BEFORE = new Date('2020-01-01T00:00:00Z');
const CONTENT = Buffer.from('a statement');
const YEAR_SECONDS = 365 * 24 * 3600;

async function makeKey(o: { readonly seconds?: number; readonly subkeys?: { sign: true }[] } = {}) {
  const { privateKey, publicKey } = await openpgp.generateKey({
    userIDs: [{ email: 'a@example.com' }],
    format: 'object',
    date: BEFORE,
    ...(o.seconds === undefined ? {} : { keyExpirationTime: o.seconds }),
    subkeys: o.subkeys ?? [],
  });
  return { privateKey, publicKey, bytes: publicKey.write() };
}

async function signed(...keys: openpgp.PrivateKey[]): Promise<Uint8Array> {
  const message = await openpgp.createMessage({ binary: Uint8Array.from(CONTENT), date: BEFORE });
  const options = { message, signingKeys: keys, format: 'binary', date: new Date('2020-02-01') } as const;
  return Uint8Array.from(await openpgp.sign(options));
}

/** The content, or why there is none. */
async function outcome(message: Uint8Array, ...keyrings: Uint8Array[]): Promise<string> {
  const verified = await (await readOpenPgpKeys(keyrings)).verify(message, NOW);
  return 'content' in verified ? Buffer.from(verified.content).toString('utf8') : verified.reason;
}

describe('an OpenPGP message', () => {
  it('by a trusted key, or by its subkey for signing, gives its content', async () => {
    const [key, other, withSubkey] = [await makeKey(), await makeKey(), await makeKey({ subkeys: [{ sign: true }] })];
    assert.equal(await outcome(await signed(key.privateKey), other.bytes, key.bytes), 'a statement');
    assert.equal(await outcome(await signed(withSubkey.privateKey), withSubkey.bytes), 'a statement');
    const armored = Buffer.from(`text\n${other.publicKey.armor()}\n${key.publicKey.armor()}`);
    assert.equal(await outcome(await signed(key.privateKey), armored), 'a statement');
  });

  it('by another key is refused', async () => {
    const [key, other] = [await makeKey(), await makeKey()];
    assert.match(
      await outcome(await signed(key.privateKey), other.bytes),
      /^it is by the key [0-9A-F]{16}, which is not trusted$/,
    );
  });

  it('whose key has expired since is refused', async () => {
    const key = await makeKey({ seconds: YEAR_SECONDS });
    const message = await signed(key.privateKey);
    const keys = await readOpenPgpKeys([key.bytes]);
    assert.ok('content' in (await keys.verify(message, new Date('2020-06-01'))));
    assert.match(await outcome(message, key.bytes), /expired/);
  });

  it('whose key was revoked since is refused, whichever keyring says so', async () => {
    const key = await makeKey();
    const message = await signed(key.privateKey);
    const { publicKey } = await openpgp.revokeKey({
      key: key.privateKey,
      format: 'object',
      date: new Date('2021-01-01'),
    });
    assert.match(await outcome(message, publicKey.write()), /revoked/);
    assert.match(await outcome(message, key.bytes, publicKey.write()), /revoked/);
    assert.match(await outcome(message, publicKey.write(), key.bytes), /revoked/);
  });

  it('that was changed is refused', async () => {
    const key = await makeKey();
    const message = await signed(key.privateKey);
    const at = Buffer.from(message).indexOf(CONTENT);
    message[at]! ^= 1;
    assert.match(await outcome(message, key.bytes), /invalid|digest|verif/i);
  });

  it('of other kinds is refused: unsigned, signed twice, clear-signed, encrypted, none', async () => {
    const [key, other] = [await makeKey(), await makeKey()];
    const literal = (await openpgp.createMessage({ binary: Uint8Array.from(CONTENT) })).write();
    assert.equal(await outcome(Uint8Array.from(literal as Uint8Array), key.bytes), 'it is not signed');
    const twice = await signed(key.privateKey, other.privateKey);
    assert.equal(await outcome(twice, key.bytes, other.bytes), 'it is signed more than once');
    const cleartext = await openpgp.createCleartextMessage({ text: 'a statement' });
    const clear = Buffer.from(await openpgp.sign({ message: cleartext, signingKeys: key.privateKey }));
    assert.notEqual(await outcome(clear, key.bytes), 'a statement');
    assert.notEqual(await outcome(Buffer.from('hello'), key.bytes), 'a statement');
    assert.notEqual(await outcome(new Uint8Array(), key.bytes), 'a statement');
  });

  it('with a signature of a text, not of bytes, is refused', async () => {
    const key = await makeKey();
    const message = await openpgp.createMessage({ text: 'a statement', date: BEFORE });
    const text = await openpgp.sign({
      message,
      signingKeys: key.privateKey,
      format: 'binary',
      date: new Date('2020-02-01'),
    });
    assert.equal(await outcome(Uint8Array.from(text), key.bytes), 'it is not a signature of a binary document');
  });

  it('from the future is refused', async () => {
    const key = await makeKey();
    const keys = await readOpenPgpKeys([key.bytes]);
    assert.ok('reason' in (await keys.verify(await signed(key.privateKey), new Date('2020-01-15'))));
  });
});

describe('a keyring', () => {
  it('must hold keys', async () => {
    await assert.rejects(readOpenPgpKeys([Buffer.from('hello')]));
    assert.equal((await readOpenPgpKeys([(await makeKey()).bytes])).fingerprints[0]?.length, 40);
  });

  it('may hold private keys: their public parts count', async () => {
    const { privateKey } = await makeKey();
    assert.equal(await outcome(await signed(privateKey), privateKey.write()), 'a statement');
  });
});
