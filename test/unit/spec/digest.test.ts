import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Digest, digestOf, hexOf } from '../../../src/spec/digest.ts';

describe('hexOf', () => {
  it('gives the digits of a digest', () => {
    assert.match(hexOf(digestOf('x')), /^[0-9a-f]{64}$/);
  });

  it('B33 never makes a path of what a cast called a digest', () => {
    for (const text of ['sha256:../../../canary', 'sha256:', '', `sha256:${'A'.repeat(64)}`, `${digestOf('x')}/..`]) {
      assert.throws(() => hexOf(text as Digest), RangeError, text);
    }
  });
});
