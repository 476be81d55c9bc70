import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { Crc64 } from '../../../src/archive/crc64.ts';
import type { TarEntry } from '../../../src/archive/tar-entry.ts';
import { END_OF_ARCHIVE, encodeEntry, padding } from '../../../src/archive/tar-writer.ts';
import { unzstd } from '../../../src/archive/zstd.ts';
import { zstdChunked } from '../../../src/archive/zstd-chunked.ts';
import { digestOf } from '../../../src/spec/digest.ts';
import { bytesOf, collect } from '../../support/sample-image.ts';

interface TocEntry {
  readonly type: string;
  readonly name: string;
  readonly size?: number;
  readonly digest?: string;
  readonly offset?: number;
  readonly endOffset?: number;
  readonly linkName?: string;
  readonly modtime?: string;
  readonly xattrs?: Readonly<Record<string, string>>;
}
interface SplitLine {
  readonly type: number;
  readonly name?: string;
  readonly size?: number;
  readonly payload: string | null;
  readonly position: number;
}

const PREFIX = 'io.github.containers.zstd-chunked';

function member(name: string, more: Partial<TarEntry> = {}): Buffer {
  return encodeEntry({
    name: Buffer.from(name),
    type: 'file',
    mode: 0o644,
    uid: 1000,
    gid: 0,
    size: 0,
    mtime: { seconds: 1_600_000_000, nanoseconds: 120_000_000 },
    linkName: Buffer.alloc(0),
    devMajor: 0,
    devMinor: 0,
    xattrs: new Map(),
    ...more,
  });
}

const file = (name: string, content: Buffer, more: Partial<TarEntry> = {}): Buffer =>
  Buffer.concat([member(name, { size: content.length, ...more }), content, padding(content.length)]);

const LARGE = Buffer.alloc(700_001, 'large ');
const LONG = `${'directory/'.repeat(30)}long`;
const TAR = Buffer.concat([
  member('etc', { type: 'directory', mode: 0o755 }),
  file('etc/passwd', Buffer.from('root\n'), { xattrs: new Map([['user.a', Buffer.from([0, 255])]]) }),
  file('large', LARGE),
  file(LONG, Buffer.from('x')),
  file('empty', Buffer.alloc(0)),
  member('hard', { type: 'hardlink', linkName: Buffer.from('large') }),
  member('soft', { type: 'symlink', linkName: Buffer.from('etc/passwd') }),
  member('null', { type: 'char', devMajor: 1, devMinor: 3 }),
  member('ümlaut', { mtime: { seconds: 0, nanoseconds: 0 } }),
  END_OF_ARCHIVE,
  Buffer.alloc(8192),
]);

async function* inPieces(content: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size);
}

async function chunked(tar: Buffer, pieces = 1000): Promise<{ blob: Buffer; notes: Readonly<Record<string, string>> }> {
  let notes: Readonly<Record<string, string>> = {};
  const blob = await collect(zstdChunked(inPieces(tar, pieces), {}, (said) => (notes = said)));
  return { blob, notes };
}

/** What a position annotation points to. */
async function part(blob: Buffer, position: string): Promise<{ raw: Buffer; text: string; numbers: number[] }> {
  const numbers = position.split(':').map(Number);
  const [offset = 0, length = 0, size = 0] = numbers;
  assert.equal(blob.readUInt32LE(offset - 8), 0x184d2a50);
  assert.equal(blob.readUInt32LE(offset - 4), length);
  const raw = blob.subarray(offset, offset + length);
  const text = await collect(unzstd(bytesOf(raw)));
  assert.equal(text.length, size);
  return { raw, text: text.toString('utf8'), numbers };
}

