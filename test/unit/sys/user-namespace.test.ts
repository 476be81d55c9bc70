import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { type currentNamespace, idMapCovers } from '../../../src/sys/user-namespace.ts';

const MODULE = new URL('../../../src/sys/user-namespace.js', import.meta.url).href;

test('an id is covered inside its ranges only', () => {
  const map = [
    { inside: 0, outside: 1000, length: 1 },
    { inside: 1, outside: 100000, length: 65535 },
  ];
  const covered = [0, 1, 65535, 65536, 4294967295].map((id) => idMapCovers(id, map));
  assert.deepEqual(covered, [true, true, true, false, false]);
});

test('a namespace with one id knows who it was made by', (t) => {
  const ask = `const { currentNamespace: f } = await import('${MODULE}'); console.log(JSON.stringify(f()))`;
  const { SLIPWAY_ROOTLESS_UID: _, ...env } = process.env;
  const done = spawnSync('unshare', ['--user', '--map-root-user', process.execPath, '--input-type=module', '-e', ask], {
    encoding: 'utf8',
    env,
  });
  if (done.status !== 0) return t.skip(`user namespaces do not work here: ${done.stderr.trim()}`);
  const facts = JSON.parse(done.stdout) as ReturnType<typeof currentNamespace>;
  assert.deepEqual(
    { isInitial: facts.isInitial, uidMap: facts.uidMap, rootlessUid: facts.rootlessUid },
    {
      isInitial: false,
      uidMap: [{ inside: 0, outside: process.getuid?.(), length: 1 }],
      rootlessUid: process.getuid?.(),
    },
  );
});
