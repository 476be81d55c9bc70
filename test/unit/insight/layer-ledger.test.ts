import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LayerLedger } from '../../../src/insight/layer-ledger.ts';

type Told =
  | readonly ['file', string, number]
  | readonly ['dir', string]
  | readonly ['link', string, string]
  | readonly ['removed', string]
  | readonly ['opaque', string];

function book(...layers: readonly (readonly Told[])[]): LayerLedger {
  const ledger = new LayerLedger({ layers: layers.length, largest: 3 });
  for (const layer of layers) {
    ledger.nextLayer();
    for (const told of layer) {
      if (told[0] === 'file') ledger.file(told[1], told[2]);
      else if (told[0] === 'dir') ledger.directory(told[1]);
      else if (told[0] === 'link') ledger.link(told[1], told[2]);
      else if (told[0] === 'removed') ledger.removed(told[1]);
      else ledger.opaque(told[1]);
    }
  }
  return ledger;
}

const brief = (ledger: LayerLedger) =>
  ledger.counts.map(({ contentBytes, added, changed, removed, wastedBytes }) => ({
    contentBytes,
    added,
    changed,
    removed,
    wastedBytes,
  }));

describe('layer ledger', () => {
  it('counts what a layer adds and names its largest files, largest first', () => {
    const [layer] = book([
      ['dir', 'usr'],
      ['file', 'usr/a', 5],
      ['file', 'usr/b', 50],
      ['file', 'usr/c', 7],
      ['file', 'usr/d', 9],
      ['file', 'usr/empty', 0],
    ]).counts;
    assert.deepEqual(layer, {
      contentBytes: 71,
      entries: 6,
      added: 6,
      changed: 0,
      removed: 0,
      wastedBytes: 0,
      largest: [
        { path: 'usr/b', bytes: 50 },
        { path: 'usr/d', bytes: 9 },
        { path: 'usr/c', bytes: 7 },
      ],
    });
  });

  it('bytes that are overwritten are wasted in the layer that holds them', () => {
    const ledger = book([['file', 'etc/x', 100]], [['file', 'etc/x', 30]], [['file', 'etc/x', 1]]);
    assert.deepEqual(brief(ledger), [
      { contentBytes: 100, added: 1, changed: 0, removed: 0, wastedBytes: 100 },
      { contentBytes: 30, added: 0, changed: 1, removed: 0, wastedBytes: 30 },
      { contentBytes: 1, added: 0, changed: 1, removed: 0, wastedBytes: 0 },
    ]);
    assert.deepEqual(ledger.wasted, [
      { path: 'etc/x', bytes: 100, layer: 0, hiddenBy: 1, how: 'overwritten' },
      { path: 'etc/x', bytes: 30, layer: 1, hiddenBy: 2, how: 'overwritten' },
    ]);
  });

  it('a removed directory takes everything below it along, from whatever layer', () => {
    const ledger = book(
      [
        ['dir', 'var'],
        ['dir', 'var/cache'],
        ['file', 'var/cache/a', 10],
        ['file', 'var/keep', 3],
      ],
      [['file', 'var/cache/deep/b', 20]],
      [['removed', 'var/cache']],
    );
    assert.deepEqual(
      brief(ledger).map(({ wastedBytes, removed }) => [wastedBytes, removed]),
      [
        [10, 0],
        [20, 0],
        [0, 4],
      ],
    );
    assert.deepEqual(
      ledger.wasted.map(({ path, how }) => [path, how]),
      [
        ['var/cache/deep/b', 'removed'],
        ['var/cache/a', 'removed'],
      ],
    );
  });

  it('whiteouts and opaque directories hide lower layers only, in whatever order the layer says it', () => {
    const before: readonly Told[] = [
      ['dir', 'd'],
      ['file', 'd/old', 10],
      ['file', 'd/same', 5],
    ];
    for (const second of [
      [
        ['opaque', 'd'],
        ['dir', 'd'],
        ['file', 'd/new', 1],
        ['file', 'd/same', 6],
      ],
      [
        ['dir', 'd'],
        ['file', 'd/new', 1],
        ['file', 'd/same', 6],
        ['opaque', 'd'],
      ],
      [
        ['dir', 'd'],
        ['removed', 'd/old'],
        ['file', 'd/new', 1],
        ['file', 'd/same', 6],
        ['removed', 'd/same'],
      ],
    ] as const) {
      const ledger = book(before, second);
      assert.equal(ledger.counts[0]!.wastedBytes, 15);
      assert.equal(ledger.counts[1]!.wastedBytes, 0);
      assert.equal(ledger.counts[1]!.contentBytes, 7);
    }
  });

  it('a file in the place of a directory, and the other way round', () => {
    const ledger = book(
      [
        ['dir', 'x'],
        ['file', 'x/a', 8],
        ['file', 'y', 4],
      ],
      [
        ['file', 'x', 2],
        ['dir', 'y'],
        ['file', 'y/b', 1],
      ],
    );
    assert.deepEqual(brief(ledger), [
      { contentBytes: 12, added: 3, changed: 0, removed: 0, wastedBytes: 12 },
      { contentBytes: 3, added: 1, changed: 2, removed: 1, wastedBytes: 0 },
    ]);
  });

  it('bytes with several names are wasted when the last name goes, and once', () => {
    const start: readonly Told[] = [
      ['file', 'a', 100],
      ['link', 'b', 'a'],
    ];
    assert.equal(book(start, [['removed', 'a']]).counts[0]!.wastedBytes, 0);
    assert.equal(book(start, [['removed', 'a']], [['file', 'b', 1]]).counts[0]!.wastedBytes, 100);
    assert.equal(
      book(start, [
        ['link', 'c', 'b'],
        ['removed', 'a'],
        ['removed', 'b'],
      ]).counts[0]!.wastedBytes,
      0,
    );
  });

  it('a removal of what is not there, and a link to nothing, change nothing else', () => {
    const ledger = book([
      ['removed', 'no/such'],
      ['opaque', 'none'],
      ['link', 'l', 'gone'],
      ['file', 'l', 3],
    ]);
    assert.equal(ledger.counts[0]!.contentBytes, 3);
    assert.equal(ledger.counts[0]!.removed, 0);
  });

  it('sizes beyond 32 bits and names that are no UTF-8 are exact', () => {
    const big = 2 ** 42 + 7;
    const ledger = book([['file', 'x\xff', big]], [['file', 'h\xc3\xa9', 1]], [['removed', 'x\xff']]);
    assert.equal(ledger.counts[0]!.wastedBytes, big);
    assert.equal(ledger.wasted[0]!.path, 'x\ufffd');
    assert.equal(ledger.counts[1]!.largest[0]!.path, 'hé');
  });

  it('half a million files fit into 150 MB', () => {
    globalThis.gc?.();
    const before = process.memoryUsage().heapUsed;
    const ledger = new LayerLedger({ layers: 2, largest: 10 });
    ledger.nextLayer();
    for (let i = 0; i < 500_000; i++) ledger.file(`usr/lib/package-${i % 5000}/module-${i}.js`, i);
    assert.ok(process.memoryUsage().heapUsed - before < 150e6);
    ledger.nextLayer();
    ledger.removed('usr/lib');
    assert.equal(ledger.counts[1]!.removed, 505_001);
    assert.equal(ledger.counts[0]!.wastedBytes, (500_000 * 499_999) / 2);
  });
});
