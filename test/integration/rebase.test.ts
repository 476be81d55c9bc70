/** Images put onto other bases, as root and as an ordinary user, on both drivers; podman runs what comes out. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { accountsAndDrivers } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { command, firstReason, missingPrograms } from '../support/command.ts';
import { Rig } from '../support/rig.ts';

describe('rebase', { skip: firstReason(staticBusybox() === undefined && 'not installed: a static busybox') }, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-rebase-'));
  const context = join(scratch, 'context');
  before(() => {
    makeBusyboxBase(join(scratch, 'busybox'));
    mkdirSync(context);
    const base = (version: string, more = ''): string =>
      `FROM localhost/latest\nENV VERSION=${version} PATH=/${version}:$PATH\nLABEL of=base v=${version}\n` +
      `RUN echo ${version} > /version; mkdir /shared; echo ${version} > /shared/base\n${more}`;
    writeFileSync(join(context, 'Base1'), base('1'));
    writeFileSync(join(context, 'Base2'), base('2', 'RUN echo fixed > /fixed\n'));
    writeFileSync(
      join(context, 'App'),
      'FROM base:1\nENV PATH=/app:$PATH MODE=app\nRUN echo app > /shared/app; echo "$VERSION" > /built-on\nCMD ["cat", "/version", "/shared/app", "/built-on"]\n',
    );
    command('chmod', ['-R', 'u=rwX,go=rX', scratch]);
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  for (const { name, account, drivers } of accountsAndDrivers()) {
    for (const driver of drivers) {
      it(`exchanges layers and merges configs, ${name}, ${driver}`, {
        skip: typeof account === 'string' && account,
      }, async () => {
        if (typeof account === 'string') return;
        await using rig = await Rig.open({ account, driver });
        rig.run('pull', '-q', `oci:${join(scratch, 'busybox')}:latest`);
        const build = (file: string, tag: string, ...words: string[]): string =>
          rig.run('build', '-q', ...words, '-f', join(context, file), '-t', tag, context);
        build('Base1', 'base:1', '--layers');
        build('Base2', 'base:2', '--layers');
        build('App', 'app:1', '--layers');
        const inspect = (image: string) => {
          const json = JSON.parse(rig.run('inspect', '-t', 'image', image));
          return { ...json.OCIv1, annotations: json.ImageAnnotations, id: json.FromImageID };
        };

        const id = rig.run('rebase', '--onto', 'base:2', '-t', 'app:2', 'app:1');
        assert.match(id, /^[0-9a-f]{64}$/);
        const [app1, app2, base1, base2] = ['app:1', 'app:2', 'base:1', 'base:2'].map(inspect);
        const diffIds = app2.rootfs.diff_ids as string[];
        assert.equal(app2.id, id);
        assert.deepEqual(diffIds, [
          ...base2.rootfs.diff_ids,
          ...app1.rootfs.diff_ids.slice(base1.rootfs.diff_ids.length),
        ]);
        const env = app2.config.Env as string[];
        assert.ok(env.includes('VERSION=2') && env.includes('MODE=app'), env.join());
        assert.match(env.find((entry) => entry.startsWith('PATH='))!, /^PATH=\/app:\/2:/);
        assert.deepEqual([app2.config.Labels.v, app2.config.Labels.of], ['2', 'base']);
        assert.equal(app2.annotations['org.opencontainers.image.base.name'], 'localhost/base:2');
        const layersTold = app2.history.filter((entry: { empty_layer?: boolean }) => entry.empty_layer !== true);
        assert.equal(layersTold.length, diffIds.length);
        const container = rig.run('from', '--pull-never', 'app:2');
        const cat = ['cat', '/version', '/shared/base', '/shared/app', '/fixed', '/built-on'];
        assert.equal(rig.run('run', container, ...cat), '2\n2\napp\nfixed\n1');
        assert.equal(JSON.parse(rig.run('system', 'check', '--json', '--read-data')).isSound, true);

        // Back again it is what it was; times fixed, the same twice.
        rig.run('rebase', '--onto', 'base:1', '-t', 'app:3', 'app:2');
        assert.deepEqual(inspect('app:3').rootfs, app1.rootfs);
        assert.deepEqual(inspect('app:3').config, app1.config);
        const fixed = () => rig.run('rebase', '--timestamp', '0', '--onto', 'base:2', 'app:1');
        assert.equal(fixed(), fixed());

        // The old base, told by name or by layers, or not at all.
        rig.run('rmi', 'base:1');
        assert.equal(
          rig.run('rebase', '--timestamp', '0', '--onto', 'base:2', '--old-base', 'localhost/latest', 'app:1').length,
          64,
        );
        assert.equal(rig.run('rebase', '--onto', 'base:2', '-t', 'guessed', 'app:1').length, 64);
        assert.equal(
          inspect('guessed').rootfs.diff_ids.length,
          base2.rootfs.diff_ids.length + app1.rootfs.diff_ids.length - 1,
        );
        const wrong = rig.try(['rebase', '--onto', 'localhost/latest', '--old-base', 'base:2', 'app:1']);
        assert.equal(wrong.status, 125);
        assert.match(
          wrong.stderr,
          /cannot rebase app:1: it does not stand on that base, whose layer 2 of 3 is another/,
        );
        rig.run('rmi', 'localhost/latest:latest');
        const squashed = rig.run('commit', '-q', '--squash', container, 'squashed');
        assert.equal(squashed.length, 64);
        const unknown = rig.try(['rebase', '--onto', 'base:2', '--old-base', 'app:2', 'squashed']);
        assert.match(unknown.stderr, /does not stand on that base[\s\S]*squashed/);
        assert.match(rig.try(['rebase', 'app:1']).stderr, /the new base must be named: --onto IMAGE/);

        if (account.kind !== 'root' || driver !== 'overlay' || missingPrograms('podman', 'runc') !== false) return;
        const archive = join(rig.folder, 'work/app.tar');
        rig.run('push', '-q', 'app:2', `oci-archive:${archive}:app2`);
        const store = ['--root', join(scratch, 'podman'), '--runroot', join(scratch, 'podman-run')];
        const global = [...store, '--storage-driver', 'vfs', '--runtime', 'runc', '--cgroup-manager', 'cgroupfs'];
        const limits = ['--ulimit=nofile=1024:1024', '--ulimit=nproc=1024:1024'];
        const flags = ['--rm', '--network=none', ...limits];
        const said = command('podman', [...global, '--events-backend=none', 'run', ...flags, `oci-archive:${archive}`]);
        assert.equal(said.trim(), '2\napp\n1');
      });
    }
  }
});
