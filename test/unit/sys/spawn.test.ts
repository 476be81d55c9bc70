import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { openPipe, runHelper, spawnHere, waitForExit } from '../../../src/sys/spawn.ts';

function capture(path: string, args: readonly string[], env: readonly string[] = []): { out: string; status: unknown } {
  const pipe = openPipe();
  const nothing = openSync('/dev/null', 'r');
  const started = spawnHere({ path, args, env, fds: [nothing, pipe.write, pipe.write] });
  closeSync(pipe.write);
  closeSync(nothing);
  assert.ok('pid' in started, JSON.stringify(started));
  const out = readFileSync(pipe.read, 'utf8');
  closeSync(pipe.read);
  return { out, status: waitForExit(started.pid) };
}

test('starts a program with the given arguments and environment only', () => {
  const { out, status } = capture('/usr/bin/env', ['env'], ['A=1', 'Ä=ö']);
  assert.deepEqual({ out, status }, { out: 'A=1\nÄ=ö\n', status: { kind: 'exited', code: 0 } });
});

test('keeps other descriptors to itself', () => {
  // 3 is the directory that ls itself reads.
  const { out } = capture('/bin/ls', ['ls', '/proc/self/fd']);
  assert.deepEqual(out.trim().split('\n'), ['0', '1', '2', '3']);
});

test('a signal and an exit code are told apart', () => {
  assert.deepEqual(capture('/bin/sh', ['sh', '-c', 'kill -TERM $$']).status, { kind: 'signaled', signal: 'SIGTERM' });
  assert.deepEqual(capture('/bin/sh', ['sh', '-c', 'exit 143']).status, { kind: 'exited', code: 143 });
});

test('what cannot be executed is an errno', () => {
  const start = (path: string): unknown => spawnHere({ path, args: ['x'], env: [], fds: [0, 1, 2] });
  assert.deepEqual([start('/nosuch'), start('/etc')], [{ errno: 'ENOENT' }, { errno: 'EACCES' }]);
});

test('a helper sees nothing of our environment', () => {
  process.env['CANARY'] = 'secret';
  try {
    assert.doesNotMatch(runHelper('/usr/bin/env', []).stdout, /CANARY/);
  } finally {
    delete process.env['CANARY'];
  }
});
