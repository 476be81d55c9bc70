import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { compress, decompress, detectCompression } from '../../../src/archive/compression.ts';
import { gunzip, gzip } from '../../../src/archive/gzip.ts';
import { Xxh64 } from '../../../src/archive/xxh64.ts';
import { unzstd, zstd } from '../../../src/archive/zstd.ts';
import { chunksOf, coded, collect, random } from './tar-fixture.ts';

const invalid = (message?: RegExp) => coded('compression.invalid', message);

/** Text-like, with long and short repeats, so that every part of a format is used. */
function sample(length: number, seed = 1): Buffer {
  const next = random(seed);
  const parts: Buffer[] = [];
  let size = 0;
  while (size < length) {
    const kind = next(4);
    const part =
      kind === 0
        ? Buffer.alloc(1 + next(3000), next(256))
        : kind === 1
          ? Buffer.from(Array.from({ length: next(500) }, () => next(256)))
          : Buffer.from(`line ${next(1000)} of some text that repeats\n`.repeat(1 + next(20)));
    parts.push(part);
    size += part.length;
  }
  return Buffer.concat(parts).subarray(0, length);
}

const DATA = sample(3_000_000);
const has = (program: string) => spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined;
const needs = (program: string) => (has(program) ? {} : { skip: `${program} is not installed` });
const run = (program: string, args: string[], input: Buffer) =>
  execFileSync(program, args, { input, maxBuffer: 2 ** 28, stdio: ['pipe', 'pipe', 'ignore'] });

describe('gunzip', () => {
  const packed = gzipSync(DATA);
  for (const size of [1, 997, 65536, packed.length]) {
    test(`reads chunks of ${size}`, async () => {
      const small = size === 1 ? gzipSync(DATA.subarray(0, 5000)) : packed;
      assert.ok((await collect(gunzip(chunksOf(small, size)))).equals(size === 1 ? DATA.subarray(0, 5000) : DATA));
    });
  }
  const a = gzipSync('a');
  const accepted: readonly [string, Buffer, string][] = [
    ['members in a row', Buffer.concat([a, gzipSync(''), gzipSync('b')]), 'ab'],
    ['zeros at the end', Buffer.concat([a, Buffer.alloc(1000)]), 'a'],
    ['stored blocks', gzipSync('abc', { level: 0 }), 'abc'],
    [
      'a file name in the header',
      Buffer.concat([a.subarray(0, 3), Buffer.from([8]), a.subarray(4, 10), Buffer.from('name\0'), a.subarray(10)]),
      'a',
    ],
  ];
  for (const [name, bytes, expected] of accepted) {
    for (const size of [1, 20, bytes.length]) {
      test(`accepts ${name}, in chunks of ${size}`, async () => {
        assert.equal(String(await collect(gunzip(chunksOf(bytes, size)))), expected);
      });
    }
  }
  const flip = (at: number) => {
    const damaged = Buffer.from(a);
    damaged[damaged.length + at]! ^= 1;
    return damaged;
  };
  const refused: readonly [string, Buffer][] = [
    ['nothing', Buffer.alloc(0)],
    ['a truncated body', packed.subarray(0, 1000)],
    ['a missing trailer', a.subarray(0, -8)],
    ['half a trailer', a.subarray(0, -3)],
    ['a bad CRC', flip(-8)],
    ['a bad length', flip(-4)],
    ['trailing garbage', Buffer.concat([a, Buffer.from('garbage')])],
    ['garbage after zeros', Buffer.concat([a, Buffer.alloc(9), Buffer.from('garbage')])],
    ['a second member that is cut', Buffer.concat([a, a.subarray(0, 12)])],
  ];
  for (const [name, bytes] of refused) {
    for (const size of [1, 7, bytes.length || 1]) {
      test(`refuses ${name}, in chunks of ${size}`, () =>
        assert.rejects(collect(gunzip(chunksOf(bytes, size))), invalid()));
    }
  }
});

