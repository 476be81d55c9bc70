import assert from 'node:assert/strict';
import {
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { digestSources } from '../../../src/container/content-digest.ts';
import { copyIn } from '../../../src/container/copy-in.ts';
import { inlineSource, resolveSources } from '../../../src/container/copy-source.ts';
import { isBuilderError } from '../../../src/report/builder-error.ts';
import { AT_FDCWD, lsetxattr, mknodat, S_IFCHR, S_IFIFO } from '../../../src/sys/libc.ts';
import { RootDirectory } from '../../../src/sys/root-directory.ts';
import { type Description, Fixture, isRoot, listTree, needsRoot, OWNER, setTime } from './copy-fixture.ts';

const CONTEXT: Description = {
  a: 'A',
  b: 'B',
  'd/': { mode: 0o750, mtime: 500 },
  'd/x': { text: 'X', mode: 0o600, mtime: 77 },
  'd/sub/y': 'Y',
  'e/x': 'X2',
};

interface Row {
  readonly name: string;
  readonly sources: string | readonly string[];
  readonly to: string;
  readonly before?: Description;
  readonly after: readonly string[] | RegExp;
}

const ROWS: readonly Row[] = [
  {
    name: 'a directory brings its contents, not itself',
    sources: 'd',
    to: '/new',
    after: ['new 755 dir', 'new/sub 755 dir', 'new/sub/y 644 "Y"', 'new/x 600 "X"'],
  },
  {
    name: 'a directory is merged into one that is there, which keeps its mode; those below do not',
    sources: 'd',
    to: '/t',
    before: { 't/': { mode: 0o711 }, 't/old': 'O', 't/sub/': { mode: 0o700 } },
    after: ['t 711 dir', 't/old 644 "O"', 't/sub 755 dir', 't/sub/y 644 "Y"', 't/x 600 "X"'],
  },
  {
    name: 'a directory to a spelled directory makes it like a parent',
    sources: 'd/sub',
    to: '/new/',
    after: ['new 755 dir', 'new/y 644 "Y"'],
  },
  { name: 'a file to d/ goes into d', sources: 'a', to: '/n/', after: ['n 755 dir', 'n/a 644 "A"'] },
  {
    name: 'a file to an existing directory goes into it without a slash',
    sources: 'a',
    to: '/t',
    before: { 't/': {} },
    after: ['t 755 dir', 't/a 644 "A"'],
  },
  {
    name: 'a file to a new name gets it, and parents are made',
    sources: 'a',
    to: '/p/q/r',
    after: ['p 755 dir', 'p/q 755 dir', 'p/q/r 644 "A"'],
  },
  {
    name: 'a file replaces a file',
    sources: 'a',
    to: '/f',
    before: { f: { text: 'long old content', mode: 0o600 } },
    after: ['f 644 "A"'],
  },
  {
    name: 'replacing one name of a file leaves its other names alone',
    sources: 'a',
    to: '/f',
    before: { f: 'old', g: '= f' },
    after: ['f 644 "A"', 'g 644 "old"'],
  },
  {
    name: 'a directory to an existing file is refused',
    sources: 'd',
    to: '/f',
    before: { f: 'F' },
    after: /copy a directory to "\/f": something that is not a directory/,
  },
  {
    name: 'a file where a directory of its name is, is refused',
    sources: 'a',
    to: '/t/',
    before: { 't/a/': {} },
    after: /cannot copy to "\/t\/a": a directory of that name is there/,
  },
  {
    name: 'several sources to something that is no directory are refused',
    sources: ['a', 'b'],
    to: '/x',
    after: /cannot copy 2 sources to "\/x": it is not a directory/,
  },
  {
    name: 'several sources go to an existing directory without a slash',
    sources: ['a', 'b'],
    to: '/t',
    before: { 't/': {} },
    after: ['t 755 dir', 't/a 644 "A"', 't/b 644 "B"'],
  },
  {
    name: 'several sources go to a spelled directory',
    sources: ['a', 'd'],
    to: '/t/',
    after: ['t 755 dir', 't/a 644 "A"', 't/sub 755 dir', 't/sub/y 644 "Y"', 't/x 600 "X"'],
  },
  {
    name: 'several directories merge, the last file wins',
    sources: ['d', 'e'],
    to: '/t',
    after: ['t 755 dir', 't/sub 755 dir', 't/sub/y 644 "Y"', 't/x 644 "X2"'],
  },
  { name: 'a dot behind a slash means a directory', sources: 'a', to: '/n/.', after: ['n 755 dir', 'n/a 644 "A"'] },
  { name: 'an empty destination is the root', sources: 'a', to: '', after: ['a 644 "A"'] },
  {
    name: 'the root of the context brings everything',
    sources: '/',
    to: '/',
    after: [
      'a 644 "A"',
      'b 644 "B"',
      'd 750 dir',
      'd/sub 755 dir',
      'd/sub/y 644 "Y"',
      'd/x 600 "X"',
      'e 755 dir',
      'e/x 644 "X2"',
    ],
  },
  { name: 'dots that lead out of the context stop at it', sources: '../../a', to: '/n', after: ['n 644 "A"'] },
  { name: 'dots that lead out of the root filesystem stop at it', sources: 'a', to: '/../../n', after: ['n 644 "A"'] },
  {
    name: 'a link to a directory in the destination path is followed',
    sources: 'a',
    to: '/l/',
    before: { 'real/': {}, l: '-> /real' },
    after: ['l -> /real', 'real 755 dir', 'real/a 644 "A"'],
  },
  {
    name: 'a link that dangles names what is made',
    sources: 'a',
    to: '/l/',
    before: { l: '-> /later/on' },
    after: ['l -> /later/on', 'later 755 dir', 'later/on 755 dir', 'later/on/a 644 "A"'],
  },
  {
    name: 'a link as destination file is followed',
    sources: 'a',
    to: '/l',
    before: { 'etc/f': 'F', l: '-> etc/f' },
    after: ['etc 755 dir', 'etc/f 644 "A"', 'l -> etc/f'],
  },
  {
    name: 'a link of the name of a copied file is replaced',
    sources: 'a',
    to: '/',
    before: { f: 'F', a: '-> f' },
    after: ['a 644 "A"', 'f 644 "F"'],
  },
  {
    name: 'a directory merges through a link to a directory',
    sources: 'd',
    to: '/',
    before: { 'usr/sub/': {}, sub: '-> usr/sub' },
    after: ['sub -> usr/sub', 'usr 755 dir', 'usr/sub 755 dir', 'usr/sub/y 644 "Y"', 'x 600 "X"'],
  },
  {
    name: 'a directory over a link to a file is refused',
    sources: 'd',
    to: '/',
    before: { f: 'F', sub: '-> f' },
    after: /copy a directory to "\/sub"/,
  },
  {
    name: 'a circle of links is refused',
    sources: 'a',
    to: '/l/x',
    before: { l: '-> m', m: '-> l' },
    after: /too many symbolic links/,
  },
  {
    name: 'something below a file is refused',
    sources: 'a',
    to: '/f/x',
    before: { f: 'F' },
    after: /copy a directory to "\/f"/,
  },
];

for (const row of ROWS) {
  test(row.name, async (t) => {
    const fixture = new Fixture(t, CONTEXT, row.before);
    const copy = fixture.copy(row.sources, row.to);
    if (row.after instanceof RegExp) {
      await assert.rejects(
        copy,
        (error) => isBuilderError(error, 'copy.invalid') && (row.after as RegExp).test(error.message),
      );
      return;
    }
    await copy;
    assert.deepEqual(fixture.tree(), row.after);
  });
}

test('X01 links out of the root filesystem stay inside it', async (t) => {
  for (const target of ['/canary', '../../../canary', '/../canary']) {
    const fixture = new Fixture(t, CONTEXT);
    symlinkSync(target === '/canary' ? fixture.canary : target, join(fixture.rootfs, 'dst'));
    await fixture.copy(['a', 'd'], '/dst/');
    assert.deepEqual(
      listTree(fixture.canary, { times: true }),
      listTree(fixture.canary, { times: true }).filter((l) => l.startsWith('f ') && l.endsWith('"untouched" @1000.0')),
    );
    assert.equal(listTree(fixture.canary).length, 1);
  }
});

test('the destination keeps its time where it is there, directories below it take that of the source', async (t) => {
  const fixture = new Fixture(t, CONTEXT, { 't/': { mtime: 42 } });
  setTime(join(fixture.context, 'd/sub'), 500, 123456789);
  await fixture.copy('d', '/t/new');
  await fixture.copy('d', '/t');
  const lines = fixture.tree({ times: true });
  assert.ok(lines.includes('t 755 dir @42.0'), lines.join('\n'));
  assert.ok(lines.includes('t/sub 755 dir @500.123456789'), lines.join('\n'));
  assert.ok(lines.includes('t/new/sub 755 dir @500.123456789'), lines.join('\n'));
  assert.ok(lines.includes('t/new/x 600 "X" @77.0'));
});

test('hard links within one copy stay links, across sources too', async (t) => {
  const fixture = new Fixture(t, { 'd/a': 'A', 'd/sub/b': '= d/a', 'e/c': '= d/a' });
  await fixture.copy(['d', 'e'], '/t/');
  assert.deepEqual(fixture.tree(), ['t 755 dir', 't/a 644 "A"', 't/c 644 = t/a', 't/sub 755 dir', 't/sub/b 644 = t/a']);
});

test('a hard link whose first copy was replaced by another source is copied, not linked to the wrong file', async (t) => {
  const fixture = new Fixture(t, { 'd/a': 'A', 'e/a': 'other', 'f/c': '= d/a' });
  await fixture.copy(['d', 'e', 'f'], '/t/');
  assert.deepEqual(fixture.tree(), ['t 755 dir', 't/a 644 "other"', 't/c 644 "A"']);
});

test('set-id bits, attributes, links and names of any bytes are kept', async (t) => {
  const fixture = new Fixture(t, {
    'd/s': { text: 'S', mode: 0o6755 },
    'd/t/': { mode: 0o1777 },
    'd/l': '-> /nowhere/at all',
  });
  const odd = Buffer.concat([Buffer.from(`${fixture.context}/d/`), Buffer.from([0xff, 0x0a, 0x80])]);
  writeFileSync(odd, 'odd');
  lsetxattr(join(fixture.context, 'd/s'), 'user.note', Buffer.from([0, 1, 255]));
  mknodat(AT_FDCWD, join(fixture.context, 'd/p'), S_IFIFO | 0o644);
  await fixture.copy('d', '/t');
  assert.deepEqual(fixture.tree(), [
    't 755 dir',
    't/l -> /nowhere/at all',
    't/p 644 fifo',
    't/s 6755 "S" user.note=0001ff',
    't/t 1777 dir',
    't/\xff\n\x80 644 "odd"',
  ]);
});

test('devices and file capabilities are kept', needsRoot, async (t) => {
  const fixture = new Fixture(t, { 'd/ping': { text: 'P', mode: 0o755 } });
  mknodat(AT_FDCWD, join(fixture.context, 'd/null'), S_IFCHR | 0o666, 1, 3);
  const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');
  lsetxattr(join(fixture.context, 'd/ping'), 'security.capability', capability);
  await fixture.copy('d', '/', { chown: '5:6' });
  assert.deepEqual(
    listTree(fixture.rootfs),
    ['null 644 5:6 node2:1:3', `ping 755 5:6 "P" security.capability=${capability.toString('hex')}`].map((l) =>
      l
        .replace('null 644', 'null 666')
        .replace(/^null 666/, `null ${(lstatSync(join(fixture.context, 'd/null')).mode & 0o777).toString(8)}`),
    ),
  );
});

test('owners: root by default, as told, or kept', needsRoot, async (t) => {
  const context: Description = {
    'd/f': { text: 'F', uid: 7 },
    'd/l': { text: '-> f', uid: 8 },
    'd/s': { text: '', mode: 0o4711 },
  };
  const cases: [object, string[]][] = [
    [{}, ['p 755 0:0 dir', 'p/d 755 0:0 dir', 'p/d/f 644 0:0 "F"', 'p/d/l 0:0 -> f', 'p/d/s 4711 0:0 ""']],
    [
      { chown: '3:4' },
      ['p 755 3:4 dir', 'p/d 755 3:4 dir', 'p/d/f 644 3:4 "F"', 'p/d/l 3:4 -> f', 'p/d/s 4711 3:4 ""'],
    ],
    [{ chown: '9' }, ['p 755 9:9 dir', 'p/d 755 9:9 dir', 'p/d/f 644 9:9 "F"', 'p/d/l 9:9 -> f', 'p/d/s 4711 9:9 ""']],
    [
      { preserveOwnership: true },
      ['p 755 0:0 dir', 'p/d 755 0:0 dir', 'p/d/f 644 7:7 "F"', 'p/d/l 8:8 -> f', 'p/d/s 4711 0:0 ""'],
    ],
    [
      {
        chown: 'www:data',
        resolveOwner: (name: string) => (name === 'www:data' ? { uid: 33, gid: 34 } : { uid: 1, gid: 1 }),
      },
      ['p 755 33:34 dir', 'p/d 755 33:34 dir', 'p/d/f 644 33:34 "F"', 'p/d/l 33:34 -> f', 'p/d/s 4711 33:34 ""'],
    ],
  ];
  for (const [o, expected] of cases) {
    const fixture = new Fixture(t, context);
    await fixture.copy('d', '/p/d', o);
    assert.deepEqual(listTree(fixture.rootfs), expected);
  }
});

test('an unknown owner and an unknown mode are refused', async (t) => {
  const fixture = new Fixture(t, { f: 'F' });
  await assert.rejects(fixture.copy('f', '/', { chown: 'nobody-here' }), { code: 'copy.invalid' });
  await assert.rejects(fixture.copy('f', '/', { chown: '4294967295' }), { code: 'copy.invalid' });
  await assert.rejects(fixture.copy('f', '/', { chmod: 'u+q' }), { code: 'copy.invalid' });
  assert.deepEqual(fixture.tree(), []);
});

test('an octal mode reaches files, directories and made-up parents; a symbolic one not the parents', async (t) => {
  const context: Description = { 'd/f': { text: 'F', mode: 0o640 }, 'd/x': { text: 'X', mode: 0o700 }, 'd/l': '-> f' };
  const octal = new Fixture(t, context);
  await octal.copy('d', '/p/d', { chmod: '750' });
  assert.deepEqual(octal.tree(), ['p 750 dir', 'p/d 750 dir', 'p/d/f 750 "F"', 'p/d/l -> f', 'p/d/x 750 "X"']);
  const symbolic = new Fixture(t, context);
  await symbolic.copy('d', '/p/d', { chmod: 'u=rwX,go=rX' });
  assert.deepEqual(symbolic.tree(), ['p 755 dir', 'p/d 755 dir', 'p/d/f 644 "F"', 'p/d/l -> f', 'p/d/x 755 "X"']);
});

test('a forced time reaches everything new and nothing that was there', async (t) => {
  const fixture = new Fixture(t, CONTEXT, { 't/': { mtime: 42 } });
  await fixture.copy('d', '/t/n/m', { timestamp: { seconds: 99, nanoseconds: 5 } });
  for (const line of fixture.tree({ times: true }))
    assert.match(line, line.startsWith('t 755') ? /@42\.0$/ : /@99\.5$/);
});

test('large files keep content and holes', async (t) => {
  const fixture = new Fixture(t, { 'd/': {} });
  const sparse = join(fixture.context, 'd/sparse');
  writeFileSync(sparse, 'start');
  truncateSync(sparse, 64 << 20);
  const fd = openSync(sparse, 'r+');
  writeSync(fd, 'middle', 32 << 20);
  closeSync(fd);
  const dense = Buffer.alloc(3 << 20, 'dense!');
  writeFileSync(join(fixture.context, 'd/dense'), dense);
  const { digest } = await fixture.copy('d', '/one', { digest: true });
  await fixture.copy('d', '/two');
  using context = new RootDirectory(fixture.context);
  const sources = await resolveSources({ root: context, patterns: ['d'] });
  assert.equal((await digestSources(sources, OWNER)).digest, digest);
  for (const name of ['one', 'two']) {
    const copy = join(fixture.rootfs, name, 'sparse');
    assert.ok(readFileSync(copy).equals(readFileSync(sparse)), name);
    assert.ok(statSync(copy).blocks * 512 < 4 << 20, `${name} has ${statSync(copy).blocks} blocks`);
    assert.ok(readFileSync(join(fixture.rootfs, name, 'dense')).equals(dense));
  }
});

test('B62 a file system holding a terabyte of nothing is copied at once', { timeout: 20_000 }, async (t) => {
  const fixture = new Fixture(t, { big: '' });
  truncateSync(join(fixture.context, 'big'), 2 ** 40);
  await fixture.copy('big', '/');
  assert.equal(statSync(join(fixture.rootfs, 'big')).size, 2 ** 40);
});

test('here-documents are files of mode 0644 and mix with others', async (t) => {
  const fixture = new Fixture(t, CONTEXT);
  using context = new RootDirectory(fixture.context);
  using root = new RootDirectory(fixture.rootfs);
  const sources = [
    inlineSource('EOF', Buffer.from('hello\n')),
    ...(await resolveSources({ root: context, patterns: ['a'] })),
  ];
  const owner = isRoot ? {} : { preserveOwnership: true, chown: `${process.geteuid!()}:${process.getegid!()}` };
  const copied = await copyIn({ sources, root, destination: '/t/', digest: true, ...owner });
  assert.deepEqual(fixture.tree(), ['t 755 dir', 't/EOF 644 "hello\\n"', 't/a 644 "A"']);
  assert.equal(copied.kind, 'multi');
  assert.equal(copied.digest, (await digestSources(sources, owner)).digest);
});

test('B62 sockets in a directory are left out, and one named as the source is refused', async (t) => {
  const fixture = new Fixture(t, { 'd/f': 'F' });
  mknodat(AT_FDCWD, join(fixture.context, 'd/sock'), 0o140755);
  await assert.rejects(fixture.copy('d/sock', '/t'), /cannot copy "d\/sock": it is a socket/);
  await fixture.copy('d', '/u');
  assert.deepEqual(
    fixture.tree().filter((line) => line.startsWith('u')),
    ['u 755 dir', 'u/f 644 "F"'],
  );
});

test('B62 a file swapped for a FIFO or a link after it was found is not opened for good', {
  timeout: 10_000,
}, async (t) => {
  const fixture = new Fixture(t, { 'd/f': 'F', 'd/g': 'G' });
  const { rmSync } = await import('node:fs');
  for (const swap of ['fifo', 'link'] as const) {
    using context = new RootDirectory(fixture.context);
    using root = new RootDirectory(fixture.rootfs);
    const sources = await resolveSources({ root: context, patterns: ['d'] });
    const path = join(fixture.context, 'd/f');
    rmSync(path);
    if (swap === 'fifo') mknodat(AT_FDCWD, path, S_IFIFO | 0o644);
    else symlinkSync(join(fixture.canary, 'f'), path);
    await assert.rejects(
      copyIn({ sources, root, destination: '/t', ...OWNER }),
      /cannot copy "f": it changed while it was being copied/,
    );
    rmSync(path);
    writeFileSync(path, 'F');
  }
});

test('B60 a directory replaced by a link after it was found is not entered', async (t) => {
  const { renameSync } = await import('node:fs');
  const fixture = new Fixture(t, { 'd/sub/f': 'F' });
  using context = new RootDirectory(fixture.context);
  using root = new RootDirectory(fixture.rootfs);
  const sources = await resolveSources({ root: context, patterns: ['d'] });
  renameSync(join(fixture.context, 'd/sub'), join(fixture.context, 'd/gone'));
  symlinkSync(fixture.canary, join(fixture.context, 'd/sub'));
  await assert.rejects(copyIn({ sources, root, destination: '/t', ...OWNER }), { code: 'copy.invalid' });
});

test('B62 very deep directories are copied, deeper ones refused', async (t) => {
  const fixture = new Fixture(t, { 'd/': {} });
  const make = (levels: number): void => {
    let fd = openat2(join(fixture.context, 'd'));
    for (let i = 0; i < levels; i++) {
      mkdirSync(`/proc/self/fd/${fd}/x`, { recursive: true });
      const next = openSync(`/proc/self/fd/${fd}/x`, 'r');
      closeSync(fd);
      fd = next;
    }
    closeSync(fd);
  };
  const openat2 = (path: string): number => openSync(path, 'r');
  make(1000);
  assert.equal((await fixture.copy('d', '/t')).files, 1001);
  make(2100);
  await assert.rejects(fixture.copy('d', '/u'), /nest deeper than 2048/);
});

test('a cancelled copy stops', async (t) => {
  const fixture = new Fixture(t, CONTEXT);
  await assert.rejects(fixture.copy('d', '/t', { signal: AbortSignal.abort(new Error('stop')) }), /stop/);
});
