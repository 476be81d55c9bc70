/** Groups of killed runs, on directories that stand for a hierarchy: `rmdir` and `cgroup.procs` are all that counts. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { sweepCgroups } from '../../../src/run/stale-cgroups.ts';

const NOW = Date.now();
const HOUR_MS = 3_600_000;

describe('sweepCgroups', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'slipway-cgroups-'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const group = (path: string, ageMs = HOUR_MS): string => {
    const place = join(root, path);
    mkdirSync(place, { recursive: true });
    utimesSync(place, (NOW - ageMs) / 1000, (NOW - ageMs) / 1000);
    return place;
  };
  const sweep = () => sweepCgroups({ roots: [root], now: NOW });

  it('removes empty groups of ours wherever they are, with those below them', () => {
    const top = group('slipway-0123456789ab');
    const deep = group('system.slice/session/slipway-abcdef012345');
    group('slipway-0123456789ab/inner');
    group('slipway-0123456789ab');
    assert.deepEqual([...sweep()].sort(), [top, deep].sort());
    assert.deepEqual(
      [existsSync(top), existsSync(deep), existsSync(join(root, 'system.slice/session'))],
      [false, false, true],
    );
  });

  it('leaves groups of others, of names that only look like ours, and those just made', () => {
    const kept = ['docker', 'slipway', 'slipway-0123456789abc', 'slipway-0123456789AB', 'x-slipway-0123456789ab'].map(
      (name) => group(name),
    );
    const young = group('slipway-000000000001', 1000);
    assert.deepEqual(sweep(), []);
    assert.ok([...kept, young].every((path) => existsSync(path)));
  });

  it('leaves a group in which there is a process, in itself or further down', () => {
    const itself = group('slipway-000000000002');
    writeFileSync(join(itself, 'cgroup.procs'), '17\n');
    group('slipway-000000000003');
    const below = group('slipway-000000000003/inner');
    writeFileSync(join(below, 'cgroup.procs'), '17\n');
    const sibling = group('slipway-000000000003/empty');
    for (const path of [itself, join(root, 'slipway-000000000003')]) utimesSync(path, 1, 1);
    assert.deepEqual(sweep(), []);
    assert.ok([itself, below, sibling].every((path) => existsSync(path)));
  });

  it('leaves an empty group whose container a process is about', async () => {
    const name = 'slipway-0a0b0c0d0e0f';
    const place = group(name);
    const runtime = spawn('/bin/sh', ['-c', 'echo; read -r line', name], { stdio: ['pipe', 'pipe', 'ignore'] });
    try {
      await once(runtime.stdout, 'data');
      assert.deepEqual(sweep(), []);
    } finally {
      runtime.stdin.end();
      await once(runtime, 'exit');
    }
    assert.deepEqual(sweep(), [place]);
  });
});
