import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { explainMiss } from '../../../src/build/explain-miss.ts';

const inputs = (members: Readonly<Record<string, string>>) =>
  Object.entries(members).map(([name, value]) => ({ name, value }));
const record = (savedAt: number, members: Readonly<Record<string, string>>) => ({ savedAt, inputs: inputs(members) });

const COPY = { filesystem: 'f1', instruction: 'COPY . .', destination: '/', content: 'c1' };
const RUN = { filesystem: 'f1', command: 'make', user: '', 'variable CC': 'gcc' };

describe('why a step missed', () => {
  it('names the first input that differs, and never its value', () => {
    assert.equal(explainMiss(inputs({ ...COPY, content: 'c2' }), [record(1, COPY)]), 'the content it copies changed');
    assert.equal(explainMiss(inputs({ ...COPY, filesystem: 'x' }), [record(1, COPY)]), 'what it stands on changed');
    assert.equal(explainMiss(inputs({ ...RUN, 'variable CC': 's3cret' }), [record(1, RUN)]), 'variable CC changed');
    assert.equal(explainMiss(inputs({ ...RUN, 'variable X': '1' }), [record(1, RUN)]), 'variable X is new');
    const { 'variable CC': _, ...less } = RUN;
    assert.equal(explainMiss(inputs(less), [record(1, RUN)]), 'variable CC is gone');
  });

  it('compares with the step that has most in common, of equals the newest', () => {
    const remembered = [
      record(3, { ...COPY, filesystem: 'other', content: 'other' }),
      record(1, { ...COPY, content: 'older' }),
      record(2, { ...COPY, filesystem: 'f2', content: 'c2' }),
    ];
    assert.equal(explainMiss(inputs({ ...COPY, content: 'c9' }), remembered), 'the content it copies changed');
    assert.equal(explainMiss(inputs({ ...COPY, content: 'c2' }), remembered), 'what it stands on changed');
  });

  it('knows a step that was rewritten in its place, and one that never was', () => {
    assert.equal(explainMiss(inputs({ ...RUN, command: 'make all' }), [record(1, RUN)]), 'the command changed');
    assert.equal(explainMiss(inputs(RUN), [record(1, COPY)]), 'no such step was built here before');
    assert.equal(explainMiss(inputs(RUN), []), 'no such step was built here before');
  });

  it('says when all is equal and the result itself has gone', () => {
    assert.equal(explainMiss(inputs(RUN), [record(1, RUN)]), 'its result is no longer in the store');
  });
});
