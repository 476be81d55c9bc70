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
      assert.equal(rig.try(['manifest', 'exists', 'amd64']).status, 125);
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

    it(`builds for two platforms, pushes and pulls each, ${name}`, {
      skip: typeof account === 'string' && account,
    }, async () => {
      if (typeof account === 'string') return;
      await using rig = await Rig.open({ account });
      await using registry = await RegistryServer.start();
      const place = `docker://${registry.host}/two:1`;
      const reference = place.slice('docker://'.length);
      const platforms = ['linux/amd64', 'linux/arm64'];
      rig.run('bud', '-q', '--platform', platforms.join(','), '--manifest', 'two', context);
      rig.run('manifest', 'push', '-q', '--all', '--tls-verify=false', 'two', place);
      rig.run('rmi', '--all', '--force');
      for (const platform of platforms) {
        const id = rig.run('pull', '-q', '--tls-verify=false', '--platform', platform, reference);
        const shown = JSON.parse(rig.run('inspect', '--type', 'image', id)).OCIv1;
        const [, architecture] = platform.split('/');
        assert.equal(shown.architecture, architecture);
        assert.equal(shown.config.Labels.arch, architecture);
        const other = JSON.parse(
          command('skopeo', ['--override-arch', architecture!, 'inspect', '--config', '--tls-verify=false', place]),
        );
        assert.deepEqual(other.rootfs.diff_ids, shown.rootfs.diff_ids);
      }
    });

    it(`pushes a list alone, in two compressions, and with artifacts, ${name}`, {
      skip: typeof account === 'string' && account,
    }, async () => {
      if (typeof account === 'string') return;
      await using rig = await Rig.open({ account });
      await using registry = await RegistryServer.start();
      const at = (tag: string) => `docker://${registry.host}/all:${tag}`;
      const push = (...words: string[]) => rig.run('manifest', 'push', '-q', '--tls-verify=false', ...words);
      const index = (tag: string) =>
        JSON.parse(command('skopeo', ['inspect', '--raw', '--tls-verify=false', at(tag)])) as {
          manifests: (Entry & { mediaType: string; artifactType?: string })[];
        };
      for (const arch of ['amd64', 'arm64']) rig.run('build', '-q', '--arch', arch, '-t', arch, context);
      rig.run('manifest', 'create', 'all', 'amd64', 'arm64');

      // Images that are nowhere near make a list nobody can use, and a registry says so.
      const lone = ['manifest', 'push', '-q', '--tls-verify=false', '--all=false', 'all', at('alone')];
      assert.equal(rig.try(lone).status, 125);
      push('--format', 'oci', 'all', at('whole'));
      push('all', at('kept'));
      rig.run('manifest', 'create', '--all', '--tls-verify=false', 'copy', at('kept'));
      push('--all=false', 'copy', at('alone'));
      assert.deepEqual(index('alone').manifests, index('kept').manifests);

      push('--add-compression', 'zstd', '--add-compression', 'gzip', 'all', at('both'));
      const { manifests } = index('both');
      assert.deepEqual(
        manifests.map(({ platform, annotations = {} }) => [platform['architecture'], Object.values(annotations)]),
        [
          ['amd64', []],
          ['arm64', []],
          ['amd64', ['true']],
          ['arm64', ['true']],
        ],
      );
      const layerTypes = manifests.map(({ digest }) => {
        const raw = command('skopeo', [
          ...['inspect', '--raw', '--tls-verify=false'],
          `docker://${registry.host}/all@${digest}`,
        ]);
        return (JSON.parse(raw).layers[0].mediaType as string).replace(/.*\./, '');
      });
      assert.deepEqual(layerTypes, ['tar+gzip', 'tar+gzip', 'tar+zstd', 'tar+zstd']);
      assert.equal(rig.run('pull', '-q', '--tls-verify=false', `${registry.host}/all:both`).length, 64);
      const refused = ['manifest', 'push', '-q', '-f', 'v2s2', '--add-compression', 'zstd', 'all', at('never')];
      assert.match(rig.try(refused).stderr, /several compressions/);

      const [text, data] = ['notes.txt', 'data'].map((file) => join(rig.folder, 'work', file));
      writeFileSync(text!, 'words\n');
      writeFileSync(data!, Buffer.from([0, 1, 2, 3]));
      rig.give(text!);
      rig.give(data!);
      const [id, digest] = rig
        .run(
          ...[
            'manifest',
            'add',
            '--artifact',
            '--artifact-type',
            'application/x-notes',
            '--artifact-annotation',
            'a=b',
          ],
          ...['--annotation', 'c=d', '--artifact-subject', 'amd64', 'all', text!, data!],
        )
        .split(': ');
      assert.match(id!, /^[0-9a-f]{64}$/);
      push('--rm', 'all', at('artifact'));
      assert.equal(rig.try(['manifest', 'exists', 'all']).status, 1);
      const entry = index('artifact').manifests.at(-1)!;
      assert.deepEqual(
        [entry.digest, entry.artifactType, entry.annotations, entry.platform],
        [digest, 'application/x-notes', { c: 'd' }, undefined],
      );
      const artifact = JSON.parse(
        command('skopeo', ['inspect', '--raw', '--tls-verify=false', `docker://${registry.host}/all@${digest}`]),
      );
      assert.deepEqual(artifact.annotations, { a: 'b' });
      assert.equal(artifact.config.mediaType, 'application/vnd.oci.empty.v1+json');
      assert.deepEqual(
        artifact.layers.map((layer: { mediaType: string; annotations: object }) => [
          layer.mediaType,
          Object.values(layer.annotations),
        ]),
        [
          ['text/plain', ['notes.txt']],
          ['application/octet-stream', ['data']],
        ],
      );
      // This registry has no list of referrers, so there is a tag for it.
      const tag = artifact.subject.digest.replace(':', '-');
      assert.deepEqual(
        index(tag).manifests.map((known) => [known.digest, known.artifactType, known.annotations]),
        [[digest, 'application/x-notes', { a: 'b' }]],
      );
      // What is only named by a list goes when the list goes.
      rig.run('prune', '--all');
    });
  }
});
