import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashing, verified } from '../../../src/archive/verify.ts';
import { digestOf } from '../../../src/spec/digest.ts';
import { chunksOf, coded, collect } from './tar-fixture.ts';

const content = Buffer.from('the content');
const digest = digestOf(content);
const mismatch = (message: RegExp) => coded('blob.digest-mismatch', message);

test('sound content passes unchanged', async () => {
  for (const expected of [{}, { digest }, { size: content.length }, { digest, size: content.length }]) {
    assert.deepEqual(await collect(verified(chunksOf(content, 3), expected, 'blob')), content);
  }
  assert.deepEqual(
    await collect(verified(chunksOf(Buffer.alloc(0)), { digest: digestOf(''), size: 0 }, 'blob')),
    Buffer.alloc(0),
  );
});

test('a wrong digest is refused naming what, both digests and neither more', async () => {
  const other = digestOf('other');
  await assert.rejects(
    collect(verified(chunksOf(content), { digest: other }, 'layer 3')),
    mismatch(new RegExp(`^layer 3 has the digest ${digest} instead of ${other}$`)),
  );
});

test('short content is refused naming both sizes', async () => {
  await assert.rejects(
    collect(verified(chunksOf(content), { digest, size: 12 }, 'blob')),
    mismatch(/11 bytes instead of 12/),
  );
});

test('endless content is cut after its size', async () => {
  let isClosed = false;
  let pulled = 0;
  async function* endless() {
    try {
      for (;;) {
        pulled += 1;
        yield content;
      }
    } finally {
      isClosed = true;
    }
  }
  let passed = 0;
  const read = async () => {
    for await (const chunk of verified(endless(), { size: 25 }, 'blob')) passed += chunk.length;
  };
  await assert.rejects(read(), mismatch(/goes on after its 25 bytes/));
  assert.deepEqual([passed <= 25, pulled, isClosed], [true, 3, true]);
});

test('hashing tells digest and size once the content has ended', async () => {
  const told: unknown[] = [];
  assert.deepEqual(await collect(hashing(chunksOf(content, 4), (result) => told.push(result))), content);
  assert.deepEqual(told, [{ digest, size: 11 }]);
  for await (const _ of hashing(chunksOf(content, 4), (result) => told.push(result))) break;
  assert.equal(told.length, 1);
});
