/** What leaves a build: lists of platforms, archives, registries, files, stage images, metadata. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { accounts } from '../support/account.ts';
import { command, firstReason, missingPrograms } from '../support/command.ts';
import { RegistryServer } from '../support/registry-server.ts';
import { Rig } from '../support/rig.ts';

const FILE = `
FROM scratch AS tool
COPY note /note
FROM scratch
ARG TARGETPLATFORM
LABEL platform=$TARGETPLATFORM
COPY --from=tool /note /note
`;

interface Index {
  readonly manifests: readonly { readonly platform: { readonly architecture: string }; readonly digest: string }[];
}

const architectures = (raw: string): string[] =>
  (JSON.parse(raw) as Index).manifests.map(({ platform }) => platform.architecture);

describe('what leaves a build', { skip: firstReason(missingPrograms('skopeo', 'docker-registry')) }, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-outputs-'));
  const context = join(scratch, 'context');
  before(() => {
    mkdirSync(context);
    writeFileSync(join(context, 'Dockerfile'), FILE);
    writeFileSync(join(context, 'note'), 'hello\n');
    command('chmod', ['-R', 'u=rwX,go=rX', scratch]);
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  for (const { name, account } of accounts()) {
    describe(name, { skip: typeof account === 'string' && account }, () => {
      const withRig = (title: string, act: (rig: Rig, out: (name: string) => string) => void | Promise<void>): void => {
        it(title, async () => {
          if (typeof account === 'string') return;
          await using rig = await Rig.open({ account });
          await act(rig, (file) => join(rig.folder, 'work', file));
        });
      };

      withRig('several platforms become a list that goes to a registry and comes back for each', async (rig) => {
        await using registry = await RegistryServer.start();
        const id = rig.run('build', '-q', '--platform', 'linux/amd64,linux/arm64', '--manifest', 'many', context);
        assert.match(id, /^[0-9a-f]{64}$/);
        assert.deepEqual(architectures(rig.run('inspect', 'many')), ['amd64', 'arm64']);
        rig.run('push', '-q', '--all', '--tls-verify=false', 'many', `docker://${registry.host}/many:1`);
        for (const architecture of ['amd64', 'arm64']) {
          const image = rig.run('pull', '-q', '--tls-verify=false', '--arch', architecture, `${registry.host}/many:1`);
          const labels = JSON.parse(
            rig.run('inspect', '--type', 'image', '--format', '{{json .OCIv1.Config.Labels}}', image),
          );
          assert.equal(labels.platform, `linux/${architecture}`);
        }
        // A second build puts its image into the same list, which keeps its id.
        assert.equal(rig.run('build', '-q', '--platform', 'linux/s390x', '--manifest', 'many', context), id);
        assert.deepEqual(architectures(rig.run('inspect', 'many')), ['amd64', 'arm64', 's390x']);
        const refused = rig.try(['build', '-t', 'one', '-q', context]);
        assert.equal(refused.status, 0, refused.stderr);
        assert.match(rig.try(['build', '-q', '--manifest', 'one', context]).stderr, /one is an image, not a list/);
      });

      withRig('archives, layouts and registries take the image or the index of all', async (rig, out) => {
        await using registry = await RegistryServer.start();
        const outputs = [
          `type=oci,dest=${out('many.tar')},name=many:1`,
          `type=oci,dest=${out('layout')},tar=false`,
          `type=registry,name=${registry.host}/many:2,registry.insecure=true`,
          `type=local,dest=${out('files')}`,
        ].flatMap((output) => ['-o', output]);
        rig.run('build', '-q', '--platform', 'linux/amd64,linux/arm64', ...outputs, context);
        const raw = (image: string): string => command('skopeo', ['inspect', '--raw', '--tls-verify=false', image]);
        assert.deepEqual(architectures(raw(`oci-archive:${out('many.tar')}`)), ['amd64', 'arm64']);
        assert.deepEqual(architectures(raw(`oci:${out('layout')}`)), ['amd64', 'arm64']);
        assert.deepEqual(architectures(raw(`docker://${registry.host}/many:2`)), ['amd64', 'arm64']);
        assert.equal(readFileSync(join(out('files'), 'linux_arm64/note'), 'utf8'), 'hello\n');

        rig.run('build', '-q', '-o', `type=docker,dest=${out('one.tar')},name=one:1`, context);
        assert.match(raw(`docker-archive:${out('one.tar')}`), /"schemaVersion":\s*2/);
        const piped = rig.must(['build', '-q', '-o', 'type=tar,dest=-', context]);
        assert.match(String(piped.stdout), /note/);
      });

      withRig('stage images are kept with labels of their own, and metadata names what was built', (rig, out) => {
        const flags = ['--save-stages', '--stage-labels', '--layer-label', 'kept=yes'];
        rig.run('build', '-q', ...flags, '-t', 'final', '--metadata-file', out('meta.json'), context);
        const meta = JSON.parse(readFileSync(out('meta.json'), 'utf8'));
        assert.equal(meta['image.name'], 'localhost/final:latest');
        assert.equal(meta['containerimage.digest'], meta['containerimage.descriptor'].digest);
        const kept = rig.run('images', '-q', '--no-trunc', '--filter', 'label=kept=yes');
        const format = '{{json .OCIv1.Config.Labels}}';
        const labels = JSON.parse(
          rig.run('inspect', '--type', 'image', '--format', format, kept.replace('sha256:', '')),
        );
        assert.equal(labels['io.buildah.stage.name'], 'tool');
        assert.equal(labels['io.buildah.stage.base'], 'scratch');
        const final = JSON.parse(rig.run('inspect', '--type', 'image', '--format', format, 'final'));
        assert.equal(final.kept, undefined);
      });

      withRig('what cannot be done is refused before anything is built', (rig, out) => {
        const both = ['--platform', 'linux/amd64,linux/arm64'];
        const cases: readonly [readonly string[], RegExp][] = [
          [[...both, '--iidfile', out('id')], /building multiple images, but iidfile/],
          [[...both, '-o', 'type=tar,dest=-'], /several platforms cannot be written as one tar/],
          [
            [...both, '-o', `type=docker,dest=${out('d')}`],
            /several platforms cannot be written as one docker archive/,
          ],
          [['--layer-label', 'a=b'], /--layer-label is not supported without --save-stages/],
          [['--stage-labels'], /--stage-labels requires --save-stages/],
        ];
        for (const [flags, message] of cases) {
          const result = rig.try(['build', ...flags, context]);
          assert.equal(result.status, 125, flags.join(' '));
          assert.match(result.stderr, message);
          assert.equal(rig.run('images', '-q'), '');
        }
        rig.run('build', '-q', '-o', 'type=cacheonly', context);
        assert.equal(rig.run('images', '-q'), '');
        assert.equal(existsSync(out('d')), false);
      });
    });
  }
});
