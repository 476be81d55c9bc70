import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { openDefaultMounts, parseMountsConf } from '../../../src/container/default-mounts.ts';
import type { Engine } from '../../../src/container/engine.ts';
import { isBuilderError } from '../../../src/report/builder-error.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'slipway-mounts-'));
  mkdirSync(join(root, 'scratch'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const engine = (o: object): Engine =>
  ({
    store: { scratch: { path: join(root, 'scratch') } },
    cwd: root,
    env: {},
    callerUid: 1000,
    ...o,
  }) as unknown as Engine;

describe('mounts.conf', () => {
  it('is pairs of paths, or one for both', () => {
    assert.deepEqual(parseMountsConf('# note\n\n/a:/b\n /c \n', 'm'), [
      { source: '/a', target: '/b' },
      { source: '/c', target: '/c' },
    ]);
    for (const line of ['a:/b', '/a:b', '/a:/b:ro']) {
      assert.throws(
        () => parseMountsConf(`\n${line}`, 'm.conf'),
        (error) => isBuilderError(error, 'usage.invalid') && /m\.conf:2/.test(error.message),
      );
    }
  });

  it('shows copies without links, leaves out what is not there, and leaves nothing behind', () => {
    mkdirSync(join(root, 'src'));
    writeFileSync(join(root, 'key'), 'secret');
    symlinkSync(join(root, 'key'), join(root, 'src/link'));
    writeFileSync(join(root, 'm.conf'), `${root}/src:/run/secrets\n${root}/absent:/x\n`);
    {
      using mounts = openDefaultMounts(engine({ defaultMountsFile: 'm.conf' }));
      const [first, ...others] = mounts.mounts;
      assert.deepEqual(others, []);
      assert.ok(first?.type === 'bind' && first.target === '/run/secrets');
      assert.equal(readFileSync(join(first.source, 'link'), 'utf8'), 'secret');
      writeFileSync(join(first.source, 'link'), 'written inside');
    }
    assert.equal(readFileSync(join(root, 'key'), 'utf8'), 'secret');
    assert.deepEqual(readdirSync(join(root, 'scratch')), []);
  });

  it('of a user comes from the own configuration; a file that is named must exist', () => {
    mkdirSync(join(root, 'containers'));
    writeFileSync(join(root, 'containers/mounts.conf'), `${root}/containers:/s\n`);
    const env = { XDG_CONFIG_HOME: root };
    {
      using mounts = openDefaultMounts(engine({ env }));
      assert.deepEqual(
        mounts.mounts.map(({ target }) => target),
        ['/s'],
      );
    }
    assert.throws(
      () => openDefaultMounts(engine({ defaultMountsFile: 'absent' })),
      (error) => isBuilderError(error, 'usage.invalid'),
    );
  });
});
