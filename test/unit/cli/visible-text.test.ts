/** Names and lines of others on a terminal of ours. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { visibleLine, visibleName } from '../../../src/cli/output/visible-text.ts';

it('names are shown without control characters and can be told apart', () => {
  const table: readonly [string | Buffer, string][] = [
    ['/plain name', '/plain name'],
    ['/é/日本/😀', '/é/日本/😀'],
    ['/a\nb\tc', '/a\\x0ab\\x09c'],
    ['/\u001b]0;title\u0007', '/\\x1b]0;title\\x07'],
    ['/\\x1b', '/\\\\x1b'],
    ['/\u009b31m', '/\\u009b31m'],
    ['/\u202etxt.exe', '/\\u202etxt.exe'],
    ['/\u2028', '/\\u2028'],
    [Buffer.from([0x2f, 0xff, 0x61, 0x9b]), '/\\xffa\\x9b'],
    // Overlong, a surrogate, beyond the last character, cut off.
    [Buffer.from([0xc0, 0x8a]), '\\xc0\\x8a'],
    [Buffer.from([0xed, 0xa0, 0x80]), '\\xed\\xa0\\x80'],
    [Buffer.from([0xf4, 0x90, 0x80, 0x80]), '\\xf4\\x90\\x80\\x80'],
    [Buffer.from([0xe2, 0x82]), '\\xe2\\x82'],
  ];
  for (const [name, text] of table) assert.equal(visibleName(name), text);
});
it('every name of one or two bytes is shown in printable characters, each in its own way', () => {
  const seen = new Set<string>();
  for (let a = 1; a < 256; a++) {
    for (let b = 0; b < 256; b++) {
      const text = visibleName(b === 0 ? Buffer.from([a]) : Buffer.from([a, b]));
      assert.doesNotMatch(text, /[\p{Cc}\ufffd]/u);
      seen.add(text);
    }
  }
  assert.equal(seen.size, 255 * 256);
});
it('lines keep their backslashes', () => {
  assert.equal(visibleLine('RUN a \\ b\u001b[2J'), 'RUN a \\ b\\x1b[2J');
});
