import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TarParser } from '../../../src/archive/tar-parser.ts';
import { coded, END, header, member, names, parse, pax, type RawHeader, type Records } from './tar-fixture.ts';

const invalid = (message?: RegExp) => coded('tar.invalid', message);
const big = (bytes: number[], length: number) =>
  Buffer.concat([Buffer.from([0x80]), Buffer.alloc(length - 1 - bytes.length), Buffer.from(bytes)]);

describe('plain headers', () => {
  const cases: readonly [string, RawHeader, Record<string, unknown>][] = [
    [
      'ustar file',
      { name: 'a/b', uid: '0001750\0', gid: '0000144\0', mode: '0004755\0' },
      { uid: 1000, gid: 100, mode: 0o4755 },
    ],
    ['prefix and name', { name: 'tail', prefix: 'head/dir' }, { name: Buffer.from('head/dir/tail') }],
    ['name of exactly 100 bytes', { name: 'n'.repeat(100) }, { name: Buffer.from('n'.repeat(100)) }],
    ['name that is not UTF-8', { name: Buffer.from([0xff, 0xfe, 0x61]) }, { name: Buffer.from([0xff, 0xfe, 0x61]) }],
    ['file type bits in the mode', { mode: '0100644\0' }, { mode: 0o644 }],
    ['numbers padded with spaces', { uid: '   750 \0' }, { uid: 0o750 }],
    ['empty number', { uid: '\0\0\0\0\0\0\0\0' }, { uid: 0 }],
    ['base-256 uid', { uid: big([0xff, 0xff, 0xff, 0xfe], 8) }, { uid: 0xfffffffe }],
    ['base-256 negative mtime', { mtime: Buffer.alloc(12, 0xff) }, { mtime: { seconds: -1, nanoseconds: 0 } }],
    ['mtime beyond 2038', { mtime: '77777777777\0' }, { mtime: { seconds: 0o77777777777, nanoseconds: 0 } }],
    ['contiguous file', { type: '7' }, { type: 'file' }],
    ['V7 file', { type: '\0', magic: '' }, { type: 'file' }],
    ['V7 directory', { type: '\0', magic: '', name: 'd/' }, { type: 'directory', name: Buffer.from('d') }],
    ['directory', { type: '5', name: 'd///' }, { type: 'directory', name: Buffer.from('d') }],
    ['the root as directory', { type: '5', name: './' }, { type: 'directory', name: Buffer.from('.') }],
    ['a lone slash', { type: '5', name: '/' }, { type: 'directory', name: Buffer.from('/') }],
    ['GNU magic ignores the prefix area', { magic: 'ustar  \0', prefix: '12345' }, { name: Buffer.from('f') }],
    ['symlink', { type: '2', linkName: '/usr/sh' }, { type: 'symlink', linkName: Buffer.from('/usr/sh') }],
    [
      'character device',
      { type: '3', devMajor: '0000001\0', devMinor: '0000003\0' },
      { type: 'char', devMajor: 1, devMinor: 3 },
    ],
    [
      'block device',
      { type: '4', devMajor: '0000010\0', devMinor: '0000021\0' },
      { type: 'block', devMajor: 8, devMinor: 17 },
    ],
    ['fifo', { type: '6' }, { type: 'fifo' }],
    ['junk in device fields of a file', { devMajor: 'zzz', devMinor: '999' }, { devMajor: 0, devMinor: 0 }],
    ['signed checksum', { name: Buffer.from([0xe9]), signedChecksum: true }, { name: Buffer.from([0xe9]) }],
  ];
  for (const [name, raw, expected] of cases) {
    test(name, () => {
      const [read, ...more] = parse(Buffer.concat([header(raw), END]));
      assert.deepEqual(more, []);
      for (const [key, value] of Object.entries(expected)) assert.deepEqual(read![key as 'uid'], value, key);
    });
  }

  const refused: readonly [string, RawHeader, RegExp?][] = [
    ['octal with an 8', { size: '00000000008\0' }, /size/],
    ['letters in the uid', { uid: 'abc\0' }, /uid/],
    ['minus in octal', { mtime: '-0000000001\0' }, /mtime/],
    ['base-256 negative size', { size: Buffer.alloc(12, 0xff) }, /negative/],
    ['base-256 size of 2^64', { size: big([1, 0, 0, 0, 0, 0, 0, 0, 0], 12) }, /size/],
    ['uid 2^32-1', { uid: big([0xff, 0xff, 0xff, 0xff], 8) }, /owner/],
    ['B32 unknown type Z', { type: 'Z' }, /type "Z"/],
    ['volume header', { type: 'V' }, /type "V"/],
    ['GNU sparse type in a ustar header', { type: 'S' }],
    ['device number that is none', { type: '3', devMajor: '9999999\0' }, /device/],
  ];
  for (const [name, raw, message] of refused) {
    test(`refuses ${name}`, () => assert.throws(() => parse(Buffer.concat([header(raw), END])), invalid(message)));
  }

  test('refuses a wrong checksum and says where', () => {
    const archive = Buffer.concat([member({ name: 'a' }, 'x'), header({ name: 'b' }), END]);
    archive[1024 + 3] = 0x21;
    assert.throws(() => parse(archive), invalid(/checksum.*at byte 1024/));
  });
});

