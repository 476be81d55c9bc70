/** The codec against GNU tar and Python's tarfile, both ways, where these are installed. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { TarEntry } from '../../../src/archive/tar-entry.ts';
import { END_OF_ARCHIVE, encodeEntry, padding } from '../../../src/archive/tar-writer.ts';
import { entry, parse } from './tar-fixture.ts';

const has = (program: string) => spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined;
const needs = (...programs: string[]) => {
  const missing = programs.filter((program) => !has(program));
  return missing.length === 0 ? {} : { skip: `not installed: ${missing.join(', ')}` };
};

const root = mkdtempSync(join(tmpdir(), 'archive-test-'));
after(() => rmSync(root, { recursive: true, force: true }));

function makeTree(): string {
  const tree = join(root, 'tree');
  const deep = join(tree, 'd'.repeat(90), 'e'.repeat(90), 'f'.repeat(90));
  mkdirSync(deep, { recursive: true });
  writeFileSync(join(deep, 'g'.repeat(120)), 'deep');
  writeFileSync(join(tree, 'plain'), Buffer.alloc(1025, 'p'), { mode: 0o600 });
  writeFileSync(join(tree, 'empty'), '');
  writeFileSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0xff, 0x62])]), 'raw');
  writeFileSync(join(tree, 'größe'), 'utf8');
  linkSync(join(tree, 'plain'), join(tree, 'second'));
  symlinkSync('/absolute/target', join(tree, 'link'));
  symlinkSync('t'.repeat(150), join(tree, 'long-link'));
  truncateSync(join(tree, 'empty'), 0);
  const sparse = openSync(join(tree, 'sparse'), 'w');
  for (const at of [100_000, 500_000, 1_000_000]) writeSync(sparse, 'data', at);
  closeSync(sparse);
  truncateSync(join(tree, 'sparse'), 1_500_000);
  utimesSync(join(tree, 'plain'), 1_600_000_000, 1_600_000_000);
  return tree;
}

/** What Python makes of an archive: one JSON line a member. */
const LIST = `
import tarfile, json, sys, hashlib
with tarfile.open(sys.argv[1], errors='surrogateescape') as t:
    for m in t:
        raw = lambda s: s.encode('utf8', 'surrogateescape').hex()
        kind = 'file' if m.isreg() else 'hardlink' if m.islnk() else 'symlink' if m.issym() else 'directory' if m.isdir() else 'fifo' if m.isfifo() else 'char' if m.ischr() else 'block'
        content = hashlib.sha256(t.extractfile(m).read()).hexdigest() if m.isreg() else ''
        print(json.dumps([raw(m.name), kind, m.mode & 0o7777, m.uid, m.gid, int(m.mtime // 1), raw(m.linkname) if kind in ('hardlink', 'symlink') else '', content, [m.devmajor, m.devminor] if kind in ('char', 'block') else [0, 0]]))
`;

async function ours(archive: Buffer): Promise<unknown[]> {
  const { createHash } = await import('node:crypto');
  return parse(archive, {}, 100_000).map((e) => [
    e.name.toString('hex'),
    e.type,
    e.mode,
    e.uid,
    e.gid,
    e.mtime.seconds,
    e.linkName.toString('hex'),
    e.type === 'file' ? createHash('sha256').update(e.content).digest('hex') : '',
    [e.devMajor, e.devMinor],
  ]);
}

function python(file: string): unknown[] {
  const output = execFileSync('python3', ['-c', LIST, file], { encoding: 'utf8' });
  return output
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

describe('archives of GNU tar', needs('tar', 'python3'), () => {
  const tree = needs('tar', 'python3').skip === undefined ? makeTree() : '';
  const forms: readonly [string, string[]][] = [
    ['gnu', ['--format=gnu']],
    ['gnu sparse', ['--format=gnu', '--sparse']],
    ['pax', ['--format=pax']],
    ['pax sparse 0.0', ['--format=pax', '--sparse-version=0.0']],
    ['pax sparse 0.1', ['--format=pax', '--sparse-version=0.1']],
    ['pax sparse 1.0', ['--format=pax', '--sparse-version=1.0']],
    ['pax with global header', ['--format=pax', '--pax-option=globexthdr.name=g,comment=x']],
    ['ustar', ['--format=ustar', '--exclude=dddd*', '--exclude=long-link']],
    ['v7', ['--format=v7', '--exclude=dddd*', '--exclude=long-link']],
  ];
  for (const [name, args] of forms) {
    test(`${name} reads as Python reads it`, async () => {
      const file = join(root, 'archive.tar');
      execFileSync('tar', ['-C', tree, '--sort=name', ...args, '-cf', file, '.'], { stdio: 'pipe' });
      const { readFileSync } = await import('node:fs');
      assert.deepEqual(await ours(readFileSync(file)), python(file));
    });
  }
});

const bytes = (text: string) => Buffer.from(text, 'latin1');
const written: readonly [Partial<TarEntry>, Buffer?][] = [
  [{ name: bytes('.'), type: 'directory', mode: 0o755 }],
  [{ name: bytes('d'), type: 'directory', mode: 0o1777, mtime: { seconds: 1, nanoseconds: 5 } }],
  [{ name: bytes('d/plain'), mode: 0o4755, uid: 1000, gid: 300_000 }, bytes('content')],
  [{ name: Buffer.from([0x64, 0x2f, 0xff]), uid: 4294967294 }, Buffer.alloc(1024, 'x')],
  [{ name: bytes(`d/${'n'.repeat(200)}`), mtime: { seconds: -2, nanoseconds: 500_000_000 } }, bytes('y')],
  [{ name: bytes(`${'p/'.repeat(60)}n`), mtime: { seconds: 9_000_000_000, nanoseconds: 0 } }],
  [{ name: bytes('hard'), type: 'hardlink', linkName: bytes('d/plain') }],
  [{ name: bytes('soft'), type: 'symlink', linkName: Buffer.from([0x2f, 0xfe]) }],
  [{ name: bytes('fifo'), type: 'fifo' }],
  [{ name: bytes('null'), type: 'char', devMajor: 1, devMinor: 3 }],
  [{ name: bytes('attr'), xattrs: new Map([['user.a', Buffer.from([0, 255, 10])]]) }],
];

describe('our archives', () => {
  const archive = Buffer.concat([
    ...written.map(([of, content = Buffer.alloc(0)]) => {
      return Buffer.concat([encodeEntry(entry({ ...of, size: content.length })), content, padding(content.length)]);
    }),
    END_OF_ARCHIVE,
  ]);
  const file = join(root, 'ours.tar');

  test('read as Python reads them', needs('python3'), async () => {
    writeFileSync(file, archive);
    assert.deepEqual(await ours(archive), python(file));
  });

  test('list without complaint in GNU tar', needs('tar'), () => {
    writeFileSync(file, archive);
    const { stdout, stderr, status } = spawnSync('tar', ['-tf', file, '--quoting-style=escape'], {
      encoding: 'latin1',
    });
    assert.deepEqual([status, stderr, stdout.split('\n').length - 1], [0, '', written.length]);
  });
});
