/** Damaged archives and streams end in a BuilderError or in entries, never in anything else. Same seed, same run. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { decompress } from '../../../src/archive/compression.ts';
import { readTar } from '../../../src/archive/tar-reader.ts';
import { zstd } from '../../../src/archive/zstd.ts';
import { BuilderError } from '../../../src/report/builder-error.ts';
import { chunksOf, collect, END, header, member, parse, pax, random } from './tar-fixture.ts';

const archive = Buffer.concat([
  pax(
    [
      ['uid', '7'],
      ['comment', 'x'],
    ],
    'g',
  ),
  member({ name: 'a' }, Buffer.alloc(700, 'a')),
  pax([
    ['path', 'p'.repeat(120)],
    ['size', '5'],
    ['mtime', '-1.5'],
    ['SCHILY.xattr.user.a', 'v'],
    ['LIBARCHIVE.xattr.user.b', 'AAEC'],
  ]),
  member({ name: 'cut' }, 'hello'),
  member({ type: 'L', magic: 'ustar  \0' }, `${'l'.repeat(130)}\0`),
  header({ name: 'l', type: '2', linkName: 'target', magic: 'ustar  \0' }),
  header({ name: 'd/', type: '5' }),
  pax([
    ['GNU.sparse.major', '1'],
    ['GNU.sparse.minor', '0'],
    ['GNU.sparse.name', 's'],
    ['GNU.sparse.realsize', '20'],
  ]),
  header({ size: 517 }),
  Buffer.from('2\n3\n2\n10\n3\n'.padEnd(512, '\0')),
  Buffer.from('abcde'.padEnd(512, '\0')),
  pax([
    ['GNU.sparse.map', '1,2,5,1'],
    ['GNU.sparse.size', '9'],
  ]),
  member({ name: 'm' }, 'xyz'),
  header({ name: 'n', type: '3', devMajor: '0000001\0', devMinor: '0000003\0' }),
  END,
]);

/** One to four changes: a bit, a byte, a digit, a cut, a doubled or moved block. */
function mutate(bytes: Buffer, next: (limit: number) => number): Buffer {
  let changed = Buffer.from(bytes);
  for (let count = 1 + next(4); count > 0; count--) {
    const at = next(changed.length);
    const block = at - (at % 512);
    const kind = next(6);
    if (kind === 0) changed[at]! ^= 1 << next(8);
    else if (kind === 1) changed[at] = next(256);
    else if (kind === 2) changed[at] = 0x30 + next(10);
    else if (kind === 3 && changed.length > 1) changed = changed.subarray(0, Math.max(1, at));
    else if (kind === 4) changed = Buffer.concat([changed.subarray(0, block), changed.subarray(block + 512), END]);
    else changed = Buffer.concat([changed.subarray(0, block + 512), changed.subarray(block)]);
  }
  return changed;
}

/** Makes every header's checksum right again, so that changes reach what is behind it. */
function resum(bytes: Buffer): Buffer {
  for (let at = 0; at + 512 <= bytes.length; at += 512) {
    if (bytes.toString('latin1', at + 257, at + 262) !== 'ustar') continue;
    bytes.write('        ', at + 148);
    let sum = 0;
    for (let i = at; i < at + 512; i++) sum += bytes[i]!;
    bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + 148);
  }
  return bytes;
}

function outcome(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof BuilderError)) throw error;
    return [error.code, error.message];
  }
}

test('the archive to damage is sound and whole', () => {
  assert.deepEqual(
    parse(archive).map(({ name }) => String(name)),
    ['a', 'p'.repeat(120), 'l'.repeat(130), 'd', 's', 'm', 'n'],
  );
});

test('20,000 damaged archives are read or refused, and the same in one piece as in many', () => {
  const next = random(20260101);
  let refused = 0;
  for (let i = 0; i < 20_000; i++) {
    const damaged = resum(mutate(archive, next));
    const limits = { maxHoleBytes: 2 ** 20 };
    const whole = outcome(() => parse(damaged, limits));
    const inPieces = outcome(() => parse(damaged, limits, 1 + next(700)));
    if (Array.isArray(whole) && whole[0] === 'tar.invalid') {
      refused += 1;
      // The place may be named differently, the kind may not.
      assert.equal((inPieces as unknown[])[0], 'tar.invalid');
    } else assert.deepEqual(inPieces, whole);
  }
  assert.ok(refused > 1000 && refused < 19_000, `${refused} refused: the changes no longer reach both outcomes`);
});

test('the pulling reader fails the same way', async () => {
  const next = random(42);
  for (let i = 0; i < 300; i++) {
    try {
      for await (const { content } of readTar(chunksOf(mutate(archive, next), 1000), { maxHoleBytes: 2 ** 20 }))
        await collect(content);
    } catch (error) {
      assert.ok(error instanceof BuilderError, String(error));
    }
  }
});

describe('damaged compressed streams are refused or give bytes', () => {
  const data = Buffer.concat([archive, Buffer.from('some text, '.repeat(3000)), archive]);
  const tool = (program: string) => {
    const { stdout, error } = spawnSync(program, ['-c'], { input: data });
    return error === undefined ? stdout : undefined;
  };
  const makers: Record<string, () => Promise<Buffer | undefined>> = {
    gzip: async () => gzipSync(data),
    zstd: () => collect(zstd(chunksOf(data))),
    'zstd of unknown size': async () => tool('zstd'),
    bzip2: async () => tool('bzip2'),
    xz: async () => tool('xz'),
  };
  for (const [kind, make] of Object.entries(makers)) {
    test(kind, async (t) => {
      const packed = await make();
      if (packed === undefined) return t.skip('the tool is not installed');
      const next = random(kind.length);
      for (let i = 0; i < 150; i++) {
        const damaged = mutate(packed, next);
        try {
          await collect(decompress(chunksOf(damaged, 1 + next(5000)), { maxBytes: 2 ** 26 }));
        } catch (error) {
          assert.ok(error instanceof BuilderError, `${i}: ${error instanceof Error ? error.stack : error}`);
        }
      }
    });
  }
});
