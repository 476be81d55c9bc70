import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parseReference, qualify } from '../../../src/spec/reference.ts';
import type { SignedIdentity } from '../../../src/trust/policy.ts';
import { identityMatches } from '../../../src/trust/signed-identity.ts';

const D = `sha256:${'a'.repeat(64)}`;
const E = `sha256:${'b'.repeat(64)}`;
const exact: SignedIdentity = { type: 'matchExact' };
const usual: SignedIdentity = { type: 'matchRepoDigestOrExact' };
const repository: SignedIdentity = { type: 'matchRepository' };
const reference = (text: string): SignedIdentity => ({ type: 'exactReference', reference: text });
const ofRepository = (text: string): SignedIdentity => ({ type: 'exactRepository', repository: text });
const remap = (prefix: string, signedPrefix: string): SignedIdentity => ({
  type: 'remapIdentity',
  prefix,
  signedPrefix,
});

/** Identity, the image asked for ('' for none), the name in the signature, whether they match. */
const cases: readonly [SignedIdentity, string, string, boolean][] = [
  [exact, 'quay.io/x:1', 'quay.io/x:1', true],
  [exact, 'quay.io/x:1', 'quay.io/x:2', false],
  [exact, 'quay.io/x:1', 'quay.io/x', false],
  [exact, 'quay.io/x:1', 'quay.io/y:1', false],
  [exact, 'quay.io/x', 'quay.io/x', false],
  [exact, `quay.io/x@${D}`, `quay.io/x@${D}`, true],
  [exact, `quay.io/x@${D}`, `quay.io/x@${E}`, false],
  [exact, `quay.io/x@${D}`, 'quay.io/x:1', false],
  [exact, `quay.io/x@${D}`, `quay.io/x:1@${D}`, false],
  [exact, 'docker.io/library/busybox:1', 'busybox:1', true],
  [exact, '', 'quay.io/x:1', false],
  [usual, 'quay.io/x:1', 'quay.io/x:1', true],
  [usual, 'quay.io/x:1', 'quay.io/x:2', false],
  [usual, 'quay.io/x:1', `quay.io/x@${D}`, false],
  [usual, `quay.io/x@${D}`, 'quay.io/x:1', true],
  [usual, `quay.io/x@${D}`, `quay.io/x@${E}`, true],
  [usual, `quay.io/x@${D}`, 'quay.io/y:1', false],
  [usual, `quay.io/x@${D}`, 'quay.io/x', false],
  [usual, 'quay.io/x:1', 'not a name', false],
  [usual, 'quay.io/x:1', '', false],
  [usual, '', 'quay.io/x:1', false],
  [repository, 'quay.io/x:1', 'quay.io/x:2', true],
  [repository, 'quay.io/x:1', 'quay.io/x', true],
  [repository, 'quay.io/x:1', 'quay.io/x/y:1', false],
  [repository, '', 'quay.io/x:1', false],
  [reference('quay.io/x:1'), '', 'quay.io/x:1', true],
  [reference('busybox:1'), 'quay.io/z:3', 'docker.io/library/busybox:1', true],
  [reference('quay.io/x:1'), 'quay.io/x:2', 'quay.io/x:2', false],
  [ofRepository('quay.io/x'), '', 'quay.io/x:7', true],
  [ofRepository('quay.io/x'), '', 'quay.io/x', true],
  [ofRepository('quay.io/x'), 'quay.io/y:1', 'quay.io/y:1', false],
  [remap('mirror:5000/v', 'vendor.example'), 'mirror:5000/v/a/b:1', 'vendor.example/a/b:1', true],
  [remap('mirror:5000/v', 'vendor.example'), 'mirror:5000/v/a/b:1', 'mirror:5000/v/a/b:1', false],
  [remap('mirror:5000/v', 'vendor.example'), 'mirror:5000/vv/a:1', 'mirror:5000/vv/a:1', true],
  [remap('mirror:5000/v', 'vendor.example'), 'mirror:5000/vv/a:1', 'vendor.example/v/a:1', false],
  [remap('mirror:5000/v', 'vendor.example/x'), `mirror:5000/v@${D}`, 'vendor.example/x:9', true],
  [remap('mirror', 'vendor.example'), 'mirror:5000/a:1', 'vendor.example/a:1', false],
  [remap('mirror.example', 'short'), 'mirror.example/a:1', 'docker.io/short/a:1', false],
  [remap('mirror.example', 'vendor.example'), '', 'vendor.example/a:1', false],
];

for (const [identity, asked, signed, matches] of cases) {
  it(`${JSON.stringify(identity)} ${matches ? 'takes' : 'refuses'} ${signed.slice(0, 30)} for ${asked.slice(0, 30)}`, () => {
    const intended = asked === '' ? undefined : qualify(parseReference(asked), 'docker.io');
    assert.equal(identityMatches(identity, intended, signed), matches);
  });
}
