import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runtimeDanger } from '../../../src/run/runtime-version.ts';

test('runc before 1.1.12 is told of, later ones and other runtimes are not', () => {
  const old = ['1.1.11', '1.1.5+ds1', '1.0.3', '0.9.9', '1.1.12-rc1', '1.1.0-rc.1'];
  for (const version of old) {
    assert.match(runtimeDanger(`runc version ${version}\nspec: 1.0.2-dev\n`) ?? '', /CVE-2024-21626/, version);
  }
  const safe = ['1.1.12', '1.1.13+ds1', '1.2.0', '1.2.0-rc.1', '2.0.0', '1.10.1'];
  for (const version of safe) assert.equal(runtimeDanger(`runc version ${version}\n`), undefined, version);
  for (const text of ['crun version 1.0.0', 'runsc version release-20240101.0', '']) {
    assert.equal(runtimeDanger(text), undefined, text);
  }
});
