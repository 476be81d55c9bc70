import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isBuilderError } from '../../../src/report/builder-error.ts';
import { readToml, type TomlTable } from '../../../src/spec/toml-table.ts';

const read = (text: string) => readToml(text, 'a.conf', 'test configuration');

function complaint(text: string, ask: (table: TomlTable) => unknown): string {
  try {
    ask(read(text));
  } catch (error) {
    assert.ok(isBuilderError(error, 'usage.invalid'));
    return error.message;
  }
  return assert.fail('it passed');
}

describe('TomlTable', () => {
  it('reads what is of the type asked for, and nothing where nothing is', () => {
    const table = read('s = "x"\nb = false\nn = 0\nl = ["a", "b"]\n[t]\nk = "v"\n[[e]]\nk = "1"\n[[e]]\nk = "2"\n');
    assert.deepEqual(
      [table.string('s'), table.boolean('b'), table.count('n'), table.strings('l')],
      ['x', false, 0, ['a', 'b']],
    );
    assert.equal(table.table('t').string('k'), 'v');
    assert.deepEqual(
      table.tables('e').map((element) => element.string('k')),
      ['1', '2'],
    );
    const none = [table.string('x'), table.boolean('x'), table.count('x'), table.strings('x'), table.stringList('x')];
    assert.deepEqual(none, Array(5).fill(undefined));
    assert.deepEqual([table.table('x').keys(), table.tables('x')], [[], []]);
  });

  it('a list may say that it continues an earlier one', () => {
    const table = read('a = ["x", {append = true}]\nb = ["x"]\nc = [{append = false}, "y"]\n');
    assert.deepEqual(table.stringList('a'), { strings: ['x'], append: true });
    assert.deepEqual(table.stringList('b'), { strings: ['x'], append: undefined });
    assert.deepEqual(table.stringList('c'), { strings: ['y'], append: false });
    assert.match(
      complaint('a = [{prepend = true}]', (t) => t.stringList('a')),
      /a\.conf:1 .*key a: expected a list of strings, with \{append = true\}/,
    );
  });

  const text = `
# comment
top = 1
[section]
"quoted-key" = 2
[[list]]
key = "fine"
[[list]]
key = 3
[[list.inner]]
key = 4
[[list]]
other = "x"
`;
  for (const [what, ask, place] of [
    ['a key of the file', (t: TomlTable) => t.string('top'), 'a.conf:3 cannot be used: key top: expected a string'],
    ['a quoted key', (t: TomlTable) => t.table('section').string('quoted-key'), 'a.conf:5 .*key section.quoted-key:'],
    ['the second of a list', (t: TomlTable) => t.tables('list')[1]?.boolean('key'), 'a.conf:9 .*key list\\[1\\].key:'],
    [
      'a list in a list',
      (t: TomlTable) => t.tables('list')[1]?.tables('inner')[0]?.string('key'),
      'a.conf:11 .*key list\\[1\\].inner\\[0\\].key:',
    ],
    ['a key that is missing', (t: TomlTable) => t.tables('list')[2]?.fail('key', 'it is missing'), 'a.conf:12 '],
    ['a section that is a list', (t: TomlTable) => t.table('list'), 'a.conf:6 .*key list: expected a table'],
    ['a list that is a section', (t: TomlTable) => t.tables('section'), 'a.conf:4 .*key section: expected \\[\\['],
  ] as const) {
    it(`names the line of ${what}`, () => assert.match(complaint(text, ask), new RegExp(place)));
  }

  it('names the line that is not TOML', () => {
    assert.match(
      complaint('a = 1\nb = [', () => {}),
      /the test configuration a\.conf:2 cannot be used/,
    );
  });

  it('takes numbers that count something only', () => {
    for (const value of ['-1', '1.5', '"3"', 'true']) {
      assert.match(
        complaint(`a = ${value}`, (t) => t.count('a')),
        /expected a whole number/,
      );
    }
  });
});
