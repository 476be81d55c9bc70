import assert from 'node:assert/strict';
import { it } from 'node:test';
import { PathSet } from '../../../src/rootfs/path-set.ts';

it('a path set holds exactly what was added, through growth', () => {
  const set = new PathSet();
  for (let i = 0; i < 50_000; i++) assert.equal(set.add(`usr/lib/${i}`), true);
  for (let i = 0; i < 50_000; i += 7) assert.equal(set.add(`usr/lib/${i}`), false);
  assert.equal(set.size, 50_000);
  for (let i = 0; i < 50_000; i++) {
    assert.ok(set.has(`usr/lib/${i}`));
    assert.ok(!set.has(`usr/lib/${i}x`));
    assert.ok(!set.has(`usr/bin/${i}`));
  }
});

it('a path set tells permutations and single bits apart', () => {
  const set = new PathSet();
  for (const path of ['ab', 'a/b', '', 'a', '\xff', 'aa']) set.add(path);
  for (const path of ['ba', 'b/a', 'b', '\xfe', 'aaa', '\x00']) assert.ok(!set.has(path), path);
  assert.ok(set.has(''));
});