describe('content', () => {
  test('is the same for every chunk size', () => {
    const archive = Buffer.concat([
      member({ name: 'a' }, Buffer.alloc(1000, 'a')),
      pax([['path', 'long']]),
      member({ name: 'b' }, Buffer.alloc(512, 'b')),
      member({ name: 'c' }),
      member({ name: 'd' }, 'd'),
      END,
    ]);
    const whole = parse(archive);
    assert.deepEqual(
      whole.map(({ name, content }) => [String(name), content.length]),
      [
        ['a', 1000],
        ['long', 512],
        ['c', 0],
        ['d', 1],
      ],
    );
    for (const size of [1, 7, 511, 512, 513, 1000, 4096])
      assert.deepEqual(parse(archive, {}, size), whole, `chunks of ${size}`);
  });

  test('entryEnd comes once per entry, after its data', () => {
    const calls: string[] = [];
    const parser = new TarParser({
      entry: ({ name }) => void calls.push(`entry ${name}`),
      data: (chunk) => void calls.push(`data ${chunk}`),
      entryEnd: () => void calls.push('end'),
    });
    parser.push(Buffer.concat([member({ name: 'a' }, 'x'), member({ name: 'd/', type: '5' }), END]));
    assert.deepEqual(calls, ['entry a', 'data x', 'end', 'entry d', 'end']);
  });

  for (const type of ['1', '2', '3', '4', '5', '6']) {
    test(`B20 a size in a header of type ${type} means no content`, () => {
      const archive = Buffer.concat([header({ type, size: 512, linkName: 'l' }), header({ name: 'next' }), END]);
      assert.deepEqual(names(archive), ['f', 'next']);
      assert.equal(parse(archive)[0]!.size, 0);
    });
  }
});

describe('the end of an archive', () => {
  const one = member({ name: 'a' }, 'content');
  test('an empty stream is an empty archive', () => assert.deepEqual(parse(Buffer.alloc(0)), []));
  test('1,024 zeros are an empty archive', () => assert.deepEqual(parse(END), []));
  test('the end marker may be missing', () => assert.deepEqual(names(one), ['a']));
  test('half an end marker at the end is enough', () =>
    assert.deepEqual(names(Buffer.concat([one, END.subarray(512)])), ['a']));
  test('the last padding may be missing', () => assert.deepEqual(names(one.subarray(0, 512 + 7)), ['a']));
  test('B19 members after the marker are ignored', () =>
    assert.deepEqual(names(Buffer.concat([one, END, member({ name: 'b' })])), ['a']));
  test('garbage after the marker is ignored', () =>
    assert.deepEqual(names(Buffer.concat([one, END, Buffer.from('garbage')])), ['a']));
  test('half a marker before a header is refused', () => {
    assert.throws(() => parse(Buffer.concat([END.subarray(512), one, END])), invalid());
  });
  for (const [what, length] of [
    ['header', 300],
    ['body', 515],
  ] as const) {
    test(`B31 a truncated ${what} is refused`, () =>
      assert.throws(() => parse(one.subarray(0, length)), invalid(/truncated/)));
  }
  test('a dangling extended header is refused', () => {
    assert.throws(() => parse(pax([['path', 'x']])), invalid(/truncated/));
    assert.throws(() => parse(Buffer.concat([pax([['path', 'x']]), END])), invalid(/not followed/));
  });
  test('a trailing global header is fine', () =>
    assert.deepEqual(names(Buffer.concat([one, pax([['comment', 'x']], 'g'), END])), ['a']));
});

