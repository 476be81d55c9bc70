import assert from 'node:assert/strict';
import { it } from 'node:test';
import { firstError } from '../../../src/report/first-error.ts';

it('what failed first is told, however much failed while cleaning up', async () => {
  const first = new Error('first');
  const failing = (why: string) => ({
    async [Symbol.asyncDispose]() {
      throw new Error(why);
    },
  });
  const caught = await (async () => {
    await using _outer = failing('third');
    await using _inner = failing('second');
    throw first;
  })().catch((error: unknown) => error);
  assert.notEqual(caught, first);
  assert.equal(firstError(caught), first);
  assert.equal(firstError(first), first);
  assert.equal(firstError(undefined), undefined);
});
