import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Fixture, isRoot, listTree, needsRoot, OWNER } from './copy-fixture.ts';

interface Member {
  readonly name: string;
  readonly type?: '0' | '1' | '2' | '3' | '5' | '6';
  readonly link?: string;
  readonly data?: string;
  readonly mode?: number;
  readonly mtime?: number;
}

const ME = isRoot ? { uid: 0, gid: 0 } : { uid: process.geteuid!(), gid: process.getegid!() };

function tar(...members: readonly Member[]): Buffer {
  const blocks = members.flatMap((member) => {
    const data = Buffer.from(member.data ?? '');
    const header = Buffer.alloc(512);
    const put = (offset: number, width: number, value: number): void => {
      header.write(value.toString(8).padStart(width - 1, '0'), offset, 'latin1');
    };
    header.write(member.name, 0, 'latin1');
    put(100, 8, member.mode ?? (member.type === '5' ? 0o755 : 0o644));
    put(108, 8, ME.uid);
    put(116, 8, ME.gid);
    put(124, 12, data.length);
    put(136, 12, member.mtime ?? 1000);
    header.write(member.type ?? '0', 156);
    header.write(member.link ?? '', 157, 'latin1');
    header.write('ustar\x0000', 257, 'latin1');
    header.write('        ', 148);
    put(
      148,
      7,
      header.reduce((sum, byte) => sum + byte, 0),
    );
    return [header, data, Buffer.alloc((512 - (data.length % 512)) % 512)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

const GOOD = [
  { name: './', type: '5' as const, mode: 0o700, mtime: 1 },
  { name: 'd/', type: '5' as const, mode: 0o1777, mtime: 500 },
  { name: 'd/f', data: 'content', mode: 0o4755, mtime: 600 },
  { name: 'd/h', type: '1' as const, link: 'd/f' },
  { name: 'd/l', type: '2' as const, link: '/nowhere' },
  { name: 'd/p', type: '6' as const },
  { name: '.wh.f', data: 'not a whiteout' },
  { name: 'made/up/f', data: 'x' },
];
const GOOD_TREE = [
  't 755 dir',
  't/.wh.f 644 "not a whiteout" @1000.0',
  't/d 1777 dir @500.0',
  't/d/f 4755 "content" @600.0',
  't/d/h 4755 = t/d/f @600.0',
  't/d/l -> /nowhere @1000.0',
  't/d/p 644 fifo @1000.0',
  't/made 755 dir',
  't/made/up 755 dir',
  't/made/up/f 644 "x" @1000.0',
];
const withoutFreshTimes = (lines: readonly string[]): string[] =>
  lines.map((line) => (/^(t|t\/made|t\/made\/up) /.test(line) ? line.replace(/ @.*/, '') : line));

const COMPRESSORS: readonly (readonly [string, (plain: Buffer) => Buffer | undefined])[] = [
  ['no', (plain) => plain],
  ['gzip', (plain) => gzipSync(plain)],
  ...(['bzip2', 'xz', 'zstd'] as const).map(
    (program) =>
      [
        program,
        (plain: Buffer) => {
          const done = spawnSync(program, ['-c'], { input: plain });
          return done.status === 0 ? done.stdout : undefined;
        },
      ] as const,
  ),
];

for (const [name, compress] of COMPRESSORS) {
  test(`an archive with ${name} compression is unpacked, whatever it is called`, async (t) => {
    const archive = compress(tar(...GOOD));
    if (archive === undefined) return t.skip(`${name} is not installed`);
    const fixture = new Fixture(t, {});
    writeFileSync(join(fixture.context, 'anything'), archive);
    await fixture.copy('anything', '/t', { unpack: true });
    assert.deepEqual(withoutFreshTimes(fixture.tree({ times: true })), GOOD_TREE);
  });
}

test('an archive is only unpacked when asked', async (t) => {
  const fixture = new Fixture(t, {});
  writeFileSync(join(fixture.context, 'a.tar'), tar(...GOOD));
  await fixture.copy('a.tar', '/t/');
  assert.ok(readFileSync(join(fixture.rootfs, 't/a.tar')).equals(tar(...GOOD)));
});

test('what is no archive is copied, whatever it is called or looks like', async (t) => {
  const fixture = new Fixture(t, { 'a.tar': 'no tar', 'empty.tar': '' });
  writeFileSync(join(fixture.context, 'b.tar.gz'), gzipSync('text'));
  writeFileSync(join(fixture.context, 'c.gz'), Buffer.from([0x1f, 0x8b, 1, 2, 3]));
  writeFileSync(join(fixture.context, 'zeros'), Buffer.alloc(2048));
  await fixture.copy('*', '/t/', { unpack: true });
  const names = fixture.tree().map((line) => line.split(' ')[0]);
  assert.deepEqual(names, ['t', 't/a.tar', 't/b.tar.gz', 't/c.gz', 't/empty.tar', 't/zeros']);
});

test('--chown reaches everything unpacked, --chmod nothing', needsRoot, async (t) => {
  const fixture = new Fixture(t, {});
  writeFileSync(join(fixture.context, 'a'), tar(...GOOD));
  await fixture.copy('a', '/t', { unpack: true, chown: '3:4', chmod: 'a=' });
  const lines = listTree(fixture.rootfs);
  assert.ok(
    lines.every((line) => line.includes(' 3:4 ')),
    lines.join('\n'),
  );
  assert.ok(lines.some((line) => line.startsWith('t/d/f 4755')));
});

test('existing directories take the attributes of the archive, files are replaced, what a link leads to stays', async (t) => {
  const fixture = new Fixture(
    t,
    {},
    {
      't/d/': { mode: 0o700 },
      't/d/f': 'old',
      't/other': '= t/d/f',
      't/real/': { mode: 0o711 },
      't/link': '-> real',
    },
  );
  writeFileSync(
    join(fixture.context, 'a'),
    tar(
      { name: 'd/', type: '5', mode: 0o777 },
      { name: 'd/f', data: 'new' },
      { name: 'link/', type: '5', mode: 0o777 },
    ),
  );
  await fixture.copy('a', '/t', { unpack: true });
  assert.deepEqual(fixture.tree(), [
    't 755 dir',
    't/d 777 dir',
    't/d/f 644 "new"',
    't/link -> real',
    't/other 644 "old"',
    't/real 711 dir',
  ]);
});

test('the digest of an archive is that of its bytes, before and after', async (t) => {
  const { digestSources } = await import('../../../src/container/content-digest.ts');
  const { resolveSources } = await import('../../../src/container/copy-source.ts');
  const { RootDirectory } = await import('../../../src/sys/root-directory.ts');
  const fixture = new Fixture(t, {});
  writeFileSync(join(fixture.context, 'a'), tar(...GOOD));
  using root = new RootDirectory(fixture.context);
  const flags = OWNER;
  const before = await digestSources(await resolveSources({ root, patterns: ['a'] }), flags);
  const copied = await fixture.copy('a', '/t', { unpack: true, digest: true });
  assert.equal(copied.digest, before.digest);
});

/** `canary` stands for a place outside the root filesystem. Each either fails or stays inside. */
const HOSTILE: readonly (readonly [string, (canary: string) => readonly Member[]])[] = [
  [
    'dots in a name',
    () => [
      { name: '../esc', data: 'x' },
      { name: 'a/../../esc', data: 'x' },
      { name: '/../esc', data: 'x' },
    ],
  ],
  [
    'a write through an absolute link',
    (canary) => [
      { name: 'l', type: '2', link: canary },
      { name: 'l/f', data: 'x' },
    ],
  ],
  [
    'a write through a relative link',
    () => [
      { name: 'l', type: '2', link: '../../../../canary' },
      { name: 'l/f', data: 'x' },
    ],
  ],
  [
    'a directory made through a link',
    (canary) => [
      { name: 'd', type: '5' },
      { name: 'd/l', type: '2', link: canary },
      { name: 'd/l/n/', type: '5', mode: 0o777 },
      { name: 'd/l/n/f', data: 'x' },
    ],
  ],
  [
    'a file over a link',
    (canary) => [
      { name: 'l', type: '2', link: `${canary}/f` },
      { name: 'l', data: 'x' },
    ],
  ],
  [
    'a directory over a link',
    (canary) => [
      { name: 'l', type: '2', link: canary },
      { name: 'l/', type: '5', mode: 0o777, mtime: 9 },
    ],
  ],
  [
    'a hard link out, absolute',
    (canary) => [
      { name: 'h', type: '1', link: `${canary}/f` },
      { name: 'h', data: 'x' },
    ],
  ],
  [
    'a hard link out, with dots',
    () => [
      { name: 'h', type: '1', link: '../../../canary/f' },
      { name: 'h', data: 'x' },
    ],
  ],
  [
    'a hard link through a link',
    (canary) => [
      { name: 'l', type: '2', link: canary },
      { name: 'h', type: '1', link: 'l/f' },
    ],
  ],
  [
    'a hard link to a link, then a mode',
    (canary) => [
      { name: 'l', type: '2', link: `${canary}/f` },
      { name: 'h', type: '1', link: 'l' },
      { name: 'h', data: 'x', mode: 0o777 },
    ],
  ],
  [
    'a link in place of the root',
    (canary) => [
      { name: './', type: '2', link: canary },
      { name: 'f', data: 'x' },
    ],
  ],
  [
    'a chain of links',
    (canary) => [
      { name: 'a/b/c/up', type: '2', link: '../..' },
      { name: 'a/b/escape', type: '2', link: 'c/up/../..' },
      { name: 'x', type: '1', link: `a/b/escape/..${canary}/f` },
      { name: 'x', data: 'x' },
    ],
  ],
];

for (const [name, members] of HOSTILE) {
  test(`B01 B08 an archive does not get out: ${name}`, async (t) => {
    const fixture = new Fixture(t, {});
    const before = listTree(fixture.canary, { times: true });
    const outside = (): string =>
      execFileSync('ls', ['-lan', '--time-style=full-iso', fixture.directory], { encoding: 'utf8' }).replace(
        /.* \.\.?\n/g,
        '',
      );
    writeFileSync(join(fixture.context, 'a'), tar(...members(fixture.canary)));
    mkdirSync(join(fixture.rootfs, 't'));
    const around = outside().replace(/.*rootfs\n/, '');
    await fixture.copy('a', '/t', { unpack: true }).catch((error: { code?: string }) => {
      assert.ok(error.code === 'tar.invalid' || error.code === 'copy.invalid', String(error));
    });
    assert.deepEqual(listTree(fixture.canary, { times: true }), before);
    assert.equal(outside().replace(/.*rootfs\n/, ''), around);
  });
}

test('B09 a hard link is not resolved against the working directory of the process', async (t) => {
  const fixture = new Fixture(t, { secret: 'S' });
  const cwd = process.cwd();
  writeFileSync(join(fixture.context, 'a'), tar({ name: 'h', type: '1', link: 'secret' }));
  process.chdir(fixture.context);
  t.after(() => process.chdir(cwd));
  await assert.rejects(fixture.copy('a', '/t', { unpack: true }), { code: 'tar.invalid' });
});

test('a truncated archive is an error', async (t) => {
  const fixture = new Fixture(t, {});
  const whole = tar({ name: 'f', data: 'x'.repeat(2000) });
  writeFileSync(join(fixture.context, 'a'), whole.subarray(0, 1500));
  await assert.rejects(fixture.copy('a', '/t', { unpack: true }), { code: 'tar.invalid' });
});

test('X01 an archive unpacked at a link stays inside the root filesystem', async (t) => {
  const fixture = new Fixture(t, {});
  symlinkSync(fixture.canary, join(fixture.rootfs, 'dst'));
  writeFileSync(join(fixture.context, 'a'), tar({ name: 'f', data: 'x' }));
  await fixture.copy('a', '/dst', { unpack: true });
  assert.equal(readFileSync(join(fixture.canary, 'f'), 'utf8'), 'untouched');
});
