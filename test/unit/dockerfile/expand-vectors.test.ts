import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { EscapeCharacter } from '../../../src/dockerfile/directives.ts';
import { ExpansionError, expandText, HEREDOC_BODY } from '../../../src/dockerfile/expand.ts';

interface Vector {
  readonly in: string;
  readonly escape: EscapeCharacter;
  readonly word?: string;
  readonly words?: readonly string[];
  readonly unmatched?: readonly string[];
  readonly heredocBody?: string;
  readonly error?: string;
}

const vectors = JSON.parse(readFileSync('test/corpus/dockerfile/expand-vectors.json', 'utf8')) as Vector[];
const variables = new Map(
  Object.entries({
    e: '',
    b: 'bar',
    p: 'foobarbaz',
    s: 'a b  c',
    path: '/usr/local/bin',
    g: 'a*b?c',
    ver: 'v1.2.3-rc1',
    q: `it's "q"`,
  }),
);
const lookup = (name: string) => variables.get(name);

/** The part of BuildKit's message behind `failed to process "…": `. */
function reason(vector: Vector): string {
  const prefix = `failed to process ${JSON.stringify(vector.in)}: `;
  assert.ok(vector.error!.startsWith(prefix), vector.error);
  return vector.error!.slice(prefix.length);
}

assert.ok(vectors.length > 90);
for (const vector of vectors) {
  test(`expands as BuildKit does: ${vector.in} with escape ${vector.escape}`, () => {
    const expand = () => expandText(vector.in, lookup, { escape: vector.escape });
    if (vector.error !== undefined) {
      const expected = reason(vector).replace("'\\\ufffd'", "'\\'");
      assert.throws(expand, (error) => error instanceof ExpansionError && error.message === expected);
    } else {
      const { text, words, variables: used } = expand();
      const unmatched = [...new Set(used.filter((use) => !use.isSet).map((use) => use.name))];
      assert.deepEqual(
        { text, words, unmatched },
        { text: vector.word, words: vector.words ?? [], unmatched: vector.unmatched ?? [] },
      );
    }
    if (vector.heredocBody !== undefined) {
      assert.equal(expandText(vector.in, lookup, HEREDOC_BODY).text, vector.heredocBody);
    }
  });
}
