import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readTar } from '../../../src/archive/tar-reader.ts';
import { chunksOf, coded, collect, END, header, member, pax } from './tar-fixture.ts';

const archive = Buffer.concat([
  member({ name: 'a' }, Buffer.alloc(300_000, 'a')),
  member({ name: 'd/', type: '5' }),
  member({ name: 'b' }, 'bee'),
  END,
]);

test('gives entries with their content, for every chunking', async () => {
  for (const size of [700, 65536, archive.length]) {
    const read: [string, number][] = [];
    for await (const { entry, content } of readTar(chunksOf(archive, size))) {
      read.push([String(entry.name), (await collect(content)).length]);
    }
    assert.deepEqual(read, [
      ['a', 300_000],
      ['d', 0],
      ['b', 3],
    ]);
  }
});

test('content is the right bytes although the source reuses its chunks', async () => {
  for await (const { entry, content } of readTar(chunksOf(archive, 1000))) {
    if (String(entry.name) === 'a') assert.ok((await collect(content)).equals(Buffer.alloc(300_000, 'a')));
  }
});

test('content left unread, or read in part, is skipped', async () => {
  const read: string[] = [];
  for await (const { entry, content } of readTar(chunksOf(archive, 1000))) {
    read.push(String(entry.name));
    for await (const _ of content) break;
  }
  assert.deepEqual(read, ['a', 'd', 'b']);
});

test('content of a member that has passed cannot be read any more', async () => {
  const contents = [];
  for await (const { content } of readTar(chunksOf(archive))) contents.push(content);
  await assert.rejects(collect(contents[0]!), /after the next member/);
});

test('holes come as zeros in bounded chunks', async () => {
  const sparse = Buffer.concat([
    pax([
      ['GNU.sparse.major', '0'],
      ['GNU.sparse.minor', '1'],
      ['GNU.sparse.map', '1000000,3'],
      ['GNU.sparse.size', '1000010'],
    ]),
    member({}, 'abc'),
    END,
  ]);
  for await (const { entry, content } of readTar(chunksOf(sparse))) {
    const bytes = await collect(content);
    assert.equal(entry.size, 1_000_010);
    assert.ok(bytes.equals(Buffer.concat([Buffer.alloc(1_000_000), Buffer.from('abc'), Buffer.alloc(7)])));
  }
});

test('a truncated archive is refused once its entries have been given', async () => {
  const read: string[] = [];
  const run = async () => {
    for await (const { entry } of readTar(chunksOf(archive.subarray(0, 200_000)))) read.push(String(entry.name));
  };
  await assert.rejects(run(), coded('tar.invalid', /truncated/));
  assert.deepEqual(read, ['a']);
});

test('closes its source when the consumer stops, and on errors', async () => {
  for (const bytes of [archive, Buffer.concat([member({ name: 'a' }), header({ type: 'Z' })])]) {
    let isClosed = false;
    const source = async function* () {
      try {
        yield* chunksOf(bytes, 512);
      } finally {
        isClosed = true;
      }
    };
    await (async () => {
      for await (const { entry } of readTar(source())) if (String(entry.name) === 'd') break;
    })().catch(() => {});
    assert.ok(isClosed);
  }
});
