/** The caches of RUN mounts as things of their own: listed, carried to another machine, removed. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { accounts } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { command, firstReason } from '../support/command.ts';
import { Rig } from '../support/rig.ts';

describe('caches of RUN mounts', {
  skip: firstReason(staticBusybox() === undefined && 'not installed: a static busybox'),
}, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-caches-'));
  const context = join(scratch, 'context');
  before(() => {
    makeBusyboxBase(join(scratch, 'busybox'));
    mkdirSync(context);
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  const write = (run: string): void => {
    writeFileSync(join(context, 'Dockerfile'), `FROM localhost/latest\n${run}\n`);
    command('chmod', ['-R', 'u=rwX,go=rX', scratch]);
  };

  for (const { name, account } of accounts()) {
    it(`are listed, carried, and left alone while they are used, ${name}`, {
      skip: typeof account === 'string' && account,
    }, async () => {
      if (typeof account === 'string') return;
      await using rig = await Rig.open({ account });
      await using other = await Rig.open({ account });
      for (const one of [rig, other]) one.run('pull', '-q', `oci:${join(scratch, 'busybox')}:latest`);
      write(
        'RUN --mount=type=cache,id=npm,target=/c,uid=7,mode=0750 ' +
          'echo kept > /c/file && chown 7:8 /c/file && ln -s file /c/link && dd if=/dev/zero of=/c/large bs=1024 count=64\n' +
          'RUN --mount=type=cache,target=/root/.cache true',
      );
      rig.run('build', '-q', '--layers', context);

      const listed = JSON.parse(rig.run('cache', 'ls', '--format', 'json')) as { id: string; files: number }[];
      assert.deepEqual(listed.map(({ id, files }) => [id, files]).sort(), [
        ['/root/.cache', 0],
        ['npm', 3],
      ]);
      assert.equal(rig.run('cache', 'ls', '--format', '{{.ID}}').split('\n').sort().join(), '/root/.cache,npm');
      assert.match(rig.run('cache', 'ls'), /^ID +SIZE +FILES +LAST USED +IN USE +NAME$/m);
      assert.match(
        rig.run('cache', 'ls', '--steps'),
        /^[0-9a-f]{12} +.*RUN --mount=type=cache,target=\/root\/.cache true$/m,
      );
      assert.ok(Number(rig.run('cache', 'du', '--bytes')) >= 64 * 1024);

      // Owners and modes go along, those of the cache itself as well.
      const tar = join(rig.folder, 'work/npm.tar');
      rig.run('cache', 'export', 'npm', tar);
      assert.equal(
        command('tar', ['-tvf', tar, '--numeric-owner'])
          .split('\n')
          .filter((l) => l.includes('7/8')).length,
        1,
      );
      const carried = join(other.folder, 'work/npm.tar');
      writeFileSync(carried, readFileSync(tar));
      other.give(carried);
      other.run('cache', 'import', 'npm', carried);
      write(
        'RUN --mount=type=cache,id=npm,target=/c cat /c/file /c/link && stat -c "%u:%g %a" /c /c/file; stat -c %s /c/large',
      );
      assert.match(other.run('build', context), /^kept\nkept\n7:0 750\n7:8 644\n65536$/m);

      // A tar that breaks off changes nothing.
      writeFileSync(carried, readFileSync(tar).subarray(0, 3000));
      assert.notEqual(other.try(['cache', 'import', 'npm', carried]).status, 0);
      assert.match(other.run('build', context), /^kept$/m);
      const missing = other.try(['cache', 'export', 'nmp', carried]);
      assert.match(missing.stderr, /there is no cache "nmp"[\s\S]*did you mean npm/);
      assert.equal(readFileSync(carried).length, 3000);

      // What a build holds stays.
      write('RUN --mount=type=cache,id=npm,target=/c touch /c/started; sleep 1000');
      const running = rig.start(['build', context]);
      const isStarted = (): boolean => /npm .*yes/.test(rig.run('cache', 'ls'));
      for (let n = 0; n < 100 && !isStarted(); n++) await pause(100);
      assert.match(rig.try(['cache', 'rm', 'npm']).stderr, /the cache npm is in use by a build/);
      rig.run('cache', 'prune', '--all');
      assert.match(rig.run('cache', 'ls', '--noheading'), /^npm /);
      process.kill(-running.pid!, 'SIGKILL');
      await new Promise((resolve) => running.once('exit', resolve));
      for (let n = 0; n < 100 && isStarted(); n++) await pause(100);

      assert.equal(rig.run('cache', 'prune'), '');
      assert.equal(rig.run('cache', 'prune', '--keep-storage', '1g'), '');
      assert.match(rig.run('cache', 'prune', '--keep-storage', '1k'), /^[0-9a-f]{32}$/);
      rig.run('cache', 'prune', '--filter', 'until=1s');
      assert.equal(rig.run('cache', 'ls', '--format', 'json'), '[]');
      assert.equal(other.run('cache', 'rm', 'npm').length, 32);
      assert.equal(other.run('cache', 'size'), '0 B in 0 caches');
    });
  }
});
