/** Changes of a tree as a layer: what is in it, and that both drivers write the same bytes. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { isBuilderError } from '../../../src/report/builder-error.ts';
import { applyTar } from '../../../src/rootfs/apply-tar.ts';
import { diffTrees, measureDiff, restamp } from '../../../src/rootfs/diff-tree.ts';
import type { DiffOptions } from '../../../src/rootfs/layer-writer.ts';
import type { SnapshotId, Snapshotter } from '../../../src/rootfs/snapshotter.ts';
import { digestOf } from '../../../src/spec/digest.ts';
import { lremovexattr, lsetxattr } from '../../../src/sys/libc.ts';
import { collect, listTar, streamOf } from '../../support/layer-tar.ts';
import { DRIVERS, skipDriver, snapshotter } from '../../support/snapshot-place.ts';
import { describeTree } from '../../support/tree-description.ts';

type Change = string | ((root: string) => void);

interface Script {
  readonly title: string;
  readonly change: Change;
  readonly layer: readonly string[];
}

/** Times that do not depend on when the test runs. */
const STAMP =
  'find . -newermt 2030-01-01 -o -newermt 2024-01-01 -print0 | sort -rz | xargs -0r touch -h -d @1700000000.123456789';

const BASE = `
mkdir -p d/sub e empty
echo a > d/a; echo b > d/b; echo x > d/sub/x; echo y > d/sub/y
echo content > f; chmod 640 f; echo other > g; ln g g2; ln -s f s; mkfifo p
echo one > e/one; ln e/one e/uno
dd if=/dev/zero of=big bs=1k count=3000 2>/dev/null
find . -depth -print0 | xargs -0 touch -h -d @1600000000.5
`;