describe('PAX headers', () => {
  const cases: readonly [string, Records, Record<string, unknown>][] = [
    ['path', [['path', 'p/q']], { name: Buffer.from('p/q') }],
    ['path that is not UTF-8', [['path', Buffer.from([0xff, 0x41])]], { name: Buffer.from([0xff, 0x41]) }],
    ['path with newline and equals sign', [['path', 'a\nb=c\\']], { name: Buffer.from('a\nb=c\\') }],
    ['path of 4,096 bytes', [['path', 'd/'.repeat(2048)]], { name: Buffer.from('d/'.repeat(2048)) }],
    [
      'the last of two',
      [
        ['path', 'one'],
        ['path', 'two'],
      ],
      { name: Buffer.from('two') },
    ],
    ['empty value', [['path', '']], { name: Buffer.from('f') }],
    [
      'owner',
      [
        ['uid', '4294967294'],
        ['gid', '2097152'],
      ],
      { uid: 4294967294, gid: 2097152 },
    ],
    ['nanoseconds', [['mtime', '1700000000.123456789']], { mtime: { seconds: 1700000000, nanoseconds: 123456789 } }],
    ['more than nanoseconds', [['mtime', '1.1234567899']], { mtime: { seconds: 1, nanoseconds: 123456789 } }],
    ['short fraction', [['mtime', '1.5']], { mtime: { seconds: 1, nanoseconds: 500000000 } }],
    ['negative time', [['mtime', '-100']], { mtime: { seconds: -100, nanoseconds: 0 } }],
    ['negative fraction', [['mtime', '-1.5']], { mtime: { seconds: -2, nanoseconds: 500000000 } }],
    ['half a second before the epoch', [['mtime', '-0.5']], { mtime: { seconds: -1, nanoseconds: 500000000 } }],
    [
      'atime and unknown keys',
      [
        ['atime', 'zzz'],
        ['comment', 'x\0y'],
        ['VENDOR.x', '1'],
      ],
      { name: Buffer.from('f') },
    ],
    ['star attribute', [['SCHILY.xattr.user.a', 'v\0w']], { xattrs: new Map([['user.a', Buffer.from('v\0w')]]) }],
    ['empty attribute', [['SCHILY.xattr.user.a', '']], { xattrs: new Map([['user.a', Buffer.alloc(0)]]) }],
    [
      'libarchive attribute',
      [['LIBARCHIVE.xattr.user.a%3Db', 'AAEC']],
      { xattrs: new Map([['user.a=b', Buffer.from([0, 1, 2])]]) },
    ],
    [
      'both spellings',
      [
        ['SCHILY.xattr.user.a', 'S'],
        ['LIBARCHIVE.xattr.user.a', 'TA'],
      ],
      { xattrs: new Map([['user.a', Buffer.from('S')]]) },
    ],
    [
      'an attribute called __proto__',
      [['SCHILY.xattr.__proto__', 'x']],
      { xattrs: new Map([['__proto__', Buffer.from('x')]]) },
    ],
  ];
  for (const [name, records, expected] of cases) {
    test(name, () => {
      const [read] = parse(Buffer.concat([pax(records), header(), END]));
      for (const [key, value] of Object.entries(expected)) assert.deepEqual(read![key as 'uid'], value, key);
    });
  }

  const refused: readonly [string, Records][] = [
    ...['-1', '+1', 'zzz', '1e3', '0x10', '9223372036854775808', '18446744073709551616', '1.0', ' 1', 'NaN'].map(
      (size): [string, Records] => [`B16 size ${size}`, [['size', size]]],
    ),
    ['uid -1', [['uid', '-1']]],
    ['uid 4294967295', [['uid', '4294967295']]],
    ['gid 2^32', [['gid', '4294967296']]],
    ['mtime NaN', [['mtime', 'NaN']]],
    ['mtime 1e9', [['mtime', '1e9']]],
    ['mtime of two dots', [['mtime', '1.2.3']]],
    ['B17 NUL in the path', [['path', 'evil\0.txt']]],
    ['B17 NUL in the link path', [['linkpath', 'evil\0']]],
    ['NUL in a key', [['SCHILY.xattr.user\0a', 'x']]],
    ['empty attribute name', [['SCHILY.xattr.', 'x']]],
    ['malformed base64', [['LIBARCHIVE.xattr.user.a', '!!']]],
  ];
  for (const [name, records] of refused) {
    test(`refuses ${name}`, () => assert.throws(() => parse(Buffer.concat([pax(records), header(), END])), invalid()));
  }

  for (const content of [
    '9 path=x',
    '99 path=x\n',
    'x path=x\n',
    '-9 path=x\n',
    '9 pathxxx\n',
    '3 \n',
    '5 =x\n',
    '0 a=b\n',
    ' 9 path=x\n',
    '10 path=x\n\0',
  ]) {
    test(`refuses the record ${JSON.stringify(content)}`, () => {
      assert.throws(
        () => parse(Buffer.concat([member({ type: 'x' }, content), header(), END])),
        invalid(/extended header/),
      );
    });
  }

  test('a size makes up for a header that cannot hold it', () => {
    const archive = Buffer.concat([
      pax([['size', '5']]),
      header({ size: 0 }),
      member({}, 'hello').subarray(512),
      header({ name: 'n' }),
      END,
    ]);
    assert.deepEqual(
      parse(archive).map(({ content }) => String(content)),
      ['hello', ''],
    );
  });

  test('B18 a size does not apply to extended headers in between', () => {
    const archive = Buffer.concat([
      pax([['size', '512']]),
      member({ type: 'L', magic: 'ustar  \0' }, 'long-name\0'),
      pax([['comment', 'c']], 'g'),
      header({ size: 0 }),
      Buffer.alloc(512, 'x'),
      header({ name: 'next' }),
      END,
    ]);
    assert.deepEqual(
      parse(archive).map(({ name, size }) => [String(name), size]),
      [
        ['long-name', 512],
        ['next', 0],
      ],
    );
  });

  test('global headers merge, and own ones win for one member', () => {
    const archive = Buffer.concat([
      pax(
        [
          ['uid', '1'],
          ['gid', '2'],
        ],
        'g',
      ),
      pax([['uid', '3']], 'g'),
      member({ name: 'a' }),
      pax([
        ['uid', '9'],
        ['gid', ''],
      ]),
      member({ name: 'b', gid: '0000007\0' }),
      pax([['gid', '']], 'g'),
      member({ name: 'c' }),
      END,
    ]);
    assert.deepEqual(
      parse(archive).map(({ uid, gid }) => [uid, gid]),
      [
        [3, 2],
        [9, 7],
        [3, 0],
      ],
    );
  });
});