describe('zstd:chunked', () => {
  it('is zstd of the whole archive, whatever pieces it comes in', async () => {
    for (const pieces of [1000, 512, 1 << 20]) {
      const { blob } = await chunked(TAR, pieces);
      assert.deepEqual(await collect(unzstd(bytesOf(blob))), TAR);
    }
  });

  it('has a table of contents by which each file is found alone', async () => {
    const { blob, notes } = await chunked(TAR);
    const toc = await part(blob, notes[`${PREFIX}.manifest-position`]!);
    assert.equal(notes[`${PREFIX}.manifest-checksum`], digestOf(toc.raw));
    const { version, entries } = JSON.parse(toc.text) as { version: number; entries: TocEntry[] };
    assert.equal(version, 1);
    assert.deepEqual(
      entries.map(({ type, name }) => [type, name]),
      [
        ['dir', 'etc/'],
        ['reg', 'etc/passwd'],
        ['reg', 'large'],
        ['reg', LONG],
        ['reg', 'empty'],
        ['hardlink', 'hard'],
        ['symlink', 'soft'],
        ['char', 'null'],
        ['reg', 'ümlaut'],
      ],
    );
    const found = new Map(entries.map((entry) => [entry.name, entry]));
    assert.deepEqual(found.get('etc/passwd')?.xattrs, { 'user.a': 'AP8=' });
    assert.equal(found.get('etc/passwd')?.modtime, '2020-09-13T12:26:40.12Z');
    assert.equal(found.get('ümlaut')?.modtime, '1970-01-01T00:00:00Z');
    assert.equal(found.get('hard')?.linkName, 'large');
    for (const [name, content] of [
      ['large', LARGE],
      ['etc/passwd', Buffer.from('root\n')],
      [LONG, Buffer.from('x')],
    ] as const) {
      const { offset, endOffset, digest, size } = found.get(name)!;
      const bytes = await collect(unzstd(bytesOf(blob.subarray(offset, endOffset))));
      assert.deepEqual(bytes, content, name);
      assert.equal(size, content.length);
      assert.equal(digest, `sha256:${createHash('sha256').update(content).digest('hex')}`);
    }
    assert.equal(found.get('empty')?.offset, undefined);
  });

  it('says how the archive is put together again from its files', async () => {
    const { blob, notes } = await chunked(TAR);
    const toc = await part(blob, notes[`${PREFIX}.manifest-position`]!);
    const split = await part(blob, notes[`${PREFIX}.tarsplit-position`]!);
    const { tarSplitDigest, entries } = JSON.parse(toc.text) as { tarSplitDigest: string; entries: TocEntry[] };
    assert.equal(tarSplitDigest, digestOf(split.raw));
    const lines = split.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as SplitLine);
    const parts: Buffer[] = [];
    for (const [i, { type, name, size, payload, position }] of lines.entries()) {
      assert.equal(position, i);
      if (type === 2) parts.push(Buffer.from(payload!, 'base64'));
      else if (size === undefined) assert.equal(payload, null);
      else {
        const entry = entries.find((known) => known.name === name)!;
        const bytes = await collect(unzstd(bytesOf(blob.subarray(entry.offset, entry.endOffset))));
        const check = new Crc64('iso');
        check.update(bytes);
        assert.equal(payload, check.sum().toString('base64'));
        parts.push(bytes);
      }
    }
    assert.deepEqual(Buffer.concat(parts), TAR);
    assert.equal(lines.filter(({ type }) => type === 1).length, entries.length);
  });

  it('ends with a footer that has both positions', async () => {
    const { blob, notes } = await chunked(TAR);
    const at = blob.length - 64;
    const [offset, length, size, type] = notes[`${PREFIX}.manifest-position`]!.split(':').map(BigInt);
    const [splitOffset, splitLength, splitSize] = notes[`${PREFIX}.tarsplit-position`]!.split(':').map(BigInt);
    const numbers = Array.from({ length: 7 }, (_, i) => blob.readBigUInt64LE(at + 8 * i));
    assert.deepEqual(numbers, [offset, length, size, type, splitOffset, splitLength, splitSize]);
    assert.equal(blob.toString('latin1', at + 56), 'GNUlInUx');
  });

  it('an archive of nothing is one too', async () => {
    const { blob } = await chunked(END_OF_ARCHIVE);
    assert.deepEqual(await collect(unzstd(bytesOf(blob))), END_OF_ARCHIVE);
  });

  it('refuses what a table cannot say, by name', async () => {
    const strange = Buffer.concat([member('x', { name: Buffer.from([0x61, 0xff]) }), END_OF_ARCHIVE]);
    await assert.rejects(chunked(strange), /is not UTF-8|as zstd:chunked/);
    await assert.rejects(chunked(TAR.subarray(0, 1100)), /truncated/);
  });
});

it('the check of tar-split is CRC-64 of ISO 3309, as Go prints it', () => {
  const check = new Crc64('iso');
  check.update(Buffer.from('123456789'));
  assert.equal(check.sum().toString('hex'), 'b90956c775a41001');
});
