/** Layers onto trees: the image-spec's rules and what hostile layers try. Recipe and row numbers are those of the plan. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { isBuilderError } from '../../../src/report/builder-error.ts';
import type { BuildEvent } from '../../../src/report/event.ts';
import type { ApplyOptions } from '../../../src/rootfs/apply-options.ts';
import { applyTar } from '../../../src/rootfs/apply-tar.ts';
import type { SnapshotId } from '../../../src/rootfs/snapshotter.ts';
import { dir, file, hardlink, type Member, streamOf, symlink, TIME, tarOf } from '../../support/layer-tar.ts';
import { DRIVERS, type Driver, place, skipDriver, snapshotter } from '../../support/snapshot-place.ts';
import { describeTree } from '../../support/tree-description.ts';

const T = `${TIME.seconds}.${TIME.nanoseconds}`;

interface Applied {
  readonly tree: Record<string, string>;
  readonly events: readonly BuildEvent[];
  /** Paths, directories with a slash. */
  readonly names: readonly string[];
  content(path: string): string;
}

/** Applies layers one on the other, each in a snapshot of its own. */
async function apply(
  driver: Driver,
  layers: readonly (readonly Member[])[],
  options: ApplyOptions = {},
): Promise<Applied> {
  return applyArchives(
    driver,
    layers.map((members) => tarOf(...members)),
    options,
  );
}

async function applyArchives(
  driver: Driver,
  archives: readonly Buffer[],
  options: ApplyOptions = {},
): Promise<Applied> {
  const snapshots = snapshotter(driver);
  const events: BuildEvent[] = [];
  let parent: SnapshotId | undefined;
  for (const archive of archives) {
    await snapshots.prepare('layer', parent);
    {
      await using mounted = await snapshots.mount('layer');
      await applyTar(streamOf(archive), mounted.path, { emit: (event) => events.push(event), ...options });
    }
    parent = await snapshots.seal('layer');
  }
  await using view = await snapshots.view(parent);
  const tree = describeTree(view.path);
  const contents = new Map<string, string>();
  for (const [path, text] of Object.entries(tree)) {
    if (text.startsWith('100')) contents.set(path, readFileSync(Buffer.from(`${view.path}/${path}`, 'latin1'), 'utf8'));
  }
  return {
    tree,
    events,
    names: Object.entries(tree)
      .filter(([path]) => path !== '')
      .map(([path, text]) => (text.startsWith('4') ? `${path}/` : path)),
    content: (path) => contents.get(path) ?? assert.fail(`no file ${path}`),
  };
}

const refused = (code: string, message: RegExp) => (error: unknown) => {
  assert.ok(isBuilderError(error), String(error));
  assert.equal(error.code, code);
  assert.match(error.message, message);
  return true;
};

interface Case {
  readonly title: string;
  readonly layers: readonly (readonly Member[])[];
  readonly names: readonly string[];
}

const WH = '.wh..wh..opq';
const LOWER = [dir('d'), file('d/a', 'a'), file('d/b', 'b'), dir('d/sub'), file('d/sub/x', 'x'), file('top', 't')];