/** Base times of everything are 1600000000.5; what a script changes gets 1700000000.123456789. */
const SCRIPTS: readonly Script[] = [
  { title: 'nothing', change: 'true', layer: [] },
  { title: 'new file', change: 'echo n > new', layer: ['file new'] },
  { title: 'new file in a directory', change: 'echo n > d/new', layer: ['directory d/', 'file d/new'] },
  { title: 'recipe 26: mode only', change: 'chmod 600 f', layer: ['file f'] },
  { title: 'recipe 26: owner only', change: 'chown 5:6 f d', layer: ['directory d/', 'file f'] },
  { title: 'recipe 26: symlink owner only', change: 'chown -h 5:6 s', layer: ['symlink s -> f'] },
  {
    title: 'recipe 26: attribute only',
    change: (root) => lsetxattr(join(root, 'f'), 'user.k', Buffer.from([0, 255])),
    layer: ['file f'],
  },
  { title: 'recipe 26: time only', change: 'touch -d @1650000000 f', layer: ['file f'] },
  {
    title: 'recipe 26: content with the same size and time',
    change: "printf 'CONTENT\\n' > f; touch -d @1600000000.5 f",
    layer: ['file f'],
  },
  {
    title: 'recipe 26: one byte of a larger file, same time',
    change: 'printf X | dd of=big bs=1 seek=2000000 conv=notrunc 2>/dev/null; touch -d @1600000000.5 big',
    layer: ['file big'],
  },
  {
    title: 'recipe 26: rewritten with the same content and time',
    change: 'cat f > f2; cat f2 > f; rm f2; touch -d @1600000000.5 f',
    layer: [],
  },
  { title: 'recipe 26: renamed over', change: 'echo over > o; mv o f', layer: ['file f'] },
  { title: 'removed file', change: 'rm f', layer: ['file .wh.f'] },
  { title: 'removed directory', change: 'rm -r d', layer: ['file .wh.d'] },
  { title: 'removed in a directory', change: 'rm d/a', layer: ['directory d/', 'file d/.wh.a'] },
  {
    title: 'recipe 27: directory removed and made again',
    change: 'rm -r d; mkdir d; echo x > d/x',
    layer: ['directory d/', 'file d/.wh.a', 'file d/.wh.b', 'file d/.wh.sub', 'file d/x'],
  },
  {
    title: 'recipe 27: directory made again with some of the same',
    change:
      'cp -a d keep; rm -r d; mkdir d; cp -a keep/sub keep/a d/; rm -r keep; rm d/sub/y; touch -d @1600000000.5 d/sub d',
    layer: ['file d/.wh.b', 'file d/sub/.wh.y'],
  },
  {
    title: 'recipe 28: directory renamed',
    change: 'mv d d2',
    layer: [
      'file .wh.d',
      'directory d2/',
      'file d2/a',
      'file d2/b',
      'directory d2/sub/',
      'file d2/sub/x',
      'file d2/sub/y',
    ],
  },
  {
    title: 'two directories swapped',
    change: 'mv e t; mv empty e; mv t empty',
    layer: ['file e/.wh.one', 'file e/.wh.uno', 'file empty/one', 'hardlink empty/uno -> empty/one'],
  },
  {
    title: 'recipe 30: new hard links across directories',
    change: 'echo n > d/n1; ln d/n1 e/n2; ln d/n1 n3',
    layer: ['directory d/', 'file d/n1', 'directory e/', 'hardlink e/n2 -> d/n1', 'hardlink n3 -> d/n1'],
  },
  {
    title: 'recipe 30: new name of an unchanged file, before and after it',
    change: 'ln f a; ln f z',
    layer: ['hardlink a -> f', 'hardlink z -> f'],
  },
  { title: 'recipe 30: one name of a linked file replaced', change: 'echo new > n; mv n g', layer: ['file g'] },
  { title: 'recipe 30: one name of a linked file removed', change: 'rm g', layer: ['file .wh.g'] },
  { title: 'a file becomes a link to an unchanged one', change: 'ln -f f g', layer: ['hardlink g -> f'] },
  {
    title: 'a file becomes a link to one that looks the same',
    change: 'cp -p d/a d/b; ln -f d/a d/b; touch -d @1600000000.5 d d/a',
    layer: ['hardlink d/b -> d/a'],
  },
  {
    title: 'linked symlinks',
    change: 'ln -P s s2; ln -s x t; ln -P t t2',
    layer: ['hardlink s2 -> s', 'symlink t -> x', 'hardlink t2 -> t -> x'.replace(' -> x', '')],
  },
  { title: 'recipe 31: file to directory', change: 'rm f; mkdir f; echo x > f/x', layer: ['directory f/', 'file f/x'] },
  { title: 'recipe 31: directory to file', change: 'rm -r d; echo x > d', layer: ['file d'] },
  { title: 'recipe 31: directory to symlink', change: 'rm -r d; ln -s e d', layer: ['symlink d -> e'] },
  { title: 'recipe 31: symlink to directory', change: 'rm s; mkdir s', layer: ['directory s/'] },
  { title: 'recipe 31: file to FIFO and back', change: 'rm f p; mkfifo f; echo x > p', layer: ['fifo f', 'file p'] },
  { title: 'recipe 31: made and removed again', change: 'echo x > tmp1; rm tmp1; mkdir -p t/u; rm -r t', layer: [] },
  {
    title: 'recipe 33: a directory touched only through a child',
    change: 'echo more >> d/sub/x',
    layer: ['file d/sub/x'],
  },
  { title: 'symlink target', change: 'ln -sfn g s; touch -h -d @1600000000.5 s', layer: ['symlink s -> g'] },
  {
    title: 'a socket is left out, and what it replaced is gone',
    change:
      "rm f; python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('f'); socket.socket(socket.AF_UNIX).bind('sock')\"",
    layer: ['file .wh.f'],
  },
  {
    title: 'setuid, sticky, empty directories',
    change: 'chmod 4755 f; chmod 1777 empty; mkdir -m 2775 n',
    layer: ['directory empty/', 'file f', 'directory n/'],
  },
  {
    title: 'names in byte order',
    change: "mkdir a; touch a/z a-b a.b B 'é'",
    layer: ['file B', 'directory a/', 'file a/z', 'file a-b', 'file a.b', 'file \u00c3\u00a9'],
  },
];

function run(root: string, change: Change): void {
  if (typeof change === 'string') execFileSync('sh', ['-ec', change], { cwd: root });
  else change(root);
}

async function base(snapshots: Snapshotter): Promise<SnapshotId> {
  await snapshots.prepare('base', undefined);
  {
    await using mounted = await snapshots.mount('base');
    run(mounted.path, BASE);
  }
  return snapshots.seal('base');
}

async function changed(
  snapshots: Snapshotter,
  parent: SnapshotId | undefined,
  change: Change,
): Promise<{ tar: Buffer; tree: Record<string, string> }> {
  await snapshots.prepare('change', parent);
  await using mounted = await snapshots.mount('change');
  run(mounted.path, change);
  run(mounted.path, STAMP);
  const tree = describeTree(mounted.path, { withoutRoot: true });
  await using source = await snapshots.changes({ key: 'change' });
  const tar = await collect(diffTrees(source));
  await mounted[Symbol.asyncDispose]();
  assert.deepEqual(await collect(diffTrees(source)), tar, 'mounted or not');
  const measure = await measureDiff(source);
  assert.deepEqual(measure, { diffId: digestOf(tar), size: tar.length, entries: listTar(tar).length });
  return { tar, tree };
}

