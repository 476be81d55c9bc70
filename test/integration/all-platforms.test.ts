/** `build --all-platforms`: what every base image can be had for, from indexes of a registry and of the store. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { accounts } from '../support/account.ts';
import { command, firstReason, missingPrograms } from '../support/command.ts';
import { RegistryServer } from '../support/registry-server.ts';
import { Rig } from '../support/rig.ts';

interface Index {
  readonly manifests: readonly { readonly platform: { readonly architecture: string } }[];
}

describe('build --all-platforms', { skip: firstReason(missingPrograms('docker-registry')) }, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-all-platforms-'));
  const context = join(scratch, 'context');
  before(() => {
    mkdirSync(context);
    writeFileSync(join(context, 'base'), 'FROM scratch\nARG TARGETARCH\nLABEL base=$TARGETARCH\nCOPY base /\n');
    command('chmod', ['-R', 'u=rwX,go=rX', scratch]);
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  for (const { name, account } of accounts()) {
    const skip = typeof account === 'string' && account;
    const withBases = async (act: (rig: Rig, host: string, file: (text: string) => string) => void | Promise<void>) => {
      if (typeof account === 'string') return;
      await using registry = await RegistryServer.start();
      await using rig = await Rig.open({ account });
      const { host } = registry;
      const folder = rig.makeFolder('files');
      let files = 0;
      const file = (text: string): string => {
        const path = join(folder, String(files++));
        writeFileSync(path, text.replaceAll('HOST', host), { mode: 0o644 });
        return rig.give(path);
      };
      for (const [base, platforms] of [
        ['wide', 'linux/amd64,linux/arm64,linux/s390x'],
        ['narrow', 'linux/s390x,linux/ppc64le,linux/arm64'],
        ['other', 'linux/riscv64'],
      ] as const) {
        rig.run('build', '-q', '--platform', platforms, '--manifest', base, '-f', join(context, 'base'), context);
        rig.run('manifest', 'push', '-q', '--all', '--tls-verify=false', base, `docker://${host}/${base}`);
      }
      rig.run('rmi', '--all', '--force');
      await act(rig, host, file);
    };
    const architectures = (rig: Rig, list: string): string[] =>
      (JSON.parse(rig.run('manifest', 'inspect', list)) as Index).manifests.map((entry) => entry.platform.architecture);

    it(`builds for what the bases have in common, ${name}`, { skip }, () =>
      withBases((rig, host, file) => {
        const build = (path: string, ...flags: readonly string[]) =>
          rig.try(['build', '--tls-verify=false', '-f', path, ...flags, context]);
        const both = file('FROM HOST/wide AS one\nFROM HOST/narrow\nCOPY --from=one /base /copied\n');
        const done = build(both, '--all-platforms', '--manifest', 'out');
        assert.equal(done.status, 0, done.stderr);
        assert.match(done.stderr, /^Building for linux\/arm64, linux\/s390x$/m);
        assert.deepEqual(architectures(rig, 'out').sort(), ['arm64', 's390x']);
        // One of them is in the store by now, which says nothing of the others.
        assert.equal(build(both, '--all-platforms', '--manifest', 'again').status, 0);
        assert.deepEqual(architectures(rig, 'again').sort(), ['arm64', 's390x']);

        const taken = build(both, '--all-platforms', '--platform', 'linux/amd64', '--manifest', 'taken');
        assert.match(taken.stderr, /--all-platforms takes the place of --platform/);
        assert.deepEqual(architectures(rig, 'taken').sort(), ['arm64', 's390x']);

        const unneeded = file('FROM HOST/other AS unused\nFROM HOST/wide\n');
        assert.equal(build(unneeded, '--all-platforms', '--manifest', 'wide-only').status, 0);
        assert.deepEqual(architectures(rig, 'wide-only'), ['amd64', 'arm64', 's390x']);

        const nothing = build(
          file('FROM HOST/other AS one\nFROM HOST/wide\nCOPY --from=one /base /b\n'),
          '--all-platforms',
        );
        assert.equal(nothing.status, 125);
        assert.match(
          nothing.stderr,
          new RegExp(
            `have no platform in common: ${host}/other has linux/riscv64; ${host}/wide has linux/amd64, linux/arm64, linux/s390x`,
          ),
        );
      }),
    );

    it(`finds the platforms Buildah finds, ${name}`, { skip: skip || missingPrograms('buildah') }, () =>
      withBases(async (rig, _host, file) => {
        await using buildah = await Rig.open({ account: rig.account, program: 'buildah', driver: 'vfs' });
        for (const text of [
          'FROM HOST/wide AS one\nFROM HOST/narrow\nCOPY --from=one /base /copied\n',
          'FROM HOST/narrow\nLABEL a=b\n',
        ]) {
          const path = file(text);
          const found = [rig, buildah].map((builder) => {
            const flags = ['--tls-verify=false', '--all-platforms', '--manifest', 'compared', '-f', path];
            builder.must(['build', ...flags, context]);
            const list = architectures(builder, 'compared').sort();
            builder.run('rmi', '--all', '--force');
            return list;
          });
          assert.deepEqual(found[0], found[1]);
          assert.equal(found[0]!.length > 1, true);
        }
      }),
    );

    it(`asks the store alone under --pull=never, and the lock file where it is obeyed, ${name}`, { skip }, () =>
      withBases((rig, host, file) => {
        rig.run(
          'build',
          '-q',
          '--platform',
          'linux/arm64,linux/ppc64le',
          '--manifest',
          'localhost/mine',
          '-f',
          join(context, 'base'),
          context,
        );
        const local = file('FROM localhost/mine\nLABEL x=y\n');
        for (const pull of ['never', 'missing']) {
          rig.run('build', `--pull=${pull}`, '--all-platforms', '--manifest', pull, '-f', local, context);
          assert.deepEqual(architectures(rig, pull), ['arm64', 'ppc64le']);
        }
        const alone = file('FROM HOST/wide\n');
        rig.run('pull', '-q', '--tls-verify=false', '--arch', 's390x', `${host}/wide`);
        const built = rig.must(['build', '--pull=never', '--all-platforms', '-f', alone, context]);
        assert.match(built.stderr, /^Building for linux\/s390x$/m);

        const lock = join(rig.makeFolder('lock'), 'lock.json');
        const flags = ['--tls-verify=false', '--lock', lock, '-f', alone];
        rig.run('build', '--platform', 'linux/amd64,linux/arm64', ...flags, context);
        assert.match(readFileSync(lock, 'utf8'), /linux\/arm64/);
        const locked = rig.must(['build', '--locked', '--all-platforms', ...flags, context]);
        assert.match(locked.stderr, /^Building for linux\/amd64, linux\/arm64$/m);
      }),
    );

    it(`is refused where it makes no sense, ${name}`, { skip }, async () => {
      if (typeof account === 'string') return;
      await using rig = await Rig.open({ account });
      const scratchOnly = rig.try(['build', '--all-platforms', '-f', join(context, 'base'), context]);
      assert.equal(scratchOnly.status, 125);
      assert.match(scratchOnly.stderr, /--all-platforms needs a base image/);
      const id = rig.try([
        'build',
        '--all-platforms',
        '--iidfile',
        join(rig.folder, 'tmp/id'),
        '-f',
        join(context, 'base'),
        context,
      ]);
      assert.match(id.stderr, /can only be used to store one image ID/);
    });
  }
});
