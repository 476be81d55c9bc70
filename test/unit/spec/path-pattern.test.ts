import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  cleanPath,
  compileGlob,
  compileIgnorePattern,
  hasWildcard,
  mayMatchBelow,
  unescapePattern,
} from '../../../src/spec/path-pattern.ts';

const GLOBS: readonly (readonly [pattern: string, path: string, matches: boolean | 'malformed'])[] = [
  ['abc', 'abc', true],
  ['*', 'abc', true],
  ['*', '', true],
  ['*c', 'abc', true],
  ['a*', 'ab/c', false],
  ['a*/b', 'abc/b', true],
  ['a*/b', 'a/c/b', false],
  ['a*b*c*d*e*/f', 'axbxcxdxe/f', true],
  ['a*b*c*d*e*/f', 'axbxcxdxexxx/fff', false],
  ['a*b?c*x', 'abxbbxdbxebxczzy', false],
  ['ab[c]', 'abc', true],
  ['ab[b-d]', 'abc', true],
  ['ab[e-g]', 'abc', false],
  ['ab[^c]', 'abc', false],
  ['ab[^e-g]', 'abc', true],
  ['a\\*b', 'a*b', true],
  ['a\\*b', 'ab', false],
  ['a?b', 'a☺b', true],
  ['a[^a]b', 'a☺b', true],
  ['a???b', 'a☺b', false],
  ['a?b', 'a/b', false],
  ['a*b', 'a/b', false],
  ['[\\]a]', ']', true],
  ['[\\-x]', '-', true],
  ['[x\\-]', 'z', false],
  ['[]a]', ']', 'malformed'],
  ['[-]', '-', 'malformed'],
  ['[x-]', 'x', 'malformed'],
  ['[-x]', 'x', 'malformed'],
  ['\\', 'a', 'malformed'],
  ['[a-b-c]', 'a', 'malformed'],
  ['[', 'a', 'malformed'],
  ['[^', 'a', 'malformed'],
  ['a[', 'ab', 'malformed'],
  ['*x', 'xxx', true],
  ['arr[[]0].txt', 'arr[0].txt', true],
];

for (const [pattern, path, expected] of GLOBS) {
  test(`glob ${pattern} against ${path || 'nothing'}`, () => {
    const compiled = compileGlob(pattern);
    assert.equal(compiled === undefined ? 'malformed' : compiled.matches(path), expected);
  });
}

const IGNORES: readonly (readonly [pattern: string, path: string, matches: boolean])[] = [
  ['**', 'file', true],
  ['**', 'dir/file', true],
  ['**/**', 'dir/file', true],
  ['dir/**', 'dir/file', true],
  ['dir/**', 'dir', false],
  ['dir/**', 'dir/a/b', true],
  ['**/dir', 'dir', true],
  ['**/dir', 'a/dir', true],
  ['**/dir', 'a/bdir', false],
  ['**/dir2/*', 'dir/dir2/file', true],
  ['**/dir2/**', 'dir/dir2/dir2/file', true],
  ['**file', 'dir/dir/file', true],
  ['**file', 'dir/afile', true],
  ['**/file', 'dir/dir/file', true],
  ['**/*.txt', 'dir/file.txt', true],
  ['**/*.txt', 'file.txt', true],
  ['a**/*.txt', 'a/file.txt', true],
  ['a**/*.txt', 'a/dir/file.txt', true],
  ['a/*.txt', 'a/dir/file.txt', false],
  ['a/**/b', 'a/b', true],
  ['a/**/b', 'a/x/y/b', true],
  ['a/**/b', 'ax/b', false],
  ['a[b-d]e', 'ace', true],
  ['a[b-d]e', 'aae', false],
  ['.*', '.foo', true],
  ['.*', 'foo', false],
  ['abc.def', 'abcZdef', false],
  ['a^b*', 'a^bc', true],
  ['a(b)c/*', 'a(b)c/d', true],
  ['a\\*b', 'a*b', true],
  ['[^a]*', 'b', true],
  ['*/x-y', 'a/x-y', true],
];

for (const [pattern, path, expected] of IGNORES) {
  test(`ignore pattern ${pattern} against ${path}`, () => {
    assert.equal(compileIgnorePattern(pattern)?.matches(path), expected);
  });
}

test('a malformed ignore pattern is refused', () => {
  assert.equal(compileIgnorePattern('a[b'), undefined);
});

test('wildcards are seen unless escaped, and escapes can be taken away', () => {
  assert.equal(hasWildcard('a\\*b'), false);
  assert.equal(hasWildcard('a[b'), true);
  assert.equal(unescapePattern('a\\*b\\\\c'), 'a*b\\c');
});

test('paths are cleaned as Go does it', () => {
  const cases = { '': '.', './a//b/': 'a/b', '/../a': '/a', 'a/../..': '..', '../a': '../a', '/': '/', 'a/./b': 'a/b' };
  for (const [path, cleaned] of Object.entries(cases)) assert.equal(cleanPath(path), cleaned);
});

test('a pattern may match below directories that fit its first parts', () => {
  assert.equal(mayMatchBelow('a/b/c', 'a'), true);
  assert.equal(mayMatchBelow('a/b/c', 'x'), false);
  assert.equal(mayMatchBelow('a/*/c', 'a/q'), true);
  assert.equal(mayMatchBelow('**/c', 'x/y'), true);
  assert.equal(mayMatchBelow('a', 'a/b'), true);
});