const CASES: readonly Case[] = [
  {
    title: 'recipe 1: a whiteout removes one file',
    layers: [LOWER, [file('d/.wh.a')]],
    names: ['d/', 'd/b', 'd/sub/', 'd/sub/x', 'top'],
  },
  { title: 'recipe 1: a whiteout removes a directory', layers: [LOWER, [file('.wh.d')]], names: ['top'] },
  {
    title: 'recipe 2: a whiteout for nothing is no error and creates nothing',
    layers: [LOWER, [file('d/.wh.zz'), file('no/such/.wh.a'), file('top/.wh.a'), file('no/.wh..wh..opq')]],
    names: ['d/', 'd/a', 'd/b', 'd/sub/', 'd/sub/x', 'top'],
  },
  {
    title: 'recipe 3: opaque before its siblings',
    layers: [LOWER, [file(`d/${WH}`), file('d/new')]],
    names: ['d/', 'd/new', 'top'],
  },
  {
    title: 'recipe 3: opaque after its siblings',
    layers: [LOWER, [dir('d'), file('d/new'), file(`d/${WH}`)]],
    names: ['d/', 'd/new', 'top'],
  },
  {
    title: 'recipe 3: opaque between, without directory entry',
    layers: [LOWER, [file('d/new'), file(`d/${WH}`), file('d/c')]],
    names: ['d/', 'd/c', 'd/new', 'top'],
  },
  {
    title: 'recipe 3: opaque after something deeper spares only what the layer holds',
    layers: [LOWER, [file('d/sub/new'), file(`d/${WH}`)]],
    names: ['d/', 'd/sub/', 'd/sub/new', 'top'],
  },
  {
    title: 'recipe 3: opaque before something deeper gives the same',
    layers: [LOWER, [file(`d/${WH}`), file('d/sub/new')]],
    names: ['d/', 'd/sub/', 'd/sub/new', 'top'],
  },
  {
    title: 'recipe 4: whiteout, then the name',
    layers: [LOWER, [file('d/.wh.a'), file('d/a', 'new')]],
    names: ['d/', 'd/a', 'd/b', 'd/sub/', 'd/sub/x', 'top'],
  },
  {
    title: 'recipe 4: the name, then its whiteout',
    layers: [LOWER, [file('d/a', 'new'), file('d/.wh.a')]],
    names: ['d/', 'd/a', 'd/b', 'd/sub/', 'd/sub/x', 'top'],
  },
  {
    title: 'recipe 5: a whiteout stored as directory, link or file with content is a whiteout',
    layers: [
      LOWER,
      [dir('d/.wh.a'), symlink('d/.wh.b', '/x'), file('.wh.top', 'content'), hardlink('d/.wh.sub', 'top')],
    ],
    names: ['d/'],
  },
  { title: 'recipe 6: opaque at the root', layers: [LOWER, [file(WH), file('n')]], names: ['n'] },
  {
    title: 'recipe 7: whiteout of a directory, then something in it',
    layers: [LOWER, [file('.wh.d'), file('d/new')]],
    names: ['d/', 'd/new', 'top'],
  },
  {
    title: 'recipe 7: something in a directory, then its whiteout',
    layers: [LOWER, [file('d/new'), file('.wh.d')]],
    names: ['d/', 'd/new', 'top'],
  },
  {
    title: 'recipe 8: file to directory',
    layers: [LOWER, [dir('top'), file('top/x')]],
    names: ['d/', 'd/a', 'd/b', 'd/sub/', 'd/sub/x', 'top/', 'top/x'],
  },
  { title: 'recipe 8: directory to file', layers: [LOWER, [file('d', 'f')]], names: ['d', 'top'] },
  { title: 'recipe 8: directory to symlink', layers: [LOWER, [symlink('d', 'top')]], names: ['d', 'top'] },
  {
    title: 'recipe 8: symlink to directory leaves the target alone',
    layers: [
      [dir('t'), file('t/x'), symlink('l', 't')],
      [dir('l'), file('l/y')],
    ],
    names: ['l/', 'l/y', 't/', 't/x'],
  },
  { title: 'recipe 8: FIFO to file', layers: [[{ name: 'p', type: 'fifo' }], [file('p', 'x')]], names: ['p'] },
  {
    title: 'recipe 9: a directory over a directory keeps the children',
    layers: [LOWER, [dir('d', { mode: 0o700 })]],
    names: ['d/', 'd/a', 'd/b', 'd/sub/', 'd/sub/x', 'top'],
  },
  {
    title: 'recipe 13: children before parents',
    layers: [[file('a/b/c'), dir('a'), dir('a/b')]],
    names: ['a/', 'a/b/', 'a/b/c'],
  },
  {
    title: 'recipe 14: names are cleaned',
    layers: [[file('./a'), file('b//c'), file('b/./d'), file('/e'), dir('./')]],
    names: ['a', 'b/', 'b/c', 'b/d', 'e'],
  },
  { title: 'B02: absolute names are inside the root', layers: [[file('/etc/x')]], names: ['etc/', 'etc/x'] },
  {
    title: 'a symlinked parent leads on inside the root',
    layers: [
      [dir('usr/lib'), symlink('lib', 'usr/lib'), symlink('abs', '/usr')],
      [file('lib/a'), file('abs/lib/b'), file('usr/lib/c'), file('lib/.wh.c')],
    ],
    names: ['abs', 'lib', 'usr/', 'usr/lib/', 'usr/lib/a', 'usr/lib/b', 'usr/lib/c'],
  },
  {
    title: 'a whiteout through a symlinked parent knows what this layer made by the other path',
    layers: [
      [dir('usr/lib'), file('usr/lib/old'), symlink('lib', 'usr/lib')],
      [file('usr/lib/a'), file('lib/.wh..wh..opq')],
    ],
    names: ['lib', 'usr/', 'usr/lib/', 'usr/lib/a'],
  },
  {
    title: 'B03 B05: writing below an absolute link stays inside the root',
    layers: [[symlink('l', '/canary')], [file('l/x')]],
    names: ['canary/', 'canary/x', 'l'],
  },
  {
    title: 'B04: writing below a link with .. stays inside the root',
    layers: [[symlink('l', '../../canary'), file('l/x')]],
    names: ['canary/', 'canary/x', 'l'],
  },
  {
    title: '1A: the loophole chain stays inside the root',
    layers: [[dir('dir'), symlink('dir/loophole', '../../canary'), file('dir/loophole/newdir/newfile')]],
    names: ['canary/', 'canary/newdir/', 'canary/newdir/newfile', 'dir/', 'dir/loophole'],
  },
  {
    title: 'B06: a file replaces a link instead of writing through it',
    layers: [[file('t', 'old'), symlink('f', 't')], [file('f', 'new')]],
    names: ['f', 't'],
  },
  {
    title: 'B13: removals through a link leave everything outside alone',
    layers: [[symlink('l', '/canary')], [file('l/.wh.f'), file(`l/${WH}`)]],
    names: ['l'],
  },
  {
    title: 'AUFS bookkeeping is ignored',
    layers: [LOWER, [file('.wh..wh.aufs'), dir('.wh..wh.plnk'), file('.wh..wh.plnk/1.2', 'x')]],
    names: ['d/', 'd/a', 'd/b', 'd/sub/', 'd/sub/x', 'top'],
  },
  { title: 'recipe 25: an empty layer', layers: [LOWER, []], names: ['d/', 'd/a', 'd/b', 'd/sub/', 'd/sub/x', 'top'] },
];

