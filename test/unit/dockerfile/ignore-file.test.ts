import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ignoreMatcherOf, parseIgnoreFile } from '../../../src/dockerfile/ignore-file.ts';
import { isBuilderError } from '../../../src/report/builder-error.ts';

const parse = (text: string) => parseIgnoreFile({ name: '.dockerignore', text });

test('comments count in the first column only, blanks are trimmed and slashes dropped', () => {
  const matcher = parse('\ufeff# note\n #odd\n  /node_modules/  \n! keep\r\n\n');
  assert.deepEqual(
    matcher.rules.map(({ pattern, negated, line }) => ({ pattern, negated, line })),
    [
      { pattern: '#odd', negated: false, line: 2 },
      { pattern: 'node_modules', negated: false, line: 3 },
      { pattern: 'keep', negated: true, line: 4 },
    ],
  );
});

test('the last matching rule decides and is named', () => {
  const matcher = parse('*\n!src\nsrc/*.tmp\n');
  assert.equal(matcher.match('a').ignored, true);
  assert.equal(matcher.match('src/a/b').ignored, false);
  assert.equal(matcher.match('src/a/b').rule?.line, 2);
  assert.equal(matcher.match('src/x.tmp').rule?.line, 3);
});

test('a pattern that matches a parent covers what is below', () => {
  assert.equal(parse('a').match('a/b/c').ignored, true);
  assert.equal(parse('a/*').match('a/b/c').ignored, true);
  assert.equal(parse('a\n!a/b/keep').match('a/b/keep').ignored, false);
  assert.equal(parse('a\n!a/b/keep').match('a/b/other').ignored, true);
});

test('the root cannot be ignored', () => {
  assert.equal(parse('.\n*').match('.').ignored, false);
});

test('an ignored directory is entered only when something below may come back', () => {
  const matcher = parse('a\nb\n!a/keep\n');
  assert.equal(matcher.canPrune('a', matcher.match('a')), false);
  assert.equal(matcher.canPrune('a/other', matcher.match('a/other')), true);
  assert.equal(matcher.canPrune('b', matcher.match('b')), true);
  assert.equal(matcher.canPrune('c', matcher.match('c')), false);
  const earlier = parse('!a/keep\na\n');
  assert.equal(earlier.canPrune('a', earlier.match('a')), true);
});

test('a walk that hands matches down comes to the same verdicts', () => {
  const matcher = parse('**/*.log\na/**\n!a/b\n!**/keep.log');
  for (const path of ['a/b/c', 'a/x', 'a/b/d.log', 'q/keep.log', 'q/r/s.log']) {
    const parts = path.split('/');
    let parent: readonly boolean[] | undefined;
    for (let i = 1; i < parts.length; i++) parent = matcher.matchIn(parent, parts.slice(0, i).join('/')).matches;
    assert.equal(matcher.matchIn(parent, path).ignored, matcher.match(path).ignored, path);
  }
  assert.equal(matcher.match('q/keep.log').ignored, false);
  assert.equal(matcher.match('a/b/d.log').ignored, false);
  assert.equal(matcher.match('q/r/s.log').ignored, true);
});

test('a bare exclamation mark and a malformed pattern are errors with their place', () => {
  for (const text of ['a\n!\n', 'a\n[\n']) {
    assert.throws(
      () => parse(text),
      (error) => isBuilderError(error, 'ignore.invalid') && error.span?.start === 2,
    );
  }
});

test('exclude flags make a matcher too', () => {
  assert.equal(ignoreMatcherOf(['*.a', '!x.a']).match('x.a').ignored, false);
});
