import assert from 'node:assert/strict';
import { it } from 'node:test';
import { withStageHint } from '../../../src/build/stage-suggestion.ts';
import { BuilderError } from '../../../src/report/builder-error.ts';

const failure = new BuilderError('image.not-known', 'dpes: image not known', { hint: 'own', facts: { a: 1 } });

it('a name that is nearly a stage is answered with the stage', () => {
  const error = withStageHint(failure, 'dpes', ['deps', 'app']);
  assert.ok(error instanceof BuilderError);
  assert.equal(error.hint, 'did you mean the stage deps?');
  assert.deepEqual([error.code, error.message, error.facts], [failure.code, failure.message, failure.facts]);
});

it('what can only be an image, or is near to nothing, keeps its hint', () => {
  for (const reference of ['deps:1', 'library/dpes', 'alpine']) {
    assert.equal(withStageHint(failure, reference, ['deps']), failure);
  }
});

it('bugs and cancellations pass through', () => {
  const bug = new TypeError('x');
  const stopped = new BuilderError('sys.cancelled', 'x');
  assert.equal(withStageHint(bug, 'dpes', ['deps']), bug);
  assert.equal(withStageHint(stopped, 'dpes', ['deps']), stopped);
});
