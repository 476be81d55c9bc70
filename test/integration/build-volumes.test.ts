/** `build --compat-volumes`: what a RUN does below a VOLUME is gone when it is over. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { accounts } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { command, firstReason, missingPrograms } from '../support/command.ts';
import { Rig } from '../support/rig.ts';
import type { TreeEntry } from '../support/tree-listing.ts';

const DOCKERFILE = `FROM localhost/latest
RUN mkdir -p /vol/deep /link-target && ln -s link-target /link && echo before >/vol/kept && chmod 2750 /vol && touch -d 2001-02-03 /vol
RUN echo inherited >/base-vol/file || mkdir -p /base-vol
VOLUME /vol /link /made/by/volume
RUN test "$(cat /vol/kept)" = before && echo changed >/vol/kept && echo new >/vol/new && rm -r /vol/deep && echo x >/link/x && echo y >/link-target/y && echo z >/made/by/volume/z && chmod 711 /made/by/volume && chown 7:7 /vol && echo here >/beside
COPY note /vol/copied
COPY note /link-target/copied
RUN test "$(cat /vol/copied)" = note && test ! -e /vol/new && rm /vol/copied && mkdir -p /vol/sub && echo more >>/beside
`;

const SHORT = 'FROM localhost/latest\nCOPY note /vol/\nVOLUME /vol\nRUN echo new >/vol/new\nRUN test -d /vol\n';

describe('volumes of a build', {
  skip: firstReason(staticBusybox() === undefined && 'not installed: a static busybox'),
}, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-build-volumes-'));
  const context = join(scratch, 'context');
  before(() => {
    makeBusyboxBase(join(scratch, 'busybox'), { Cmd: ['/bin/sh'], Volumes: { '/base-vol': {} } });
    mkdirSync(context);
    writeFileSync(join(context, 'Dockerfile'), DOCKERFILE);
    writeFileSync(join(context, 'short'), SHORT);
    writeFileSync(join(context, 'note'), 'note\n');
    command('chmod', ['-R', 'u=rwX,go=rX', scratch]);
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  /** The base as Buildah can read it under any folder's name. */
  const archived = (): string => {
    const file = join(scratch, 'base.tar');
    const [from, to] = [`oci:${join(scratch, 'busybox')}:latest`, `docker-archive:${file}:localhost/latest:latest`];
    if (!existsSync(file)) command('skopeo', ['--insecure-policy', 'copy', '-q', from, to]);
    return file;
  };
  const open = async (o: Parameters<typeof Rig.open>[0]): Promise<Rig> => {
    const rig = await Rig.open(o);
    rig.run('pull', '-q', rig.isSlipway ? `oci:${join(scratch, 'busybox')}:latest` : `docker-archive:${archived()}`);
    return rig;
  };
  const build = (rig: Rig, ...flags: readonly string[]): string =>
    rig.must(['build', '--pull-never', '-t', 'out', ...flags, context]).stdout;
  const below = (tree: readonly TreeEntry[], ...places: readonly string[]): TreeEntry[] =>
    tree.filter(({ path }) => places.some((place) => path === place || path.startsWith(`${place}/`)));
  const PLACES = ['vol', 'base-vol', 'link', 'link-target', 'made', 'beside'];

  for (const { name, account } of accounts()) {
    const skip = typeof account === 'string' && account;
    const [first, second] = name === 'root' ? (['oci', 'chroot'] as const) : (['chroot', 'oci'] as const);
    for (const [driver, isolation] of [
      ['overlay', first],
      ['vfs', second],
    ] as const) {
      it(`are as they were, but for what is copied, ${driver}, ${isolation}, ${name}`, { skip }, async (t) => {
        if (typeof account === 'string') return;
        await using rig = await open({ account, driver });
        const probe = rig.try(['build', '--isolation', isolation, context]);
        if (/does not work here/.test(probe.stderr)) return t.skip(probe.stderr);
        build(rig, '--compat-volumes', '--isolation', isolation, `--layers=${isolation === 'oci'}`);
        const tree = rig.imageTree('out');
        const paths = below(tree, ...PLACES).map(({ path }) => path);
        assert.deepEqual(paths.sort(), [
          ...['base-vol', 'beside', 'link', 'link-target', 'link-target/copied'],
          ...['made', 'made/by', 'made/by/volume', 'vol', 'vol/copied', 'vol/deep', 'vol/kept'],
        ]);
        const content = (path: string) => rig.try(['run', 'look', 'cat', path]).stdout;
        rig.run('from', '--name', 'look', 'localhost/out');
        assert.equal(content('/vol/kept'), 'before\n');
        const modes = ['vol', 'made/by/volume'].map((path) => {
          const { mode, uid } = tree.find((entry) => entry.path === path)!;
          return [mode, uid];
        });
        assert.deepEqual(modes, [
          ['2750', 0],
          ['0755', 0],
        ]);
        assert.equal(content('/beside'), 'here\nmore\n');

        build(rig, '--isolation', isolation, '-f', join(context, 'short'));
        assert.deepEqual(
          below(rig.imageTree('out'), 'vol').map(({ path }) => path),
          ['vol', 'vol/new', 'vol/note'],
        );
      });
    }

    it(`leave a mount below them alone, and its writes, ${name}`, { skip }, async () => {
      if (typeof account === 'string') return;
      await using rig = await open({ account });
      const file = join(rig.makeFolder('mounts'), 'Dockerfile');
      const cache = '--mount=type=cache,target=/vol/cache,id=c';
      writeFileSync(
        file,
        `FROM localhost/latest\nVOLUME /vol /etc\nRUN ${cache} echo kept >/vol/cache/file && echo gone >/vol/file && echo gone >/etc/file && test -s /etc/hosts\nRUN ${cache} cat /vol/cache/file && test ! -e /vol/file && test ! -e /etc/file\n`,
        { mode: 0o644 },
      );
      rig.give(file);
      assert.match(build(rig, '--compat-volumes', '-f', file), /^kept$/m);
    });

    it(`count for the key of a RUN, and of nothing else, ${name}`, { skip }, async () => {
      if (typeof account === 'string') return;
      await using rig = await open({ account });
      const file = join(rig.makeFolder('keys'), 'Dockerfile');
      writeFileSync(file, 'FROM scratch\nCOPY note /vol/\nVOLUME /vol\nCOPY note /vol/other\n', { mode: 0o644 });
      rig.give(file);
      build(rig, '--layers', '-f', file);
      assert.equal(build(rig, '--layers', '--compat-volumes', '-f', file).match(/Using cache/g)?.length, 3);

      const short = ['--layers', '-f', join(context, 'short')];
      build(rig, ...short);
      // The COPY and the VOLUME stay.
      assert.equal(build(rig, ...short, '--compat-volumes').match(/Using cache/g)?.length, 2);
      assert.equal(build(rig, ...short, '--compat-volumes').match(/Using cache/g)?.length, 4);
    });
  }

  it('are as with a Buildah that knows no other way', {
    skip: missingPrograms('buildah', 'skopeo'),
  }, async (t) => {
    const [{ account }] = accounts() as [ReturnType<typeof accounts>[number]];
    if (typeof account === 'string') return t.skip(account);
    const trees: TreeEntry[][] = [];
    for (const program of [undefined, 'buildah']) {
      await using rig = await open({ account, ...(program === undefined ? {} : { program, driver: 'vfs' }) });
      const help = rig.must(['build', '--help']).stdout;
      build(rig, ...(help.includes('--compat-volumes') ? ['--compat-volumes'] : []));
      // When it was built is not the question.
      trees.push(below(rig.imageTree('out'), ...PLACES).map((entry) => ({ ...entry, mtime: '' })));
    }
    assert.deepEqual(trees[0], trees[1]);
  });
});
