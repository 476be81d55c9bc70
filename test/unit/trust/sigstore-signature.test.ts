import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { isBuilderError } from '../../../src/report/builder-error.ts';
import { digestOf } from '../../../src/spec/digest.ts';
import { SIGSTORE_PAYLOAD, SIGSTORE_SIGNATURE, type SigstoreSignature } from '../../../src/spec/image-signature.ts';
import { parseReference, qualify } from '../../../src/spec/reference.ts';
import { requireTrusted } from '../../../src/trust/judge-image.ts';
import { parsePolicy } from '../../../src/trust/parse-policy.ts';
import { registryIdentity } from '../../../src/trust/policy-scope.ts';
import { formatPayload, type PayloadType, type SignaturePayload } from '../../../src/trust/signature-payload.ts';
import { openSigstoreKey, signBytes } from '../../../src/trust/sigstore-private-key.ts';
import { readSigstoreKey, sigstoreFault } from '../../../src/trust/sigstore-signature.ts';
import { makeSigstoreKey, pem, type SigstoreKeyPair } from '../../support/sigstore-key.ts';

const COSIGN = 'cosign container image signature';
const DIGEST = digestOf(Buffer.from('a manifest'));
const PASSPHRASE = 'a passphrase';
const pair = makeSigstoreKey(PASSPHRASE);

async function sign(
  keys: SigstoreKeyPair,
  payload: SignaturePayload,
  o: { readonly type?: PayloadType; readonly content?: string } = {},
): Promise<SigstoreSignature> {
  const content =
    o.content === undefined ? formatPayload(payload, o.type ?? COSIGN, 'a test', 1) : Buffer.from(o.content);
  const signature = signBytes(content, await openSigstoreKey(keys.privatePem, PASSPHRASE, 'key'));
  const annotations = { [SIGSTORE_SIGNATURE]: Buffer.from(signature).toString('base64') };
  return { format: 'sigstore', mediaType: SIGSTORE_PAYLOAD, payload: content, annotations };
}

describe('a locked private key', () => {
  for (const type of ['ec', 'rsa', 'ed25519'] as const) {
    it(`of the type ${type} opens and makes signatures that its public key takes`, async () => {
      const keys = makeSigstoreKey(PASSPHRASE, { type, label: 'ENCRYPTED COSIGN PRIVATE KEY', n: 65536 });
      const signature = await sign(keys, { digest: DIGEST, reference: 'quay.io/x:1' });
      assert.equal(sigstoreFault(signature, [readSigstoreKey(Buffer.from(keys.publicPem))]), undefined);
      const other = readSigstoreKey(Buffer.from(pair.publicPem));
      assert.equal(sigstoreFault(signature, [other]), 'it is not by a trusted key');
    });
  }

  const locked = (change: (key: Record<string, unknown>) => void): string => {
    const text = Buffer.from(pair.privatePem.split('\n').slice(1, -2).join(''), 'base64').toString('utf8');
    const key = JSON.parse(text) as Record<string, unknown>;
    change(key);
    return pem('ENCRYPTED SIGSTORE PRIVATE KEY', JSON.stringify(key));
  };
  const cases: readonly [string, string, string, RegExp][] = [
    ['with another passphrase', pair.privatePem, 'wrong', /^cannot sign with key: the passphrase is wrong$/],
    [
      'that is not locked',
      '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----',
      '',
      /it is a "PRIVATE KEY"$/,
    ],
    ['that is a public one', pair.publicPem, '', /it is a "PUBLIC KEY"$/],
    ['that is no PEM', 'hello', '', /it is no PEM file$/],
    ['that is no JSON', pem('ENCRYPTED SIGSTORE PRIVATE KEY', 'hello'), '', /its content is not JSON$/],
    ['locked otherwise', locked((k) => Object.assign(k, { cipher: { name: 'aes' } })), '', /locked in another way$/],
    [
      'that asks scrypt for all memory',
      locked((k) => Object.assign(k['kdf'] as object, { params: { N: 1 << 30, r: 8, p: 1 } })),
      '',
      /the parameters of scrypt are out of range$/,
    ],
    [
      'that was changed',
      locked((k) => Object.assign(k, { ciphertext: randomBytes(99).toString('base64') })),
      PASSPHRASE,
      /passphrase is wrong$/,
    ],
  ];
  for (const [what, text, passphrase, message] of cases) {
    it(`${what} is refused`, async () => {
      const attempt = openSigstoreKey(text, passphrase, 'key');
      await assert.rejects(attempt, (e) => isBuilderError(e, 'signature.failed') && message.test(e.message));
    });
  }
});