describe('errors and ends of the source', () => {
  for (const [name, decoder] of Object.entries({ gunzip, unzstd, decompress })) {
    test(`${name} passes an error of its source on as it is`, async () => {
      const failure = new Error('connection lost');
      const source = async function* () {
        yield* chunksOf(gzipSync(DATA).subarray(0, 3000), 500);
        throw failure;
      };
      const zstdSource = async function* () {
        yield* chunksOf((await collect(zstd(chunksOf(DATA)))).subarray(0, 3000), 500);
        throw failure;
      };
      await assert.rejects(collect(decoder(name === 'unzstd' ? zstdSource() : source())), (error) => error === failure);
    });
  }
  test('a consumer that stops closes the source', async () => {
    for (const make of [
      (b: AsyncIterable<Uint8Array>) => gzip(b),
      (b: AsyncIterable<Uint8Array>) => compress(b, 'zstd'),
    ]) {
      const packed = await collect(make(chunksOf(sample(12_000_000, 3))));
      let isClosed = false;
      const source = async function* () {
        try {
          yield* chunksOf(packed);
        } finally {
          isClosed = true;
        }
      };
      for await (const _ of decompress(source())) break;
      assert.ok(isClosed);
    }
  });
});

describe('gzip', () => {
  for (const length of [0, 1, 2 ** 20, 2 ** 20 + 1, DATA.length]) {
    test(`${length} bytes come back`, async () => {
      const packed = await collect(gzip(chunksOf(DATA.subarray(0, length))));
      assert.ok(gunzipSync(packed).equals(DATA.subarray(0, length)));
    });
  }
  test('the output depends on neither concurrency nor chunking', async () => {
    const one = await collect(gzip(chunksOf(DATA), { concurrency: 1 }));
    for (const [concurrency, size] of [
      [2, 1000],
      [8, DATA.length],
    ] as const) {
      assert.ok((await collect(gzip(chunksOf(DATA, size), { concurrency }))).equals(one));
    }
    assert.deepEqual([...one.subarray(0, 10)], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
  });
  test('blocks share their past: the size is within a percent of one run', async () => {
    const packed = await collect(gzip(chunksOf(DATA)));
    assert.ok(packed.length < gzipSync(DATA).length * 1.01);
  });
  test('the level counts', async () => {
    const size = async (level: number) => (await collect(gzip(chunksOf(DATA), { level }))).length;
    assert.ok((await size(1)) > (await size(9)));
  });
  describe('what has no repeats', () => {
    const next = random(7);
    const digits = (length: number) =>
      Buffer.from(Array.from({ length }, () => '0123456789abcdef'.charCodeAt(next(16))));
    const text = Buffer.from(Array.from({ length: 4000 }, (_, i) => `line ${i} of ${next(1000)}\n`).join(''));
    const noise = digits(3_000_000);
    test('is smaller than with a search for them', async () => {
      const packed = await collect(gzip(chunksOf(noise)));
      assert.ok(gunzipSync(packed).equals(noise));
      assert.ok(packed.length < 0.96 * gzipSync(noise, { level: 9 }).length);
    });
    const mixtures: readonly [string, Buffer][] = [
      ['all of it, a window away', Buffer.concat(Array.from({ length: 100 }, () => noise.subarray(0, 20_000)))],
      ['an eighth, between what is looked at first', Buffer.concat([noise.subarray(0, 131_072), text, noise])],
      ['in the middle', Buffer.concat([noise.subarray(0, 460_000), text, noise.subarray(0, 480_000)])],
      ['at the end', Buffer.concat([noise.subarray(0, 940_000), text])],
    ];
    for (const [title, bytes] of mixtures) {
      test(`is told from what repeats: ${title}`, async () => {
        const packed = await collect(gzip(chunksOf(bytes)));
        assert.ok(gunzipSync(packed).equals(bytes));
        assert.ok(packed.length < gzipSync(bytes).length * 1.01);
      });
    }
  });
  test('gzip(1) reads it', needs('gzip'), async () => {
    assert.ok(run('gzip', ['-dc'], await collect(gzip(chunksOf(DATA)))).equals(DATA));
  });
});

describe('zstd', () => {
  test('its checksum is right for every length of the last stripe', needs('zstd'), () => {
    const data = sample(5000, 11);
    for (let length = 0; length < 140; length += length > 70 ? 31 : 1) {
      const packed = run('zstd', ['-c'], data.subarray(0, length));
      const hash = new Xxh64();
      hash.update(data.subarray(0, length >> 1));
      hash.update(data.subarray(length >> 1, length));
      assert.equal(hash.low32(), packed.readUInt32LE(packed.length - 4), `${length} bytes`);
    }
  });
  for (const length of [0, 1, 4 * 2 ** 20, 9_000_000]) {
    test(`${length} bytes come back`, async () => {
      const data = sample(length, 7);
      assert.ok((await collect(unzstd(chunksOf(await collect(zstd(chunksOf(data))), 10_000)))).equals(data));
    });
  }
  test('zstd(1) reads it', needs('zstd'), async () => {
    assert.ok(run('zstd', ['-dc'], await collect(zstd(chunksOf(DATA)))).equals(DATA));
  });
  const forms: readonly [string, string[]][] = [
    ['one frame of unknown size', ['-c']],
    ['level 19', ['-19', '-c']],
    ['a long window', ['--long=27', '-c']],
    ['no checksum', ['--no-check', '-c']],
  ];
  for (const [name, args] of forms) {
    test(`reads ${name}`, needs('zstd'), async () => {
      assert.ok((await collect(unzstd(chunksOf(run('zstd', args, DATA), 50_000)))).equals(DATA));
    });
  }
  test('reads thousands of small frames with skippable ones between', needs('zstd'), async () => {
    const skippable = Buffer.from([0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
    const frame = Buffer.concat([run('zstd', ['-c'], Buffer.from('tiny\n')), skippable]);
    const packed = Buffer.concat([skippable, ...Array.from({ length: 3000 }, () => frame)]);
    assert.equal(String(await collect(decompress(chunksOf(packed)))), 'tiny\n'.repeat(3000));
  });
  test('B24 B31 refuses what is not a whole and sound stream', needs('zstd'), async () => {
    const packed = run('zstd', ['-c'], DATA.subarray(0, 500_000));
    const garbled = run('zstd', ['--stream-size=500000', '-c'], DATA.subarray(0, 500_000));
    garbled.fill(0xff, 100, 300);
    const garbledStream = Buffer.from(packed);
    garbledStream[packed.length - 5000]! ^= 1;
    const header = (...bytes: number[]) => Buffer.from([0x28, 0xb5, 0x2f, 0xfd, ...bytes, 1, 0, 0]);
    const cases: readonly [Buffer, RegExp?][] = [
      [Buffer.alloc(0), /no frame/],
      [packed.subarray(0, 3), /truncated/],
      [packed.subarray(0, 1000), /truncated/],
      [packed.subarray(0, -1), /truncated/],
      [Buffer.concat([packed, Buffer.from('garbage')]), /not zstd/],
      [garbled],
      [garbledStream],
      [Buffer.concat([packed.subarray(0, -4), Buffer.alloc(4)])],
      // windowLog 31, then 28; single segments of 2^40 bytes; dictionary 7; the reserved bit; a block of type 3
      [header(0, 21 << 3), /window of 2147483648/],
      [header(0, 18 << 3), /window/],
      [header(0xe0, 0, 0, 0, 0, 0, 1, 0, 0), /window/],
      [header(0x01, 0, 7), /dictionary/],
      [header(0x08, 0), /reserved/],
      [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0, 7, 0, 0]), /block/],
      // states one byte of content, holds none
      [header(0x20, 1)],
    ];
    for (const [bytes, message] of cases) {
      await assert.rejects(collect(unzstd(chunksOf(bytes, 999))), invalid(message), String(message));
    }
  });
});

for (const [kind, program] of [
  ['bzip2', 'bzip2'],
  ['xz', 'xz'],
] as const) {
  describe(kind, needs(program), () => {
    const small = sample(200_000, 5);
    for (const [name, data] of [
      ['nothing', Buffer.alloc(0)],
      ['one byte', Buffer.from('x')],
      ['zeros', Buffer.alloc(2_000_000)],
      ['a mix', DATA],
      ['noise', Buffer.from(Array.from({ length: 100_000 }, random(9).bind(null, 256)))],
    ] as const) {
      for (const level of ['-1', '-9']) {
        test(`reads ${name} at level ${level}`, async () => {
          assert.ok((await collect(decompress(chunksOf(run(program, [level, '-c'], data), 10_007)))).equals(data));
        });
      }
    }
    test('reads streams in a row', async () => {
      const two = Buffer.concat([run(program, ['-c'], small), run(program, ['-c'], Buffer.from('tail'))]);
      assert.equal(String(await collect(decompress(chunksOf(two)))), `${small}tail`);
    });
    test('refuses truncation, damage and trailing garbage', async () => {
      const packed = run(program, ['-c'], small);
      for (const length of [10, 20, 100, packed.length >> 1, packed.length - 1]) {
        await assert.rejects(collect(decompress(chunksOf(packed.subarray(0, length)))), invalid(), `cut at ${length}`);
      }
      await assert.rejects(collect(decompress(chunksOf(Buffer.concat([packed, Buffer.from('garbage!')])))), invalid());
      const next = random(3);
      for (let i = 0; i < 40; i++) {
        const damaged = Buffer.from(packed);
        damaged[6 + next(damaged.length - 6)]! ^= 1 << next(8);
        await assert.rejects(collect(decompress(chunksOf(damaged))), invalid());
      }
    });
  });
}

describe('forms of xz', needs('xz'), () => {
  for (const args of [
    ['--check=none'],
    ['--check=crc32'],
    ['--check=sha256'],
    ['--block-size=100000'],
    ['-T2', '--block-size=300000'],
    ['--lzma2=preset=6,lc=1,lp=3,pb=0'],
    ['-0e'],
  ]) {
    test(`reads ${args.join(' ')}`, async () => {
      assert.ok((await collect(decompress(chunksOf(run('xz', [...args, '-c'], DATA))))).equals(DATA));
    });
  }
  test('reads padding between streams', async () => {
    const one = run('xz', ['-c'], Buffer.from('one'));
    assert.equal(
      String(await collect(decompress(chunksOf(Buffer.concat([one, Buffer.alloc(8), one, Buffer.alloc(4)]))))),
      'oneone',
    );
    await assert.rejects(collect(decompress(chunksOf(Buffer.concat([one, Buffer.alloc(3)])))), invalid());
  });
  test('refuses other filters and windows too large', async () => {
    await assert.rejects(collect(decompress(chunksOf(run('xz', ['--x86', '--lzma2', '-c'], DATA)))), invalid(/filter/));
    await assert.rejects(
      collect(decompress(chunksOf(run('xz', ['--lzma2=dict=192MiB', '-c'], Buffer.from('x'))))),
      invalid(/window/),
    );
  });
});

describe('sniffing', () => {
  const table: readonly [string, Buffer][] = [
    ['gzip', gzipSync('x')],
    ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0])],
    ['zstd', Buffer.from([0x5f, 0x2a, 0x4d, 0x18])],
    ['bzip2', Buffer.from('BZh9')],
    ['none', Buffer.from('BZh0')],
    ['none', Buffer.from('BZhello')],
    ['xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0])],
    ['none', Buffer.alloc(512)],
    ['none', Buffer.from([0x1f])],
    ['none', Buffer.alloc(0)],
  ];
  for (const [kind, head] of table)
    test(`${head.toString('hex').slice(0, 20)} is ${kind}`, () => assert.equal(detectCompression(head), kind));

  test('plain bytes, short ones and none pass through', async () => {
    for (const text of ['', 'a', 'abc', 'some longer text']) {
      for (const size of [1, 100])
        assert.equal(String(await collect(decompress(chunksOf(Buffer.from(text), size)))), text);
    }
  });
  test('every kind that can be written is recognised, byte by byte', async () => {
    for (const kind of ['none', 'gzip', 'zstd'] as const) {
      const packed = await collect(compress(chunksOf(DATA.subarray(0, 3000)), kind, 1));
      assert.equal(detectCompression(packed), kind);
      assert.ok((await collect(decompress(chunksOf(packed, 1)))).equals(DATA.subarray(0, 3000)));
    }
  });
});

