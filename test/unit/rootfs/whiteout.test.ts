import assert from 'node:assert/strict';
import { it } from 'node:test';
import { isWhiteoutName, whiteoutMeaning, whiteoutOf } from '../../../src/rootfs/whiteout.ts';

it('whiteout names are made and read back', () => {
  for (const [path, whiteout, name] of [
    ['a', '.wh.a', 'a'],
    ['d/e', 'd/.wh.e', 'e'],
    ['d/.hidden', 'd/.wh..hidden', '.hidden'],
  ] as const) {
    assert.equal(whiteoutOf(path), whiteout);
    assert.deepEqual(whiteoutMeaning(whiteout), { kind: 'removed', name });
  }
});

it('names are told apart', () => {
  const kinds = {
    'a.wh.b': 'none',
    'd/x.wh.': 'none',
    '.wh..wh..opq': 'opaque',
    'd/.wh..wh..opq': 'opaque',
    '.wh..wh.plnk': 'ignored',
    '.wh..wh.plnk/1.2': 'ignored',
    '.wh....': 'removed',
    '.whx': 'none',
  };
  for (const [path, kind] of Object.entries(kinds)) assert.equal(whiteoutMeaning(path).kind, kind, path);
  assert.equal(isWhiteoutName('d/.wh.x'), true);
  assert.equal(isWhiteoutName('.wh.d/x'), false);
});

it('B12: whiteouts of nothing, . and .. are refused, as is what lies below a whiteout', () => {
  for (const path of ['.wh.', 'd/.wh.', '.wh..', '.wh...', 'd/.wh...', '.wh.d/x']) {
    assert.throws(() => whiteoutMeaning(path), { code: 'layer.invalid' }, path);
  }
});