describe('an image under sigstoreSigned', () => {
  const intended = qualify(parseReference('quay.io/x:1'), 'docker.io');
  const right: SignaturePayload = { digest: DIGEST, reference: 'quay.io/x:1' };
  const judge = async (signatures: readonly SigstoreSignature[], identity?: object): Promise<string> => {
    const keyData = Buffer.from(pair.publicPem).toString('base64');
    const rule = { type: 'sigstoreSigned', keyData, ...(identity === undefined ? {} : { signedIdentity: identity }) };
    const policy = parsePolicy({ name: 'p', text: JSON.stringify({ default: [rule] }) });
    const image = {
      identity: registryIdentity(intended),
      digest: DIGEST,
      signatures: () => Promise.resolve(signatures),
    };
    try {
      await requireTrusted(policy, image);
      return 'accepted';
    } catch (error) {
      assert.ok(isBuilderError(error, 'image.untrusted'), String(error));
      return error.message.replace(/^.*?policy p:1: /, '');
    }
  };

  it('is let in with a signature of it', async () => {
    assert.equal(await judge([await sign(pair, right)]), 'accepted');
    const nobody = await sign(makeSigstoreKey(PASSPHRASE), right);
    assert.equal(await judge([nobody, await sign(pair, right)]), 'accepted');
  });

  it('as cosign signs it only by its repository', async () => {
    const content = `{"critical":{"identity":{"docker-reference":"quay.io/x"},"image":{"docker-manifest-digest":"${DIGEST}"},"type":"${COSIGN}"},"optional":null}`;
    const signature = await sign(pair, right, { content });
    assert.match(await judge([signature]), /it names "quay\.io\/x", which matchRepoDigestOrExact does not accept/);
    assert.equal(await judge([signature], { type: 'matchRepository' }), 'accepted');
  });

  it('is refused without one, or with anything that is not quite one', async () => {
    const good = await sign(pair, right);
    const critical = JSON.parse(Buffer.from(good.payload).toString('utf8')) as { critical: Record<string, unknown> };
    const extra = JSON.stringify({ critical: { ...critical.critical, more: 1 }, optional: {} });
    const twice = Buffer.from(good.payload).toString('utf8').replace('"optional"', '"optional":{},"optional"');
    const changed = Buffer.from(good.payload).toString('utf8').replace('x:1', 'x:2');
    const cases: readonly [readonly SigstoreSignature[], RegExp][] = [
      [[], /^a signature is required, but no signature exists$/],
      [
        [{ ...good, mediaType: 'application/vnd.in-toto+json' }],
        /^a sigstore signature is required, and all there are/,
      ],
      [[{ ...good, payload: Buffer.from(changed) }], /it is not by a trusted key$/],
      [[{ ...good, annotations: {} }], /it lacks the annotation/],
      [[{ ...good, annotations: { [SIGSTORE_SIGNATURE]: '!!!!' } }], /is not base64$/],
      [[await sign(pair, { ...right, digest: digestOf(Buffer.from('b')) })], /it is of sha256:\w+, not of sha256:/],
      [[await sign(pair, { ...right, reference: 'quay.io/x:2' })], /it names "quay\.io\/x:2"/],
      [[await sign(pair, right, { type: 'atomic container signature' })], /it is of the type "atomic container/],
      [[await sign(pair, right, { content: extra })], /the critical part of its statement is not that/],
      [[await sign(pair, right, { content: twice })], /key "optional" appears twice/],
      [[await sign(pair, right, { content: '[]' })], /does not have the two parts/],
    ];
    for (const [signatures, message] of cases) assert.match(await judge(signatures), message);
  });
});
