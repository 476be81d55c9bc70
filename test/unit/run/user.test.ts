import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { resolveUser } from '../../../src/run/user.ts';

describe('resolveUser', () => {
  let root = '';
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'slipway-user-'));
    mkdirSync(join(root, 'etc'));
    writeFileSync(
      join(root, 'etc/passwd'),
      'root:x:0:0:root:/root:/bin/sh\nweb:x:33:34:Web:/srv/web:/bin/sh\n1000:x:7:7::/evil:\n4294967296:x:0:0::/:\n# note\nbad:x:-1:0::/:\n',
    );
    writeFileSync(join(root, 'etc/group'), 'root:x:0:\nwww:x:34:\nadm:x:4:web,root\nlog:x:5:web\n');
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const cases = [
    [undefined, { uid: 0, gid: 0, groups: [4], home: '/root' }],
    ['', { uid: 0, gid: 0, groups: [4], home: '/root' }],
    ['web', { uid: 33, gid: 34, groups: [4, 5], home: '/srv/web' }],
    ['33', { uid: 33, gid: 34, groups: [4, 5], home: '/srv/web' }],
    ['web:adm', { uid: 33, gid: 4, groups: [], home: '/srv/web' }],
    ['web:', { uid: 33, gid: 34, groups: [4, 5], home: '/srv/web' }],
    ['500:600', { uid: 500, gid: 600, groups: [], home: '/' }],
    ['500', { uid: 500, gid: 0, groups: [], home: '/' }],
    ['1000', { uid: 1000, gid: 0, groups: [], home: '/' }],
  ] as const;
  for (const [user, expected] of cases) {
    test(`${JSON.stringify(user)}`, () => assert.deepEqual(resolveUser(root, user), expected));
  }

  for (const user of [
    '4294967296',
    '2147483648',
    '-1',
    '0x0',
    'nobody-here',
    'web:nogroup',
    'a:b:c',
    ':5',
    'bad',
    '0:4294967296',
  ]) {
    test(`B49 refuses ${JSON.stringify(user)}`, () => {
      assert.throws(() => resolveUser(root, user), { code: 'usage.invalid' });
    });
  }

  test('B50 does not hang on, or read, what is not a small regular file', () => {
    const passwd = join(root, 'etc/passwd');
    rmSync(passwd);
    spawnSync('mkfifo', [passwd]);
    assert.throws(() => resolveUser(root, 'web'), { code: 'run.start-failed' });
    rmSync(passwd);
    writeFileSync(passwd, '');
    truncateSync(passwd, 5 * 1024 ** 3);
    assert.throws(() => resolveUser(root, 'web'), { code: 'run.start-failed' });
  });

  test('resolves links inside the root', () => {
    rmSync(join(root, 'etc/passwd'));
    symlinkSync('/etc/group', join(root, 'etc/passwd'));
    assert.throws(() => resolveUser(root, 'daemon'), { code: 'usage.invalid' });
  });

  test('an image without passwd has root only', () => {
    rmSync(join(root, 'etc'), { recursive: true });
    assert.deepEqual(resolveUser(root, undefined), { uid: 0, gid: 0, groups: [], home: '/' });
  });
});