describe('GNU long names', () => {
  const gnu = { magic: 'ustar  \0' };
  test('L and K name the next member only', () => {
    const long = `${'d/'.repeat(150)}f`;
    const archive = Buffer.concat([
      member({ ...gnu, type: 'K' }, `${'t'.repeat(200)}\0`),
      member({ ...gnu, type: 'L' }, `${long}\0`),
      header({ ...gnu, name: 'cut', type: '2', linkName: 'cut' }),
      header({ ...gnu, name: 'next', type: '2', linkName: 'short' }),
      END,
    ]);
    assert.deepEqual(
      parse(archive).map((e) => [String(e.name), String(e.linkName)]),
      [
        [long, 't'.repeat(200)],
        ['next', 'short'],
      ],
    );
  });
  test('bytes that are not UTF-8 survive', () => {
    const name = Buffer.from([0x2e, 0xc3, 0x28, 0xff]);
    assert.deepEqual(parse(Buffer.concat([member({ ...gnu, type: 'L' }, name), header(gnu), END]))[0]!.name, name);
  });
  test('win over a PAX path, as in Go', () => {
    const archive = Buffer.concat([pax([['path', 'pax']]), member({ ...gnu, type: 'L' }, 'gnu\0'), header(), END]);
    assert.deepEqual(names(archive), ['gnu']);
  });
});

