import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rememberedProblem } from '../../../src/run/probe.ts';

test('that a runtime works is remembered, that it does not for ten minutes', () => {
  const now = 1_700_000_000_000;
  assert.equal(rememberedProblem(undefined, now), undefined);
  assert.equal(rememberedProblem('', now), '');
  const line = `${now} no room\nleft`;
  assert.equal(rememberedProblem(line, now), 'no room\nleft');
  assert.equal(rememberedProblem(line, now + 599_999), 'no room\nleft');
  assert.equal(rememberedProblem(line, now + 600_000), undefined);
  // The clock was set back, or an older release wrote the line.
  assert.equal(rememberedProblem(line, now - 1), undefined);
  assert.equal(rememberedProblem('no room left', now), undefined);
});