describe('limits', () => {
  const zeros = gzipSync(Buffer.alloc(10_000_000));
  test('a stream over maxBytes is cut', async () => {
    let size = 0;
    const read = async () => {
      for await (const chunk of decompress(chunksOf(zeros), { maxBytes: 3_000_000 })) size += chunk.length;
    };
    await assert.rejects(read(), invalid(/more than 3000000 bytes/));
    assert.ok(size <= 3_000_000);
    assert.equal((await collect(decompress(chunksOf(zeros), { maxBytes: 10_000_000 }))).length, 10_000_000);
  });
  test('the same bound holds for plain bytes', () =>
    assert.rejects(collect(decompress(chunksOf(Buffer.alloc(100)), { maxBytes: 99 })), invalid()));
  test('B23 a bomb of many GiB ends at the ratio limit', async () => {
    // Members of 64 MiB of zeros, made as they are read.
    const member = gzipSync(Buffer.alloc(2 ** 26));
    const bomb = async function* () {
      for (let i = 0; i < 300; i++) yield member;
    };
    let size = 0;
    const read = async () => {
      for await (const chunk of decompress(bomb(), { freeBytes: 2 ** 28 })) size += chunk.length;
    };
    await assert.rejects(read(), invalid(/times/));
    assert.ok(size <= 2 ** 28);
  });
});