describe('sparse files', () => {
  const region = (offset: number, length: number) =>
    `${offset.toString(8).padStart(11, '0')}\0${length.toString(8).padStart(11, '0')}\0`;
  const oldGnu = (regions: [number, number][], realSize: number, size: number, isExtended = false) =>
    header({
      type: 'S',
      magic: 'ustar  \0',
      size,
      patch: (block) => {
        block.write(regions.map(([o, l]) => region(o, l)).join(''), 386, 'latin1');
        block[482] = isExtended ? 1 : 0;
        block.write(`${realSize.toString(8).padStart(11, '0')}\0`, 483, 'latin1');
      },
    });
  const data = (text: string) => member({}, text).subarray(512);
  const zeros = (n: number) => '\0'.repeat(n);
  const expected = `${zeros(3)}ab${zeros(5)}cde${zeros(7)}`;
  const map: [number, number][] = [
    [3, 2],
    [10, 3],
  ];
  const flat = map.flat().join(',');
  const forms: Record<string, Buffer> = {
    'old GNU': Buffer.concat([oldGnu([...map, [20, 0]], 20, 5), data('abcde')]),
    'old GNU with a continuation': Buffer.concat([
      oldGnu([[3, 2]], 20, 5, true),
      Buffer.from(region(10, 3).padEnd(512, '\0'), 'latin1'),
      data('abcde'),
    ]),
    'PAX 0.0': Buffer.concat([
      pax([
        ['GNU.sparse.size', '20'],
        ['GNU.sparse.numblocks', '2'],
        ['GNU.sparse.offset', '3'],
        ['GNU.sparse.numbytes', '2'],
        ['GNU.sparse.offset', '10'],
        ['GNU.sparse.numbytes', '3'],
      ]),
      header({ size: 5 }),
      data('abcde'),
    ]),
    'PAX 0.1': Buffer.concat([
      pax([
        ['GNU.sparse.name', 'f'],
        ['GNU.sparse.size', '20'],
        ['GNU.sparse.numblocks', '2'],
        ['GNU.sparse.map', flat],
      ]),
      header({ size: 5, name: 'GNUSparseFile.1/f' }),
      data('abcde'),
    ]),
    'PAX 1.0': Buffer.concat([
      pax([
        ['GNU.sparse.major', '1'],
        ['GNU.sparse.minor', '0'],
        ['GNU.sparse.name', 'f'],
        ['GNU.sparse.realsize', '20'],
      ]),
      header({ size: 517, name: 'GNUSparseFile.1/f' }),
      Buffer.from('2\n3\n2\n10\n3\n'.padEnd(512, '\0')),
      data('abcde'),
    ]),
  };
  for (const [name, bytes] of Object.entries(forms)) {
    test(`${name} expands, in chunks of any size`, () => {
      const archive = Buffer.concat([bytes, header({ name: 'next' }), END]);
      for (const size of [archive.length, 1, 100, 513]) {
        const [sparse, next] = parse(archive, {}, size);
        assert.deepEqual([String(sparse!.name), sparse!.size, sparse!.content.toString('latin1')], ['f', 20, expected]);
        assert.equal(String(next!.name), 'next');
      }
    });
  }

  test('a file that is one hole', () => {
    const [read] = parse(Buffer.concat([oldGnu([], 300_000, 0), END]));
    assert.deepEqual([read!.size, read!.content.equals(Buffer.alloc(300_000))], [300_000, true]);
  });

  test('holes go to the handler that wants them', () => {
    const calls: (string | number)[] = [];
    const parser = new TarParser({
      entry: () => {},
      data: (c) => void calls.push(String(c)),
      hole: (n) => void calls.push(n),
    });
    parser.push(Buffer.concat([forms['old GNU']!, END]));
    assert.deepEqual(calls, [3, 'ab', 5, 'cde', 7]);
  });

  const refused: readonly [string, Buffer][] = [
    [
      'overlapping regions',
      oldGnu(
        [
          [3, 5],
          [4, 1],
        ],
        20,
        6,
      ),
    ],
    [
      'regions out of order',
      oldGnu(
        [
          [10, 3],
          [3, 2],
        ],
        20,
        5,
      ),
    ],
    [
      'a region beyond the end',
      oldGnu(
        [
          [3, 2],
          [18, 3],
        ],
        20,
        5,
      ),
    ],
    ['regions that do not add up', oldGnu([[3, 2]], 20, 5)],
    ['holes of 2^33 × 8 GiB', oldGnu([], 0o77777777777, 0)],
    [
      'an unknown version',
      Buffer.concat([
        pax([
          ['GNU.sparse.major', '2'],
          ['GNU.sparse.minor', '0'],
        ]),
        header(),
      ]),
    ],
    [
      'a map with letters',
      Buffer.concat([
        pax([
          ['GNU.sparse.map', '1,x'],
          ['GNU.sparse.size', '9'],
        ]),
        header(),
      ]),
    ],
    [
      'half a region',
      Buffer.concat([
        pax([
          ['GNU.sparse.map', '1'],
          ['GNU.sparse.size', '9'],
        ]),
        header(),
      ]),
    ],
    [
      'a 1.0 map longer than the content',
      Buffer.concat([
        pax([
          ['GNU.sparse.major', '1'],
          ['GNU.sparse.minor', '0'],
          ['GNU.sparse.realsize', '9'],
        ]),
        header({ size: 10 }),
        Buffer.alloc(512, '1'),
      ]),
    ],
  ];
  for (const [name, bytes] of refused) {
    test(`refuses ${name}`, () =>
      assert.throws(() => parse(Buffer.concat([bytes, END]), { maxHoleBytes: 2 ** 30 }), invalid()));
  }
});

