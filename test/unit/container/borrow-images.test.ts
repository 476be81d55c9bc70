import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { withBorrowed, withFreeNames } from '../../../src/container/borrow-images.ts';
import type { ImageRecord } from '../../../src/store/image-table.ts';

const manifest = { mediaType: 'm', digest: `sha256:${'0'.repeat(64)}` as never, size: 1 };
const own = (id: string, ...names: string[]): ImageRecord => ({ id, names, manifest, created: '' });
const lent = (from: string, id: string, ...names: string[]): ImageRecord => ({
  ...own(id, ...names),
  borrowed: { from, names },
});
const shown = (images: readonly ImageRecord[]) => images.map(({ id, names }) => [id, ...names].join(' '));

describe('names of borrowed images', () => {
  it('own images keep theirs, and the first lender goes before the second', () => {
    const after = withBorrowed(
      [own('1', 'a')],
      [lent('/x', '2', 'a', 'b'), lent('/y', '3', 'b', 'c')],
      new Set(['/x', '/y']),
    );
    assert.deepEqual(shown(after), ['1 a', '2 b', '3 c']);
  });

  it('names that were given here stay, what the lender has no more goes', () => {
    const before = [{ ...lent('/x', '2', 'a'), names: ['a', 'mine'] }, lent('/x', '3', 'b'), lent('/y', '4', 'c')];
    const after = withBorrowed(before, [lent('/x', '2', 'z')], new Set(['/x']));
    assert.deepEqual(shown(after), ['4 c', '2 mine z']);
  });

  it('an image that is here anyway gains the names and is no borrowed one', () => {
    const after = withBorrowed([own('1', 'a')], [lent('/x', '1', 'b')], new Set(['/x']));
    assert.deepEqual(after, [own('1', 'a', 'b')]);
  });

  it('are back when the own image that had them is gone', () => {
    const taken = { ...lent('/x', '2', 'a'), names: [] };
    assert.equal(withFreeNames([own('1', 'a'), taken]).isChanged, false);
    assert.deepEqual(shown(withFreeNames([taken, lent('/y', '3', 'c')]).images), ['2 a', '3 c']);
  });
});
