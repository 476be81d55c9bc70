import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TarEntry } from '../../../src/archive/tar-entry.ts';
import { END_OF_ARCHIVE, encodeEntry, encodeEntryInto, padding } from '../../../src/archive/tar-writer.ts';
import { digestOf } from '../../../src/spec/digest.ts';
import { coded, entry, parse } from './tar-fixture.ts';

const time = (seconds: number, nanoseconds = 0) => ({ seconds, nanoseconds });
const bytes = (text: string) => Buffer.from(text, 'latin1');

const cases: readonly [string, Partial<TarEntry>, number?][] = [
  ['plain file', { name: bytes('a/b'), mode: 0o6755, uid: 1000, gid: 100, mtime: time(1700000000) }],
  ['name of 99 bytes', { name: bytes('n'.repeat(99)) }],
  ['name of 100 bytes', { name: bytes('n'.repeat(100)) }],
  ['name of 101 bytes without a slash', { name: bytes('n'.repeat(101)) }, 1536],
  ['directory of 99 bytes', { type: 'directory', name: bytes('n'.repeat(99)) }],
  ['directory of 100 bytes', { type: 'directory', name: bytes('n'.repeat(100)) }, 1536],
  ['path split into prefix and name', { name: bytes(`${'p'.repeat(155)}/${'n'.repeat(100)}`) }],
  ['prefix one too long', { name: bytes(`${'p'.repeat(156)}/${'n'.repeat(99)}`) }, 1536],
  [
    'directory path split before its last part',
    { type: 'directory', name: bytes(`${'p'.repeat(80)}/${'n'.repeat(80)}`) },
  ],
  ['absolute long name', { name: bytes(`/${'n'.repeat(100)}`) }, 1536],
  ['path of 4,096 bytes', { name: bytes(`${'d/'.repeat(2047)}ff`) }, 512 + 4608 + 512],
  ['UTF-8 name', { name: Buffer.from('größe') }, 1536],
  ['name that is not UTF-8', { name: Buffer.from([0xff, 0xfe]) }, 1536],
  ['name with a newline', { name: bytes('a\nb=c') }],
  ['symlink', { type: 'symlink', linkName: bytes('/usr/sh') }],
  ['link name of 100 bytes', { type: 'symlink', linkName: bytes('t'.repeat(100)) }],
  ['link name of 101 bytes', { type: 'symlink', linkName: bytes('t'.repeat(101)) }, 1536],
  ['link name that is not UTF-8', { type: 'hardlink', linkName: Buffer.from([0xff]) }, 1536],
  ['devices', { type: 'char', devMajor: 4095, devMinor: 1048575 }],
  ['block device', { type: 'block', devMajor: 8, devMinor: 17 }],
  ['fifo', { type: 'fifo' }],
  ['largest ids of ustar', { uid: 2097151, gid: 2097151 }],
  ['ids beyond ustar', { uid: 2097152, gid: 4294967294 }, 1536],
  ['largest size of ustar', { size: 8 * 2 ** 30 - 1 }],
  ['size of 8 GiB', { size: 8 * 2 ** 30 }, 1536],
  ['nanoseconds', { mtime: time(1700000000, 123456789) }, 1536],
  ['negative time', { mtime: time(-100) }, 1536],
  ['half a second before the epoch', { mtime: time(-1, 500000000) }, 1536],
  ['the last second of ustar', { mtime: time(0o77777777777) }],
  ['a time beyond it', { mtime: time(0o100000000000) }, 1536],
  [
    'attributes',
    {
      xattrs: new Map([
        ['user.b', bytes('x\0\n=')],
        ['security.capability', Buffer.from([1, 0, 0, 2, 0xff])],
      ]),
    },
    1536,
  ],
  ['attribute names with = and %', { xattrs: new Map([['user.a=b%41', bytes('v')]]) }, 1536],
  [
    'everything at once',
    {
      name: Buffer.from('ü'.repeat(200)),
      uid: 3e9,
      mtime: time(-1, 1),
      xattrs: new Map([['user.a', Buffer.alloc(0)]]),
    },
    1536,
  ],
];

describe('what is written reads back the same', () => {
  for (const [name, of, length = 512] of cases) {
    test(name, () => {
      const written = entry(of);
      const blocks = encodeEntry(written);
      assert.equal(blocks.length, length);
      // No content follows, so sizes are looked at in the header only.
      let read: TarEntry | undefined;
      if (written.size === 0) [read] = parse(Buffer.concat([blocks, END_OF_ARCHIVE]));
      else assert.throws(() => parse(blocks), coded('tar.invalid', /truncated/));
      if (read !== undefined) assert.deepEqual(read, { ...written, content: Buffer.alloc(0) });
    });
  }
});

test('encodeEntryInto writes what encodeEntry gives, over whatever was there', () => {
  const target = Buffer.alloc(1 << 20, 0xaa);
  let at = 100;
  for (const [, of] of cases) at += encodeEntryInto(target, at, entry(of));
  assert.deepEqual(target.subarray(100, at), Buffer.concat(cases.map(([, of]) => encodeEntry(entry(of)))));
  assert.equal(target[at], 0xaa);
});

test('encodeEntryInto writes nothing when there is no room', () => {
  const target = Buffer.alloc(1024, 0xaa);
  assert.equal(encodeEntryInto(target, 600, entry()), 0);
  assert.equal(encodeEntryInto(target, 0, entry({ uid: 3e9 })), 0);
  assert.ok(target.every((byte) => byte === 0xaa));
  assert.equal(encodeEntryInto(target, 512, entry()), 512);
});

test('records are in a fixed order, attributes by the bytes of their names', () => {
  const xattrs = ['user.z', 'user.B', 'user.ä', 'user.a'].map((name): [string, Buffer] => [name, bytes('1')]);
  const one = encodeEntry(entry({ xattrs: new Map(xattrs) }));
  assert.deepEqual(one, encodeEntry(entry({ xattrs: new Map(xattrs.reverse()) })));
  assert.deepEqual(
    [...one.toString('utf8').matchAll(/user\.(.)/g)].map(([, name]) => name),
    ['B', 'a', 'z', 'ä'],
  );
});

test('the bytes are those of every release', () => {
  const digest = digestOf(Buffer.concat([...cases.map(([, of]) => encodeEntry(entry(of))), END_OF_ARCHIVE]));
  assert.equal(digest, 'sha256:3109cdf862207936827a14937b79ef49ac5b09809f3ed4d6a3e079daa4d598b8');
});

test('only files have a size', () => {
  for (const type of ['hardlink', 'symlink', 'directory', 'fifo', 'char', 'block'] as const) {
    assert.equal(encodeEntry(entry({ type, size: 5 })).toString('latin1', 124, 135), '00000000000');
  }
});

test('padding fills up to a whole block', () => {
  for (const [size, zeros] of [
    [0, 0],
    [1, 511],
    [511, 1],
    [512, 0],
    [8 * 2 ** 30 + 1, 511],
  ] as const) {
    assert.deepEqual(padding(size), Buffer.alloc(zeros));
  }
});

test('refuses records that no reader takes, and device numbers too large', () => {
  const xattrs = new Map(Array.from({ length: 20 }, (_, i): [string, Buffer] => [`user.${i}`, Buffer.alloc(65536)]));
  assert.throws(() => encodeEntry(entry({ xattrs })), coded('tar.invalid', /more than readers accept/));
  assert.throws(() => encodeEntry(entry({ type: 'char', devMinor: 2097152 })), coded('tar.invalid', /device number/));
});