describe('limits', () => {
  test('B21 an extended header over 1 MiB is refused before it is read', () => {
    for (const type of ['x', 'g', 'L', 'K']) {
      assert.throws(() => parse(header({ type, size: 300 * 2 ** 20 })), invalid(/larger than 1048576/));
    }
  });
  test('B25 empty files without number cost no memory that stays', () => {
    let entries = 0;
    const parser = new TarParser({ entry: () => void entries++, data: () => {} });
    const thousand = Buffer.concat(Array.from({ length: 1000 }, () => header({ name: 'empty' })));
    parser.push(thousand);
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 200; i++) parser.push(thousand);
    assert.equal(entries, 201_000);
    assert.ok(process.memoryUsage().rss - before < 150 << 20);
  });
  test('global records may not pile up', () => {
    const g = (key: string) => pax([[key, 'v'.repeat(400_000)]], 'g');
    assert.deepEqual(parse(Buffer.concat([g('a'), g('a'), g('a'), g('a'), END])), []);
    assert.throws(() => parse(Buffer.concat([g('a'), g('b'), g('c'), END])), invalid(/global/));
  });
  test('extended headers in a row are counted', () => {
    const g = pax([['a', 'b']], 'g');
    const archive = Buffer.concat([g, g, g, header(), g, g, header(), END]);
    assert.equal(parse(archive, { maxExtensionHeaders: 3 }).length, 2);
    assert.throws(() => parse(archive, { maxExtensionHeaders: 2 }), invalid(/in a row/));
  });
  test('B22 sparse regions are counted in every form', () => {
    const map = Array.from({ length: 11 }, (_, i) => [i * 2, 1]).flat();
    const text = Buffer.from(`11\n${map.join('\n')}\n`.padEnd(512, '\0'));
    const one = [
      pax([
        ['GNU.sparse.major', '1'],
        ['GNU.sparse.minor', '0'],
        ['GNU.sparse.realsize', '30'],
      ]),
      header({ size: 523 }),
      text,
      Buffer.alloc(512, 'x'),
    ];
    const list = [
      pax([
        ['GNU.sparse.map', map.join(',')],
        ['GNU.sparse.size', '30'],
      ]),
      header({ size: 11 }),
      Buffer.alloc(512, 'x'),
    ];
    for (const archive of [Buffer.concat(one), Buffer.concat(list)]) {
      assert.equal(parse(archive, { maxSparseRegions: 11 })[0]!.size, 30);
      assert.throws(() => parse(archive, { maxSparseRegions: 10 }), invalid(/more than 10 regions/));
    }
  });
});