for (const driver of DRIVERS) {
  describe(`applyTar on ${driver}`, { skip: skipDriver(driver) }, () => {
    for (const { title, layers, names } of CASES) {
      it(title, async () => assert.deepEqual((await apply(driver, layers)).names, names));
    }

    it('recipe 3: an untouched directory made opaque around is as new', async () => {
      const lower = [dir('d'), dir('d/sub', { mode: 0o700, uid: 5, xattrs: { 'user.x': '1' } }), file('d/sub/x')];
      const before = await apply(driver, [lower, [file('d/sub/new'), file(`d/${WH}`)]]);
      const after = await apply(driver, [lower, [file(`d/${WH}`), file('d/sub/new')]]);
      assert.equal(before.tree['d/sub'], `40755 0:0 ${T}`);
      assert.deepEqual(before.tree, after.tree);
    });

    it('recipe 4: the content is that of the layer in both orders', async () => {
      assert.equal((await apply(driver, [LOWER, [file('d/.wh.a'), file('d/a', 'new')]])).content('d/a'), 'new');
      assert.equal((await apply(driver, [LOWER, [file('d/a', 'new'), file('d/.wh.a')]])).content('d/a'), 'new');
    });

    it('recipe 9: attributes of a directory are replaced, old ones gone', async () => {
      const lower = [
        dir('d', { mode: 0o2775, uid: 7, gid: 8, xattrs: { 'user.old': '1', 'user.both': 'a' } }),
        file('d/a'),
      ];
      const { tree } = await apply(driver, [lower, [dir('d', { mode: 0o1750, uid: 1, xattrs: { 'user.both': 'b' } })]]);
      assert.equal(tree['d'], `41750 1:0 ${T} user.both=62`);
    });

    it('recipe 10: replacing one name of a file leaves the other as it was', async () => {
      const { tree, content } = await apply(driver, [[file('t', 'old'), hardlink('h', 't')], [file('t', 'new')]]);
      assert.equal(content('h'), 'old');
      assert.equal(content('t'), 'new');
      assert.doesNotMatch(tree['h']!, /=/);
    });

    it('recipe 11: hard links to lower files, across directories, to a symlink', async () => {
      const { tree, content } = await apply(driver, [
        [file('f', 'text'), symlink('s', 'f')],
        [hardlink('x/y/f2', 'f'), hardlink('s2', '/s'), hardlink('./f3', './f')],
      ]);
      assert.equal(content('x/y/f2'), 'text');
      assert.match(tree['x/y/f2']!, /= f$/);
      assert.match(tree['f3']!, /= f$/);
      assert.match(tree['s2']!, /^120777 .* f = s$/);
    });

    it('recipe 11: a link survives the whiteout of what it was made from', async () => {
      const { names, content } = await apply(driver, [[file('f', 'text')], [hardlink('g', 'f'), file('.wh.f')]]);
      assert.deepEqual(names, ['g']);
      assert.equal(content('g'), 'text');
    });

    it('recipe 11: a link to a later entry or to something whited out is refused', async () => {
      await assert.rejects(
        apply(driver, [[hardlink('g', 'f'), file('f')]]),
        refused('layer.invalid', /"g".*"f" does not exist/),
      );
      await assert.rejects(
        apply(driver, [[file('f')], [file('.wh.f'), hardlink('g', 'f')]]),
        refused('layer.invalid', /does not exist/),
      );
    });

    it('a link to itself, to a directory, or over the directory of its target is refused before anything is lost', async () => {
      await assert.rejects(apply(driver, [[file('f'), hardlink('f', './f')]]), refused('layer.invalid', /to itself/));
      await assert.rejects(apply(driver, [[dir('d'), hardlink('g', 'd')]]), refused('layer.invalid', /directory/));
      await assert.rejects(
        apply(driver, [[dir('d'), file('d/f'), hardlink('d', 'd/f')]]),
        refused('layer.invalid', /its target is in/),
      );
    });

    it('recipe 12: of duplicates the last one wins', async () => {
      const { content } = await apply(driver, [
        [file('f', '1'), symlink('f', 'x'), dir('f'), file('f', '2'), file('./f', '3')],
      ]);
      assert.equal(content('f'), '3');
    });

    it('recipe 13: missing parents are 0755 root:root, and a later entry fixes them', async () => {
      const { tree } = await apply(driver, [
        [dir('s', { mode: 0o2777, gid: 9 }), file('s/a/x'), file('s/b/x'), dir('s/b', { mode: 0o700, uid: 3 })],
      ]);
      assert.equal(tree['s/a'], `40755 0:0 ${T}`);
      assert.equal(tree['s/b'], `40700 3:0 ${T}`);
    });

    it('recipe 15: special mode bits survive chown', async () => {
      const modes = [0o4755, 0o2755, 0o6755, 0o1777, 0o0];
      const { tree } = await apply(driver, [
        modes.map((mode) => file(`f${mode.toString(8)}`, 'x', { mode, uid: 1000, gid: 1000 })),
      ]);
      for (const mode of modes)
        assert.match(tree[`f${mode.toString(8)}`]!, new RegExp(`^10${mode.toString(8).padStart(4, '0')} 1000:1000 `));
    });

    it('recipe 15: a file in a setgid directory keeps the group of its entry', async () => {
      const { tree } = await apply(driver, [
        [dir('d', { mode: 0o2755, gid: 50 })],
        [file('d/f'), dir('d/e'), file('d/g/h')],
      ]);
      for (const path of ['d/f', 'd/e', 'd/g', 'd/g/h']) assert.match(tree[path]!, /^(100644|40755) 0:0 /, path);
    });

    it('recipe 15: a directory without permissions can be filled', async () => {
      const { names } = await apply(driver, [[dir('d', { mode: 0 }), file('d/e/f')], [file('d/e/g')]]);
      assert.deepEqual(names, ['d/', 'd/e/', 'd/e/f', 'd/e/g']);
    });

    it('recipe 16: times to the nanosecond, before the epoch and far away', async () => {
      const times = [
        [-1, 0],
        [-100, 5],
        [0, 0],
        [2 ** 31, 0],
        [2 ** 33, 999_999_999],
        [1_700_000_000, 123_456_789],
      ] as const;
      const members = times.flatMap(([seconds, nanoseconds], i) => [
        file(`f${i}`, '', { mtime: { seconds, nanoseconds } }),
        dir(`d${i}`, { mtime: { seconds, nanoseconds } }),
        file(`d${i}/child`),
        symlink(`l${i}`, 'x', { mtime: { seconds, nanoseconds } }),
      ]);
      const { tree } = await apply(driver, [members]);
      for (const [i, [seconds, nanoseconds]] of times.entries()) {
        for (const kind of ['f', 'd', 'l'])
          assert.equal(tree[`${kind}${i}`]!.split(' ')[2], `${seconds}.${nanoseconds}`, `${kind}${i}`);
      }
    });

    it('recipe 17: a directory the layer does not mention keeps its time', async () => {
      const lower = [
        dir('d', { mtime: { seconds: 77, nanoseconds: 5 } }),
        file('d/x'),
        dir('./', { mtime: { seconds: 99, nanoseconds: 1 } }),
      ];
      const { tree } = await apply(driver, [lower, [file('d/n'), file('d/.wh.x'), file('r')]]);
      assert.match(tree['d']!, / 77\.5$/);
      assert.match(tree['']!, / 99\.1$/);
    });

    it('recipe 18: large owners are kept where they are mapped', {
      skip: driver === 'vfs' && process.env['SLIPWAY_TEST_ROOTLESS'],
    }, async (t) => {
      if (!/^\s*0\s+0\s+4294967295/.test(readFileSync('/proc/self/uid_map', 'utf8')))
        return t.skip('not all ids are mapped here');
      const ids = [65536, 262144, 2097152, 4294967294];
      const { tree } = await apply(driver, [ids.map((id) => file(`f${id}`, '', { uid: id, gid: id }))]);
      for (const id of ids) assert.match(tree[`f${id}`]!, new RegExp(` ${id}:${id} `));
      return undefined;
    });

    it('recipe 19: any name, as bytes', async () => {
      const names = [
        'a'.repeat(100),
        'b'.repeat(255),
        `${'c'.repeat(200)}/${'d'.repeat(200)}`,
        'new\nline',
        'back\\slash',
        'a=b',
        'é',
        'e\u0301',
        'Case',
        'case',
        '.hidden',
        '..twodots',
        '...',
      ];
      const { tree } = await apply(driver, [
        [...names.map((name) => file(name, 'x')), file(Buffer.from([0xff, 0xfe, 0x41]), 'y')],
      ]);
      for (const name of names) assert.ok(Buffer.from(name).toString('latin1') in tree, name);
      assert.ok('\xff\xfeA' in tree);
    });

    it('recipe 22 B28: user and capability attributes are kept, machine and overlay ones are not', async () => {
      const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');
      const xattrs = {
        'user.binary': Buffer.from([0, 255, 1]),
        'security.capability': capability,
        'trusted.overlay.opaque': 'y',
        'user.overlay.opaque': 'y',
        'user.overlay.redirect': '/../..',
        'security.selinux': 'system_u',
      };
      const { tree, names } = await apply(driver, [
        [dir('d'), file('d/lower')],
        [
          dir('d', { xattrs: { 'user.overlay.opaque': 'y', 'trusted.overlay.opaque': 'y' } }),
          file('f', 'x', { xattrs }),
        ],
      ]);
      assert.match(
        tree['f']!,
        new RegExp(`^100644 0:0 ${T} security\\.capability=${capability.toString('hex')} user\\.binary=00ff01 1 \\S+$`),
      );
      assert.deepEqual(names, ['d/', 'd/lower', 'f']);
    });

    it('recipe 23: a FIFO is a FIFO', async () => {
      const { tree } = await apply(driver, [[{ name: 'p', type: 'fifo', mode: 0o622, uid: 4 }]]);
      assert.equal(tree['p'], `10622 4:0 ${T}`);
    });

    it('recipe 23 B27 B28: devices are made or skipped with a warning, 0:0 always skipped', async () => {
      const lower = [file('null', 'was a file'), file('hidden', 'x')];
      const { tree, events } = await apply(driver, [
        lower,
        [
          { name: 'null', type: 'char', mode: 0o666, devMajor: 1, devMinor: 3 },
          { name: 'hidden', type: 'char', mode: 0, devMajor: 0, devMinor: 0 },
          hardlink('linked', 'hidden'),
        ],
      ]);
      const warned = events.map((event) => (event.type === 'warning' ? event.text.split(':')[0] : event.type));
      assert.ok(warned.includes('skipped "hidden"'));
      assert.ok(warned.includes('skipped "linked"'));
      if (warned.includes('skipped "null"')) assert.equal(tree['null'], undefined);
      else assert.equal(tree['null'], `20666 0:0 ${T} 1,3`);
      assert.equal(tree['hidden'], undefined);
    });

    it('B01: names with .. are refused, whatever their form', async () => {
      for (const name of ['../esc', '/../esc', 'a/../../esc', 'a/..', '..', `${'l/'.repeat(80)}../../esc`]) {
        await assert.rejects(apply(driver, [[file(name)]]), refused('layer.invalid', /"\.\." component/), name);
      }
    });

    it('B07: the three-link chain is refused', async () => {
      await assert.rejects(
        apply(driver, [
          [
            dir('a/b/c'),
            symlink('a/b/c/up', '../..'),
            symlink('a/b/escape', 'c/up/../..'),
            hardlink('x', 'a/b/escape/tmp/canary/f'),
            file('x', 'evil'),
          ],
        ]),
        refused('layer.invalid', /does not exist/),
      );
    });

    it('B08: hard links with .. or to an absolute path outside are refused', async () => {
      await assert.rejects(
        apply(driver, [[hardlink('h', '../canary/f')]]),
        refused('layer.invalid', /"\.\." component/),
      );
      await assert.rejects(apply(driver, [[hardlink('h', '/etc/passwd')]]), refused('layer.invalid', /does not exist/));
    });

    it('B09: a hard link never finds a file of the working directory', async () => {
      await assert.rejects(
        apply(driver, [[hardlink('h', 'package.json')]]),
        refused('layer.invalid', /does not exist/),
      );
    });

    it('B10: modes are never changed through a link', async () => {
      const canary = join(place(), 'canary');
      writeFileSync(canary, 'x', { mode: 0o600 });
      const before = describeTree(canary);
      const { tree } = await apply(driver, [
        [symlink('l', canary), hardlink('h', 'l'), { ...hardlink('h', 'l'), mode: 0o777, uid: 5 }],
      ]);
      assert.match(tree['h']!, /^120777 0:0/);
      assert.deepEqual(describeTree(canary), before);
    });

    it('B11: the root can only be a directory', async () => {
      for (const name of ['.', './', '/', '/.', '', './/.']) {
        for (const member of [
          symlink(name, '/canary'),
          file(name),
          { name, type: 'fifo' } as const,
          hardlink(name, 'x'),
        ]) {
          if (name === '' || (name.endsWith('/') && member.type === undefined)) continue;
          await assert.rejects(
            apply(driver, [[member, file('esc')]]),
            refused('layer.invalid', /root type/),
            `${name} ${member.type}`,
          );
        }
      }
    });

    it('B12: a whiteout of nothing, . or .. is refused before anything is removed', async () => {
      for (const at of ['', 'd/']) {
        for (const name of ['.wh.', '.wh..', '.wh...']) {
          const snapshots = snapshotter(driver);
          await snapshots.prepare('a', undefined);
          await using mounted = await snapshots.mount('a');
          await applyTar(streamOf(tarOf(...LOWER)), mounted.path);
          const before = describeTree(mounted.path);
          await assert.rejects(
            applyTar(streamOf(tarOf(file(at + name))), mounted.path),
            refused('layer.invalid', /has to name/),
            at + name,
          );
          assert.deepEqual(describeTree(mounted.path), before);
        }
      }
    });

    it('an entry below a whiteout is refused', async () => {
      await assert.rejects(
        apply(driver, [[dir('.wh.d'), file('.wh.d/x')]]),
        refused('layer.invalid', /below a whiteout/),
      );
    });

    it('an entry below a file or a link loop is refused', async () => {
      await assert.rejects(
        apply(driver, [[file('f'), file('f/x')]]),
        refused('layer.invalid', /"f": it is not a directory/),
      );
      await assert.rejects(
        apply(driver, [[symlink('a', 'b'), symlink('b', 'a'), file('a/x')]]),
        refused('layer.invalid', /too many symbolic links/),
      );
    });

    it('B14: a sibling whose name begins like the root is out of reach', async () => {
      const base = place();
      for (const name of ['out', 'out-evil']) mkdirSync(join(base, name));
      await applyTar(streamOf(tarOf(symlink('l', '../out-evil'), file('l/f'))), join(base, 'out'));
      assert.deepEqual(readdirSync(join(base, 'out-evil')), []);
      assert.deepEqual(readdirSync(join(base, 'out/out-evil')), ['f']);
    });

    it('B29: an owner outside the map is refused by name, or ignored on request', async () => {
      const uid = 0xffff_fffe;
      const mapped = /^\s*0\s+0\s+4294967295/.test(readFileSync('/proc/self/uid_map', 'utf8'));
      if (mapped) return;
      await assert.rejects(
        apply(driver, [[file('f', '', { uid })]]),
        refused('layer.id-unmapped', /"f" the uid 4294967294.*maps only uids 0/),
      );
      const { tree } = await apply(
        driver,
        [[file('f', '', { uid }), dir('d', { gid: uid }), symlink('s', 'x', { uid })]],
        { ignoreChownErrors: true },
      );
      for (const path of ['f', 'd', 's']) assert.match(tree[path]!, / 0:0 /);
    });

    it('B30: names that are too long are refused with the reason', async () => {
      await assert.rejects(apply(driver, [[file('n'.repeat(256))]]), refused('layer.invalid', /ENAMETOOLONG/));
      await assert.rejects(
        apply(driver, [[file(`${'d/'.repeat(20)}${'n'.repeat(256)}/x`)]]),
        refused('layer.invalid', /ENAMETOOLONG/),
      );
    });

    it('B31: a truncated layer is an error', async () => {
      const whole = tarOf(file('a', 'x'.repeat(5000)), file('b', 'y'));
      for (const length of [100, 700, 3000]) {
        await assert.rejects(
          applyArchives(driver, [whole.subarray(0, length)]),
          (error) => isBuilderError(error, 'tar.invalid'),
          String(length),
        );
      }
    });

    it('entries and bytes are counted', async () => {
      const snapshots = snapshotter(driver);
      await snapshots.prepare('a', undefined);
      await using mounted = await snapshots.mount('a');
      const archive = tarOf(file('a', 'x'), dir('d'), file('.wh.q'));
      const names: string[] = [];
      const result = await applyTar(streamOf(archive, 100), mounted.path, {
        onEntry: ({ name }) => names.push(name.toString()),
      });
      assert.deepEqual(result, { entries: 3, bytes: archive.length });
      assert.deepEqual(names, ['a', 'd', '.wh.q']);
    });

    it('an abort stops it', async () => {
      const snapshots = snapshotter(driver);
      await snapshots.prepare('a', undefined);
      await using mounted = await snapshots.mount('a');
      const controller = new AbortController();
      const archive = tarOf(file('a', Buffer.alloc(1_000_000)), file('b'));
      const stop = applyTar(streamOf(archive), mounted.path, {
        signal: controller.signal,
        onEntry: () => controller.abort(),
      });
      await assert.rejects(stop, { name: 'AbortError' });
      assert.deepEqual(readdirSync(mounted.path), ['a']);
    });
  });
}