const skipAny = skipDriver('overlay') || skipDriver('vfs');

describe('diffTrees', { skip: skipAny }, () => {
  const stores = new Map(DRIVERS.map((driver) => [driver, snapshotter(driver)]));
  afterEach(async () => {
    for (const snapshots of stores.values()) {
      for (const key of (await snapshots.list()).active.keys()) await snapshots.removeActive(key);
    }
  });
  const bases = new Map<string, Promise<SnapshotId>>();
  const baseOf = (driver: (typeof DRIVERS)[number]): Promise<SnapshotId> => {
    const known = bases.get(driver) ?? base(stores.get(driver)!);
    bases.set(driver, known);
    return known;
  };

  for (const { title, change, layer } of SCRIPTS) {
    it(`${title}: both drivers give the expected layer, and applying it gives the tree`, async () => {
      const results = [];
      for (const driver of DRIVERS) {
        const snapshots = stores.get(driver)!;
        const parent = await baseOf(driver);
        const { tar, tree } = await changed(snapshots, parent, change);
        results.push({ tar: listTar(tar), digest: digestOf(tar) });
        await snapshots.removeActive('change');

        await snapshots.prepare('again', parent);
        {
          await using mounted = await snapshots.mount('again');
          await applyTar(streamOf(tar), mounted.path);
          const sockets = Object.fromEntries(Object.entries(tree).filter(([, text]) => !text.startsWith('140')));
          assert.deepEqual(describeTree(mounted.path, { withoutRoot: true }), sockets, driver);
        }
        await snapshots.removeActive('again');
      }
      assert.deepEqual(results[0]!.tar, layer);
      assert.deepEqual(results[1], results[0]);
    });
  }

  it('recipe 29: the content of a file that only changed its mode is in the layer', async () => {
    const snapshots = stores.get('overlay')!;
    const { tar } = await changed(snapshots, await baseOf('overlay'), 'chmod 600 big');
    await snapshots.removeActive('change');
    assert.ok(tar.length > 3_000_000);
  });

  it('recipe 35: umask, time zone and locale change nothing', async () => {
    const digests = new Set<string>();
    for (const prefix of ['umask 000; export TZ=Asia/Tokyo', 'umask 000; export LC_ALL=C.UTF-8 TZ=UTC']) {
      const snapshots = snapshotter('vfs');
      const { tar } = await changed(snapshots, undefined, `${prefix}; mkdir d; echo x > d/B; echo y > d/a`);
      digests.add(digestOf(tar));
    }
    assert.equal(digests.size, 1);
  });

  it('recipe 36: a first layer of everything comes back as the same tree', async () => {
    for (const driver of DRIVERS) {
      const snapshots = snapshotter(driver);
      const everything: Change = (root) => {
        run(root, BASE);
        run(
          root,
          "mkdir -p 'deep/é/x y'; printf '\\377' > \"deep/$(printf '\\376name')\"; truncate -s 5M deep/sparse; printf z >> deep/sparse; chown -h 7:8 s",
        );
        lsetxattr(join(root, 'd'), 'user.dir', Buffer.from('v'));
        lsetxattr(
          join(root, 'f'),
          'security.capability',
          Buffer.from('0100000200200000000000000000000000000000', 'hex'),
        );
      };
      const { tar, tree } = await changed(snapshots, undefined, everything);
      await snapshots.prepare('again', undefined);
      await using mounted = await snapshots.mount('again');
      await applyTar(streamOf(tar), mounted.path);
      assert.deepEqual(describeTree(mounted.path, { withoutRoot: true }), tree);
    }
  });

  it('recipe 32: a file named as a whiteout is refused', async () => {
    for (const driver of DRIVERS) {
      await assert.rejects(changed(snapshotter(driver), undefined, 'mkdir d; touch d/.wh.x'), (error) =>
        isBuilderError(error, 'layer.diff-failed'),
      );
    }
  });

  it('removing an attribute is a change', async () => {
    for (const driver of DRIVERS) {
      const snapshots = snapshotter(driver);
      await snapshots.prepare('a', undefined);
      {
        await using mounted = await snapshots.mount('a');
        writeFileSync(join(mounted.path, 'f'), '');
        lsetxattr(join(mounted.path, 'f'), 'user.k', Buffer.from('v'));
      }
      const parent = await snapshots.seal('a');
      const { tar } = await changed(snapshots, parent, (root) => lremovexattr(join(root, 'f'), 'user.k'));
      assert.deepEqual(listTar(tar), ['file f'], driver);
    }
  });

  it('recipe 34: excluded paths are in no layer, new, changed or removed', async () => {
    const exclude = ['/d/a', 'e', Buffer.from('new')];
    for (const driver of DRIVERS) {
      const snapshots = stores.get(driver)!;
      await snapshots.prepare('x', await baseOf(driver));
      {
        await using mounted = await snapshots.mount('x');
        run(mounted.path, 'echo c > d/a; rm -r e; echo n > new; touch -d @1600000000.5 d');
      }
      await using source = await snapshots.changes({ key: 'x' });
      assert.deepEqual(listTar(await collect(diffTrees(source, { exclude }))), [], driver);
      await snapshots.removeActive('x');
    }
  });

  it('changes against an earlier ancestor, and against nothing, are those of one squashed layer', async () => {
    const results = [];
    for (const driver of DRIVERS) {
      const snapshots = snapshotter(driver);
      const first = await base(snapshots);
      let parent = first;
      for (const script of [
        'rm -r d; echo 1 > n1; echo f > f',
        'mkdir -p d/sub; echo new > d/sub/new; rm n1; mkdir n2; echo x > n2/x',
        'rm -r n2; echo y > n2; rm -r e; mkdir e; echo z > e/z; chmod 700 d',
      ]) {
        await snapshots.prepare('x', parent);
        {
          await using mounted = await snapshots.mount('x');
          run(mounted.path, script);
          run(mounted.path, STAMP);
        }
        parent = await snapshots.seal('x');
      }
      await using view = await snapshots.view(parent);
      const tree = describeTree(view.path, { withoutRoot: true });
      const tars: Buffer[] = [];
      for (const from of [first, null]) {
        await using source = await snapshots.changes({ id: parent }, from);
        const tar = await collect(diffTrees(source));
        tars.push(tar);
        await snapshots.prepare('y', from ?? undefined);
        {
          await using mounted = await snapshots.mount('y');
          await applyTar(streamOf(tar), mounted.path);
          assert.deepEqual(describeTree(mounted.path, { withoutRoot: true }), tree, driver);
        }
        await snapshots.removeActive('y');
      }
      results.push(tars.map(listTar), tars.map(digestOf));
      assert.deepEqual(results[0]![0], [
        'directory d/',
        'file d/.wh.a',
        'file d/.wh.b',
        'directory d/sub/',
        'file d/sub/new',
        'file d/sub/.wh.x',
        'file d/sub/.wh.y',
        'directory e/',
        'file e/.wh.one',
        'file e/.wh.uno',
        'file e/z',
        'file f',
        'file n2',
      ]);
    }
    assert.deepEqual(results[2], results[0]);
    assert.deepEqual(results[3], results[1]);
  });

  for (const options of [
    { mtime: { seconds: 1_234_567_890, nanoseconds: 0 } },
    { clampMtime: { seconds: 1_650_000_000, nanoseconds: 7 } },
  ] satisfies DiffOptions[]) {
    it(`${Object.keys(options)[0]}: restamping makes a later diff the same`, async () => {
      for (const driver of DRIVERS) {
        const snapshots = stores.get(driver)!;
        const first = await baseOf(driver);
        await snapshots.prepare('x', first);
        {
          await using mounted = await snapshots.mount('x');
          run(
            mounted.path,
            'echo n > new; ln new new2; ln f f2; chmod 600 g; echo c >> d/a; rm d/b; touch -d @1640000000 big; mkdir -p q/r',
          );
        }
        await using source = await snapshots.changes({ key: 'x' });
        const wanted = await collect(diffTrees(source, options));
        assert.ok(listTar(wanted).length > 8);
        await restamp(source, options);
        assert.deepEqual(await collect(diffTrees(source)), wanted, driver);
        const sealed = await snapshots.seal('x');
        await using again = await snapshots.changes({ id: sealed });
        assert.deepEqual(await collect(diffTrees(again)), wanted, driver);

        // A directory of that layer, touched again, has no entry in the next one: its time would be the same.
        await snapshots.prepare('x', sealed);
        {
          await using mounted = await snapshots.mount('x');
          run(mounted.path, 'echo n > q/r/n');
        }
        await using next = await snapshots.changes({ key: 'x' });
        assert.deepEqual(
          listTar(await collect(diffTrees(next, options))),
          'mtime' in options ? ['file q/r/n'] : ['file q/r/n'],
          driver,
        );
        const before = await measureDiff(next, options);
        await restamp(next, options);
        assert.deepEqual(await measureDiff(next), before);
        await snapshots.removeActive('x');
      }
    });
  }

  it('untouched files of a large copied tree are recognised, renamed directories are not mistaken for them', async () => {
    const snapshots = snapshotter('vfs');
    const make =
      'for d in a b; do mkdir $d; for i in $(seq 300); do echo $d > $d/$i; done; done; find . -print0 | xargs -0 touch -h -d @1600000000';
    await snapshots.prepare('x', undefined);
    {
      await using mounted = await snapshots.mount('x');
      run(mounted.path, make);
    }
    const parent = await snapshots.seal('x');
    await snapshots.prepare('y', parent);
    {
      await using mounted = await snapshots.mount('y');
      run(mounted.path, 'mv a t; mv b a; mv t b');
    }
    await using source = await snapshots.changes({ key: 'y' });
    assert.equal((await measureDiff(source)).entries, 600);
  });

  it('no chunk is small but the last, and large files come whole', async () => {
    const snapshots = snapshotter('vfs');
    await snapshots.prepare('x', undefined);
    await using mounted = await snapshots.mount('x');
    for (const size of [1_048_576, 1_048_064, 1_048_063, 5_000_000, 1, 0, 1023, 524_288]) {
      writeFileSync(join(mounted.path, `f${size}`), Buffer.alloc(size, size % 251));
    }
    for (let i = 0; i < 3000; i++) writeFileSync(join(mounted.path, `s${i}`), `${i}`);
    const tree = describeTree(mounted.path, { withoutRoot: true });
    await using source = await snapshots.changes({ key: 'x' });
    const sizes: number[] = [];
    const chunks: Buffer[] = [];
    for await (const chunk of diffTrees(source)) {
      sizes.push(chunk.length);
      chunks.push(Buffer.from(chunk));
    }
    assert.ok(
      sizes.slice(0, -2).every((size) => size > 500_000),
      sizes.join(),
    );
    await snapshots.prepare('y', undefined);
    await using again = await snapshots.mount('y');
    await applyTar(streamOf(Buffer.concat(chunks), 1_000_003), again.path);
    assert.deepEqual(describeTree(again.path, { withoutRoot: true }), tree);
    const inWorker = await measureDiff(source);
    assert.equal(inWorker.diffId, digestOf(Buffer.concat(chunks)));
    assert.equal(inWorker.entries, 3008);
  });

  it('a large difference is measured by a worker to the same digest, errors included', async () => {
    const snapshots = snapshotter('vfs');
    await snapshots.prepare('x', undefined);
    await using mounted = await snapshots.mount('x');
    execFileSync('sh', ['-ec', 'seq 4000 | xargs touch; truncate -s 40M big'], { cwd: mounted.path });
    await using source = await snapshots.changes({ key: 'x' });
    const tar = await collect(diffTrees(source));
    assert.deepEqual(await measureDiff(source, { exclude: [Buffer.from('none')] }), {
      diffId: digestOf(tar),
      size: tar.length,
      entries: 4001,
    });
    writeFileSync(join(mounted.path, '.wh.z'), '');
    mkdirSync(join(mounted.path, 'zz'));
    await assert.rejects(measureDiff(source), (error) => isBuilderError(error, 'layer.diff-failed'));
    await assert.rejects(measureDiff(source, { signal: AbortSignal.abort(new Error('enough')) }), /enough/);
  });

  it('a file that grows or shrinks while it is read is an error', async () => {
    for (const grow of [true, false]) {
      const snapshots = snapshotter('vfs');
      await snapshots.prepare('x', undefined);
      await using mounted = await snapshots.mount('x');
      const path = join(mounted.path, 'f');
      writeFileSync(path, Buffer.alloc(4_000_000));
      await using source = await snapshots.changes({ key: 'x' });
      await assert.rejects(async () => {
        for await (const _ of diffTrees(source)) {
          if (grow) appendFileSync(path, 'more');
          else execFileSync('truncate', ['-s', '2M', path]);
        }
      }, /changed while it was read/);
    }
  });

  it('a consumer that stops early leaves no descriptor behind', async () => {
    const snapshots = snapshotter('vfs');
    await snapshots.prepare('x', undefined);
    await using mounted = await snapshots.mount('x');
    mkdirSync(join(mounted.path, 'd'));
    writeFileSync(join(mounted.path, 'd/f'), Buffer.alloc(8_000_000));
    await using source = await snapshots.changes({ key: 'x' });
    const open = (): number => readdirSync('/proc/self/fd').length;
    const before = open();
    for await (const _ of diffTrees(source)) break;
    assert.equal(open(), before);
    utimesSync(join(mounted.path, 'd/f'), 1, 1);
    assert.equal(statSync(join(mounted.path, 'd/f')).mtimeMs, 1000);
  });
});
