/** `system df` and `system prune` on stores that were really filled, as root and as an ordinary user. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { PrunedStore, StoreUsage } from '../../src/index.ts';
import { accountsAndDrivers } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { command, firstReason } from '../support/command.ts';
import { Rig } from '../support/rig.ts';

const MIB = 1024 * 1024;

async function killGroup(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  process.kill(-child.pid!, 'SIGKILL');
  await ended;
}

describe('the store as a whole', {
  skip: firstReason(staticBusybox() === undefined && 'not installed: a static busybox'),
}, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-system-'));
  const context = join(scratch, 'context');
  before(() => {
    makeBusyboxBase(join(scratch, 'busybox'));
    mkdirSync(context);
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));
  const write = (text: string): void => {
    writeFileSync(join(context, 'Dockerfile'), `FROM localhost/latest\n${text}\n`);
    command('chmod', ['-R', 'u=rwX,go=rX', scratch]);
  };
  const filled = (mib: number, name: string): string =>
    `dd if=/dev/zero of=/${name} bs=1048576 count=${mib} 2>/dev/null`;

  for (const { name, account, drivers } of accountsAndDrivers()) {
    for (const driver of drivers) {
      it(`is measured and cleaned, ${name}, ${driver}`, { skip: typeof account === 'string' && account }, async () => {
        if (typeof account === 'string') return;
        await using rig = await Rig.open({ account, driver });
        const usage = (): StoreUsage => JSON.parse(rig.run('system', 'df', '--json'));
        const prune = (...words: string[]): PrunedStore =>
          JSON.parse(rig.run('system', 'prune', '--force', '--json', ...words));
        const images = (): string[] => rig.run('images', '--format', '{{.Name}}').split('\n').sort();
        assert.equal(usage().images.sizeBytes, 0);

        rig.run('pull', '-q', `oci:${join(scratch, 'busybox')}:latest`);
        write(`RUN ${filled(4, 'one')}`);
        rig.run('build', '-q', '-t', 'one', context);
        write(`RUN ${filled(4, 'one')}\nRUN --mount=type=cache,target=/c ${filled(2, 'c/kept')}; ${filled(3, 'two')}`);
        rig.run('build', '-q', '--layers', '-t', 'two', context);
        const container = rig.run('from', '--pull-never', 'two');
        rig.run('run', container, 'sh', '-c', filled(5, 'work'));

        const { images: found, containers, buildCache, cacheMounts } = usage();
        assert.deepEqual([found.total, found.active, containers.total, cacheMounts.total], [3, 1, 1, 1]);
        assert.ok(buildCache.total >= 2);
        const two = found.entries.find(({ names }) => names[0] === 'localhost/two:latest')!;
        assert.ok(
          two.sizeBytes >= 7 * MIB && two.sharedBytes >= MIB && two.uniqueBytes >= 3 * MIB,
          JSON.stringify(two),
        );
        assert.equal(two.sizeBytes, two.sharedBytes + two.uniqueBytes);
        assert.equal(two.containers, 1);
        assert.ok(containers.sizeBytes >= 5 * MIB);
        assert.ok(cacheMounts.sizeBytes >= 2 * MIB && cacheMounts.sizeBytes < 3 * MIB);
        assert.match(rig.run('system', 'df'), /^Images +3 +1 +/m);
        assert.match(rig.run('system', 'df', '-v'), /^localhost\/two:latest +[0-9a-f]{12} .* 1$/m);

        // Nothing is old enough; then the steps go, then all that is unused. What the container stands on stays.
        assert.deepEqual(prune('--all', '--filter', 'until=1').removed, []);
        assert.deepEqual([usage().buildCache.total, images().length], [buildCache.total, 3]);
        const first = prune();
        assert.deepEqual([first.removed, first.isPostponed, usage().buildCache.total], [[], false, 0]);
        assert.equal(images().length, 3);
        rig.run('tag', 'one', 'other');
        const before = usage();
        const second = prune('--all');
        assert.deepEqual(second.untagged.toSorted(), [
          'localhost/latest:latest',
          'localhost/one:latest',
          'localhost/other:latest',
        ]);
        assert.deepEqual([second.removed.length, second.caches.length], [2, 1]);
        assert.deepEqual(images(), ['localhost/two']);
        const after = usage();
        assert.ok(second.freedBytes >= 4 * MIB, JSON.stringify(second));
        const lost = before.images.sizeBytes - after.images.sizeBytes + before.cacheMounts.sizeBytes;
        assert.ok(
          Math.abs(lost + before.unreferencedBytes - second.freedBytes) < MIB / 4,
          `${lost} ${second.freedBytes}`,
        );
        assert.equal(after.unreferencedBytes, 0);
        assert.equal(rig.run('run', container, 'sh', '-c', 'ls /one /two /work'), '/one\n/two\n/work');

        // Beside another program nothing it may be about to name is touched.
        rig.run('pull', '-q', `oci:${join(scratch, 'busybox')}:latest`);
        write('RUN sleep 30');
        const other = rig.start(['build', '-t', 'slow', context]);
        await using _ = { [Symbol.asyncDispose]: () => killGroup(other) };
        const isRunning = (): boolean =>
          rig.try(['system', 'prune', '--force', '--json']).stdout.includes('"isPostponed": true');
        for (let n = 0; n < 100 && !isRunning(); n++) await pause(50);
        rig.run('rm', container);
        const third = prune('--all');
        assert.deepEqual([third.isPostponed, third.untagged.includes('localhost/two:latest')], [true, true]);
        await killGroup(other);
        for (let n = 0; n < 100 && prune().isPostponed; n++) await pause(50);
        const left = usage();
        assert.deepEqual([left.images.sizeBytes, left.containers.total, left.unreferencedBytes], [0, 0, 0]);
      });
    }
  }
});
