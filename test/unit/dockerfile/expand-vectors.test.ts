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

/** Every form by hand, and random ones that BuildKit's lexer (August 2026) was asked about. */
const vectors = ['expand-vectors', 'random-expand-vectors'].flatMap(
  (name) => JSON.parse(readFileSync(`test/corpus/dockerfile/${name}.json`, 'utf8')) as Vector[],
);
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

/** BuildKit's message: `failed to process "…": ` and why. A lone backslash at the end is cut within a character there. */
function isSameError(vector: Vector, error: unknown): boolean {
  const text = vector.error!.replace("'\\\ufffd'", "'\\'");
  return error instanceof ExpansionError && text.endsWith(`": ${error.message}`);
}

assert.ok(vectors.length > 590);
for (const vector of vectors) {
  test(`expands as BuildKit does: ${vector.in} with escape ${vector.escape}`, () => {
    const expand = () => expandText(vector.in, lookup, { escape: vector.escape });
    if (vector.error !== undefined) {
      assert.throws(expand, (error) => isSameError(vector, error));
    } else {
      const { text, words, variables: used } = expand();
      const unmatched = [...new Set(used.filter((use) => !use.isSet).map((use) => use.name))].sort();
      assert.deepEqual(
        { text, words, unmatched },
        { text: vector.word, words: vector.words ?? [], unmatched: [...(vector.unmatched ?? [])].sort() },
      );
    }
    if (vector.heredocBody !== undefined) {
      assert.equal(expandText(vector.in, lookup, HEREDOC_BODY).text, vector.heredocBody);
    }
  });
}
