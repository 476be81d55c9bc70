import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parseDuration, parseSize } from '../../../src/cli/duration.ts';
import { humanAge, humanSize } from '../../../src/cli/output/human.ts';
import { alignTabs } from '../../../src/cli/output/table.ts';
import { displayWidth, fitWidth } from '../../../src/cli/output/text-width.ts';

it('sizes have three significant digits in decimal units', () => {
  const table: readonly [number, string][] = [
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1 KB'],
    [1234, '1.23 KB'],
    [3_974_000, '3.97 MB'],
    [123_456_789, '123 MB'],
    [999_600, '1e+03 KB'],
    [5_000_000_000_000_000, '5e+03 TB'],
  ];
  for (const [bytes, text] of table) assert.equal(humanSize(bytes), text);
});

it('ages are worded as Buildah words them', () => {
  const [s, m, h, d] = [1000, 60_000, 3_600_000, 86_400_000];
  const table: readonly [number, string][] = [
    [0, 'Less than a second ago'],
    [1.5 * s, '1 second ago'],
    [59 * s, '59 seconds ago'],
    [90 * s, 'About a minute ago'],
    [59 * m, '59 minutes ago'],
    [80 * m, 'About an hour ago'],
    [100 * m, '2 hours ago'],
    [47 * h, '47 hours ago'],
    [3 * d, '3 days ago'],
    [15 * d, '2 weeks ago'],
    [90 * d, '3 months ago'],
    [800 * d, '2 years ago'],
  ];
  for (const [age, text] of table) assert.equal(humanAge(age), text);
});

it('durations and sizes are read as Go reads them', () => {
  assert.equal(parseDuration('1h2m3.5s', '--x'), 3_723_500_000_000);
  assert.equal(parseDuration('300ms', '--x'), 3e8);
  assert.equal(parseDuration('0', '--x'), 0);
  for (const bad of ['5', '', 's', '1x', '1 s']) assert.throws(() => parseDuration(bad, '--x'), /invalid duration/);
  assert.equal(parseSize('65536k', '--x'), 64 * 2 ** 20);
  assert.equal(parseSize('1g', '--x'), 2 ** 30);
  assert.throws(() => parseSize('much', '--x'), /invalid size/);
});

it('columns count terminal cells', () => {
  assert.equal(displayWidth('日本é\u0301'), 5);
  assert.equal(alignTabs(['日本\tx', 'abc\ty']), '日本   x\nabc    y\n');
  assert.equal(fitWidth('日本語', 4), '日…');
});
