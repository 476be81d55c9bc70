/** `commit` with what changes the image on its way: by Buildah where it has the flag, by what the image holds elsewhere. */
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { accounts, rootAccount } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { command, firstReason, missingPrograms } from '../support/command.ts';
import { Rig } from '../support/rig.ts';

interface Inspected {
  readonly OCIv1: {
    readonly config: Readonly<Record<string, unknown>>;
    readonly rootfs: { readonly diff_ids: readonly string[] };
    readonly history?: readonly { readonly created_by?: string; readonly empty_layer?: boolean }[];
  };
}

describe('commit', { skip: firstReason(staticBusybox() === undefined && 'not installed: a static busybox') }, () => {
  // Debian's Buildah makes the path the image's name, which knows no capitals.
  const scratch = join(tmpdir(), `slipway-commit-${process.pid}`);
  const layout = join(scratch, 'busybox');
  before(() => {
    mkdirSync(scratch);
    makeBusyboxBase(layout, { Cmd: ['/bin/sh'], Entrypoint: ['/e'], Env: ['A=base'] });
    writeFileSync(join(scratch, 'file'), 'content\n', { mode: 0o755 });
    writeFileSync(join(scratch, 'config.json'), '{"Cmd":["c"],"Env":["B=1"],"Labels":{"l":"1"},"StopSignal":null}');
    command('chmod', ['-R', 'u=rwX,go=rX', scratch]);
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  const open = async (account: Parameters<typeof Rig.open>[0]['account'], program?: string): Promise<Rig> => {
    const rig = await Rig.open({ account, ...(program === undefined ? {} : { program }) });
    rig.run('from', '-q', '--name', 'work', `oci:${layout}:latest`);
    rig.run('copy', '-q', 'work', join(scratch, 'file'), '/own');
    return rig;
  };
  const shown = (rig: Rig, image: string): Inspected['OCIv1'] =>
    (JSON.parse(rig.run('inspect', '--type', 'image', image)) as Inspected).OCIv1;

  for (const { name, account } of accounts()) {
    it(`changes the config, adds files and extends a list, ${name}`, {
      skip: typeof account === 'string' && account,
    }, async () => {
      if (typeof account === 'string') return;
      await using rig = await open(account);
      const id = rig.run(
        ...['commit', '-q', '--config', join(scratch, 'config.json'), '-c', 'ENV C=$B$A', '-c', 'USER nobody'],
        ...['--add-file', `${join(scratch, 'file')}:/new/place/file`, '--manifest', 'list', 'work', 'done'],
      );
      assert.match(id, /^[0-9a-f]{64}$/);
      const { config, rootfs, history } = shown(rig, 'done');
      // A command without an entry point means that there is none.
      assert.deepEqual([config['Entrypoint'], config['Cmd'], config['User']], [undefined, ['c'], 'nobody']);
      assert.deepEqual(config['Env'], ['A=base', 'B=1', 'C=1base']);
      assert.equal((config['Labels'] as Record<string, string>)['l'], '1');
      assert.equal(rootfs.diff_ids.length, 3);
      assert.equal(history?.filter((entry) => entry.empty_layer !== true).length, 3);
      assert.match(history.at(-1)?.created_by ?? '', /ADD dir:[0-9a-f]{64} in \/ $/);

      const file = rig.imageTree('done').find(({ path }) => path.endsWith('new/place/file'));
      assert.deepEqual([file?.mode, file?.uid, file?.gid], ['0644', 0, 0]);
      const list = JSON.parse(rig.run('manifest', 'inspect', 'list')) as { manifests: { platform: object }[] };
      assert.deepEqual(list.manifests.length, 1);

      // The container is as it was, and one layer holds all of it when it has to.
      rig.run('commit', '-q', 'work', 'plain');
      assert.equal(shown(rig, 'plain').rootfs.diff_ids.length, 2);
      rig.run('commit', '-q', '--squash', '--add-file', join(scratch, 'file'), '--manifest', 'list', 'work', 'one');
      assert.equal(shown(rig, 'one').rootfs.diff_ids.length, 1);
      const paths = rig.imageTree('one').map(({ path }) => path);
      for (const end of ['own', join(scratch, 'file').slice(1), 'bin/busybox']) {
        assert.ok(
          paths.some((path) => path.endsWith(end)),
          end,
        );
      }
      assert.equal((JSON.parse(rig.run('manifest', 'inspect', 'list')) as typeof list).manifests.length, 2);
    });
  }

  it('refuses before anything is made', async () => {
    const account = rootAccount();
    if (account === undefined) return;
    await using rig = await open(account);
    const failures: readonly (readonly [readonly string[], RegExp])[] = [
      [['-c', 'RUN true'], /RUN changes more than the config/],
      [['--config', join(scratch, 'file')], /is not JSON/],
      [['--config', join(layout, 'index.json')], /refused|not the execution part/],
      [['--add-file', scratch], /not a regular file/],
      [['--add-file', '/nowhere:/x'], /nowhere/],
      [['-D', '--force-compression'], /cannot be used together/],
    ];
    for (const [flags, message] of failures) {
      const { status, stderr } = rig.try(['commit', '-q', ...flags, 'work', 'never']);
      assert.equal(status, 125, flags.join(' '));
      assert.match(stderr, message);
    }
    assert.equal(rig.try(['inspect', 'never']).status, 125);
  });

  const buildah = firstReason(
    rootAccount() === undefined && 'Buildah is compared as root',
    missingPrograms('buildah', 'skopeo'),
  );
  it('does what Buildah does with the same flags', { skip: buildah }, async () => {
    const account = rootAccount()!;
    await using ours = await open(account);
    await using theirs = await open(account, 'buildah');
    const cases: readonly (readonly string[])[] = [
      ['--squash'],
      ['--omit-history'],
      ['--unsetenv', 'A'],
      ['--timestamp', '7'],
      ['-f', 'docker', '--identity-label=false'],
      ['--manifest', 'list'],
    ];
    for (const [i, flags] of cases.entries()) {
      const [mine, other] = [ours, theirs].map((rig) => {
        rig.run('commit', '-q', ...flags, 'work', `case-${i}`);
        return comparable(shown(rig, `case-${i}`), flags.includes('--squash'));
      });
      assert.deepEqual(mine, other, flags.join(' '));
    }
    const [mine, other] = [ours, theirs].map((rig) => {
      const { manifests } = JSON.parse(rig.run('manifest', 'inspect', 'list')) as { manifests: { platform: object }[] };
      return manifests.map(({ platform }) => platform);
    });
    assert.deepEqual(mine, other);
  });
});

/** What both say: without times, digests of layers, the builder's label and, where squashed, history (see the corpus). */
function comparable({ config, rootfs, history = [] }: Inspected['OCIv1'], isSquashed: boolean): unknown {
  const { Labels = {}, ...rest } = config;
  const labels = Object.entries(Labels as Record<string, string>).filter(([name]) => !name.startsWith('io.'));
  return {
    config: rest,
    labels,
    layers: rootfs.diff_ids.length,
    history: isSquashed ? [] : history.map(({ created_by, empty_layer }) => ({ created_by, empty_layer })),
  };
}
