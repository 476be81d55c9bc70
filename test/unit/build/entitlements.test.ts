/** What `--allow` grants. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseEntitlements } from '../../../src/build/entitlements.ts';

describe('--allow', () => {
  it('X05 grants nothing unless told', () => {
    const none = parseEntitlements([]);
    assert.deepEqual([none.insecure, none.hostNetwork, none.allowsDevice('a/b=c')], [false, false, false]);
  });

  it('grants what is named and nothing else', () => {
    assert.equal(parseEntitlements(['security.insecure']).insecure, true);
    assert.equal(parseEntitlements(['security.insecure']).hostNetwork, false);
    assert.equal(parseEntitlements(['network.host']).hostNetwork, true);
  });

  for (const [grant, name, isAllowed] of [
    ['device', 'a/b=c', true],
    ['device=a/b', 'a/b=c', true],
    ['device=a/b=*', 'a/b=c', true],
    ['device=a/b=c', 'a/b=c', true],
    ['device=a/b=c', 'a/b=d', false],
    ['device=a/b', 'a/bb=c', false],
  ] as const) {
    it(`${grant} ${isAllowed ? 'is' : 'is not'} for ${name}`, () => {
      assert.equal(parseEntitlements([grant]).allowsDevice(name), isAllowed);
    });
  }

  for (const grant of ['insecure', 'device=', 'security.insecur', '']) {
    it(`refuses ${JSON.stringify(grant)}`, () => {
      assert.throws(() => parseEntitlements([grant]), { code: 'usage.invalid' });
    });
  }
});
