import assert from 'node:assert/strict';
import { it } from 'node:test';
import { IdMap } from '../../../src/rootfs/id-map.ts';

const map = new IdMap(
  '         0       1001          1\n         1     100000      65535\n',
  '0 1001 1\n1 100000 65535\n',
);

it('ids inside the map are held', () => {
  for (const id of [0, 1, 65535]) assert.equal(map.holds(id, id), true, String(id));
  for (const id of [65536, 4294967294]) {
    assert.equal(map.holds(id, 0), false);
    assert.equal(map.holds(0, id), false);
  }
});

it('B29: an id outside is refused with its name, the file and the map', () => {
  assert.throws(() => map.require(3_000_000, 0, 'srv/x'), {
    code: 'layer.id-unmapped',
    message: 'cannot give "srv/x" the uid 3000000: this user namespace maps only uids 0, 1-65535',
  });
  assert.throws(() => map.require(5, 65536, 'x'), { message: /the gid 65536: .* only gids 0, 1-65535/ });
});
