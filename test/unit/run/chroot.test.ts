import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ChrootExecutor } from '../../../src/run/chroot.ts';
import { mayMount } from '../../../src/sys/user-namespace.ts';
import { busyboxProblem, busyboxRoot, execute, executorSuite, processSpec } from '../../support/executor-suite.ts';

const problem = busyboxProblem() ?? (mayMount() ? undefined : 'needs the right to mount');

executorSuite('chroot', problem, () => new ChrootExecutor());

describe('chroot', { skip: problem ?? false }, () => {
  let root = '';
  before(() => {
    root = busyboxRoot();
  });
  after(() => rmSync(root, { recursive: true, force: true }));

  test('F26 reports a signal that ended the process', async () => {
    const { status } = await execute(new ChrootExecutor(), root, processSpec(['sh', '-c', 'kill -9 $$']));
    assert.deepEqual(status, { kind: 'signaled', signal: 'SIGKILL' });
  });

  test('default signal dispositions: a broken pipe ends the writer', async () => {
    const { out } = await execute(new ChrootExecutor(), root, processSpec(['grep', 'Sig[BI]', '/proc/self/status']));
    assert.match(out, /SigBlk:\t0{16}/);
    assert.match(out, /SigIgn:\t0{16}/);
  });

  test('orphans are reaped, so that waiting for a daemon to go away ends', async () => {
    const script = '(sh -c "exit 0" &); (sleep 0.2 &); sleep 0.5; grep -l "State:.Z" /proc/[0-9]*/status; true';
    const { out } = await execute(new ChrootExecutor(), root, processSpec(['sh', '-c', script]));
    assert.equal(out, '');
  });

  test('moving the root instead of pivoting works as well', async () => {
    const { out } = await execute(new ChrootExecutor({ noPivot: true }), root, processSpec(['ls', '/']));
    assert.match(out, /^data$/m);
    assert.doesNotMatch(out, /boot/);
  });

  test('a terminal of its own', async () => {
    const spec = processSpec(['sh', '-c', 'test -t 0 && test -t 1 && echo yes >/dev/tty'], { terminal: true });
    const { out, status } = await execute(new ChrootExecutor(), root, spec);
    assert.deepEqual({ out, status }, { out: 'yes\r\n', status: { kind: 'exited', code: 0 } });
  });

  for (const uid of [0, 1000]) {
    test(`limits hold for a process of user ${uid} and not for us`, async () => {
      const limits = [{ name: 'nofile', soft: 100, hard: 200 }];
      const more = { limits, user: { uid, gid: uid, groups: [] } };
      const { out } = await execute(
        new ChrootExecutor(),
        root,
        processSpec(['sh', '-c', 'ulimit -Sn; ulimit -Hn; ls /dev'], more),
      );
      assert.match(out, /^100\n200\n/);
      assert.doesNotMatch(out, /gate/);
      assert.doesNotMatch(readFileSync('/proc/self/limits', 'utf8'), /Max open files +100 /);
      assert.equal(process.getuid?.(), 0);
    });
  }

  test('what is hidden can be shown, and more can be hidden', async () => {
    const script =
      'head -c1 /proc/keys | wc -c; (echo 0 >/proc/sys/vm/nosuch) 2>&1 | grep -c -i read-only; cat /data/secret';
    const more = { unmaskPaths: ['/proc/keys', '/proc/sys'], maskPaths: ['/data/secret'] };
    writeFileSync(join(root, 'data/secret'), 'secret');
    const { out } = await execute(new ChrootExecutor(), root, processSpec(['sh', '-c', script], more));
    assert.equal(out, '1\n0\n');
  });

  test('B55 refuses a mount propagation that is a mount option', async () => {
    const mounts = [{ type: 'bind', source: '/etc', target: '/x', readOnly: true, propagation: 'suid' }] as const;
    await assert.rejects(execute(new ChrootExecutor(), root, processSpec(['true'], { mounts })), {
      code: 'usage.invalid',
    });
  });
});
