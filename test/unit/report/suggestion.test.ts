import assert from 'node:assert/strict';
import { test } from 'node:test';
import { suggest } from '../../../src/report/suggestion.ts';

const CASES: readonly [word: string, candidates: readonly string[], expected: string | undefined][] = [
  ['sr', ['S', 'src', 'Dockerfile'], 'src'],
  ['sr', ['src', 'S'], 'src'],
  ['SRC', ['src', 'source'], 'src'],
  ['buidl', ['pull', 'build'], 'build'],
  ['imges', ['image', 'images'], 'images'],
  ['Src', ['src', 'SRC'], 'src'],
  ['ab', ['xy', 'abcd'], undefined],
  ['same', ['same', 'sane'], undefined],
  ['containres', ['containers', 'contain'], 'containers'],
];

for (const [word, candidates, expected] of CASES) {
  test(`${word} among ${candidates.join(', ')}`, () => assert.equal(suggest(word, candidates), expected));
}
