import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runtimeSpec } from '../../../src/run/runtime-spec.ts';
import { processSpec } from '../../support/executor-suite.ts';

test('a terminal has the size of the caller’s from the start, and without a terminal there is none', () => {
  const on = { root: '/r', rootless: true, hasTtyGroup: true, seccomp: undefined, cgroupNamespace: false };
  const sizeIn = (terminal: boolean, size?: { rows: number; columns: number }) => {
    const conditions = { ...on, scratchFor: String, ...(size === undefined ? {} : { terminalSize: size }) };
    const spec = runtimeSpec(processSpec(['x'], { terminal }), conditions) as { process: { consoleSize?: object } };
    return spec.process.consoleSize;
  };
  assert.deepEqual(sizeIn(true, { rows: 30, columns: 70 }), { height: 30, width: 70 });
  assert.equal(sizeIn(true), undefined);
  assert.equal(sizeIn(false, { rows: 30, columns: 70 }), undefined);
});
