import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { matchSteps } from '../../../src/build/match-steps.ts';

const lines = (text: string) => text.split('\n').map((line) => ({ kind: line.split(' ')[0]!, text: line }));

describe('steps of two builds', () => {
  it('belong together by their lines, and between equal lines by their kind', () => {
    const before = lines('ARG A\nCOPY a .\nRUN one\nRUN two\nCMD x');
    assert.deepEqual(matchSteps(before, before), [0, 1, 2, 3, 4]);
    assert.deepEqual(matchSteps(lines('ARG A\nCOPY b .\nRUN one\nRUN 2\nCMD x'), before), [0, 1, 2, 3, 4]);
    assert.deepEqual(matchSteps(lines('ARG A\nENV B\nCOPY a .\nRUN two\nCMD x'), before), [0, undefined, 1, 3, 4]);
    assert.deepEqual(matchSteps(lines('RUN three'), before), [2]);
    assert.deepEqual(matchSteps(lines('RUN one'), []), [undefined]);
  });
});
