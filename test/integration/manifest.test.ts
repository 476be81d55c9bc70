/** `manifest`: lists made by hand, held to what Buildah prints where it prints something. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { accounts } from '../support/account.ts';
import { command, firstReason, missingPrograms } from '../support/command.ts';
import { RegistryServer } from '../support/registry-server.ts';
import { Rig } from '../support/rig.ts';

interface Entry {
  readonly digest: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform: Readonly<Record<string, unknown>>;
}

describe('manifest', { skip: firstReason(missingPrograms('skopeo', 'docker-registry')) }, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-manifest-'));
  const context = join(scratch, 'context');
  before(() => {
    mkdirSync(context);
    writeFileSync(
      join(context, 'Dockerfile'),
      'FROM scratch\nARG TARGETARCH\nLABEL arch=$TARGETARCH\nCOPY Dockerfile /\n',
    );
    command('chmod', ['-R', 'u=rwX,go=rX', scratch]);
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  for (const { name, account } of accounts()) {
    it(`makes, changes, pushes and removes lists, ${name}`, {
      skip: typeof account === 'string' && account,
    }, async () => {
      if (typeof account === 'string') return;
      await using rig = await Rig.open({ account });
      await using registry = await RegistryServer.start();
      for (const arch of ['amd64', 'arm64']) rig.run('build', '-q', '--arch', arch, '-t', arch, context);
      const entries = (list = 'all'): Entry[] => JSON.parse(rig.run('manifest', 'inspect', list)).manifests;

      const id = rig.run('manifest', 'create', '--annotation', 'made=here', 'all', 'amd64');
      assert.match(id, /^[0-9a-f]{64}$/);
      assert.equal(rig.try(['manifest', 'create', 'all']).status, 125);
      assert.equal(rig.run('manifest', 'create', '--amend', 'all'), id);
      const added = rig.run('manifest', 'add', '--annotation', 'a=b', '--os-features', 'x,y', 'all', 'arm64');
      assert.equal(added, `${id}: ${entries()[1]!.digest}`);
      assert.deepEqual(entries()[1]!.platform, { os: 'linux', architecture: 'arm64', 'os.features': ['x', 'y'] });
      assert.deepEqual(entries()[1]!.annotations, { a: 'b' });

      rig.run('manifest', 'annotate', '--variant', 'v9', 'all', entries()[1]!.digest);
      assert.equal(entries()[1]!.platform['variant'], 'v9');
      rig.run('manifest', 'annotate', '--variant', '', 'all', 'arm64');
      assert.equal(rig.run('manifest', 'annotate', '--index', '--annotation', 'more=yes', 'all'), id);
      assert.deepEqual(JSON.parse(rig.run('manifest', 'inspect', 'all')).annotations, { made: 'here', more: 'yes' });

      assert.equal(rig.try(['manifest', 'exists', 'all']).status, 0);
      assert.equal(rig.try(['manifest', 'exists', 'amd64']).status, 1);
      assert.equal(rig.try(['manifest', 'exists', 'nothing']).status, 1);

      const place = `docker://${registry.host}/all:1`;
      rig.run(
        'manifest',
        'push',
        '-q',
        '--tls-verify=false',
        '--digestfile',
        join(rig.folder, 'work/digest'),
        'all',
        place,
      );
      const raw = command('skopeo', ['inspect', '--raw', '--tls-verify=false', place]);
      assert.equal(JSON.parse(raw).manifests.length, 2);
      const remote = JSON.parse(rig.run('manifest', 'inspect', '--tls-verify=false', place));
      assert.deepEqual(remote, JSON.parse(raw));

      // One image of a list that is elsewhere, or all of them.
      rig.run('manifest', 'create', 'other');
      rig.run('manifest', 'add', '--tls-verify=false', '--arch', 'arm64', 'other', place);
      assert.deepEqual(
        entries('other').map(({ platform }) => platform['architecture']),
        ['arm64'],
      );
      rig.run('manifest', 'add', '--tls-verify=false', '--all', 'other', place);
      assert.equal(entries('other').length, 2);
      const [gone] = entries('other');
      assert.equal(rig.run('manifest', 'remove', 'other', gone!.digest).split(': ')[1], gone!.digest);
      assert.equal(entries('other').length, 1);
      assert.match(rig.try(['manifest', 'remove', 'other', gone!.digest]).stderr, /has no entry sha256:/);

      assert.match(rig.run('manifest', 'rm', 'other'), /^untagged: localhost\/other:latest\n[0-9a-f]{64}$/);
      assert.equal(rig.try(['manifest', 'rm', 'amd64']).status, 125);
      assert.match(rig.try(['manifest', 'frobnicate']).stderr, /unknown command "frobnicate" for "slipway manifest"/);
      assert.match(rig.run('manifest'), /annotate {2}Change what a list says/);
    });
  }
});
