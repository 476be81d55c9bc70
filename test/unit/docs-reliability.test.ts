/** docs/reliability.md names tests; they exist, bear the number of their row, and no row is missing. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const repositoryRoot = fileURLToPath(new URL('../../..', import.meta.url));
const ROW = /^\| ([A-Z]\d\d) +\| (.*?) +\| (.*?) +\|$/;

interface Row {
  readonly id: string;
  readonly tests: readonly { readonly file: string; readonly name: string }[];
  readonly text: string;
}

const rows: readonly Row[] = readFileSync(join(repositoryRoot, 'docs/reliability.md'), 'utf8')
  .split('\n')
  .flatMap((line): Row[] => {
    const [, id, , text] = ROW.exec(line) ?? [];
    if (id === undefined || text === undefined) return [];
    const cited = [...text.matchAll(/`([^`]+\.ts)`: “([^”]+)”/g)];
    return [{ id, text, tests: cited.map(([, file, name]) => ({ file: file!, name: name! })) }];
  });

/** The string and template literals of a source; what is put into a template reads `…`. */
function literalsOf(source: string): Set<string> {
  const found = source.match(/'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/g) ?? [];
  return new Set(found.map((literal) => literal.slice(1, -1).replace(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, '…')));
}

describe('docs/reliability.md', () => {
  it('has every row once', () => {
    const numbered = (letter: string, count: number) =>
      Array.from({ length: count }, (_, i) => `${letter}${String(i + 1).padStart(2, '0')}`);
    const ids = rows.map(({ id }) => id);
    assert.deepEqual(ids, [...numbered('B', 70), ...numbered('F', 26), ...numbered('X', 12)]);
  });

  for (const { id, tests, text } of rows) {
    it(`${id} is answered by tests that exist, or says why not`, () => {
      if (tests.length === 0) assert.match(text, /^(not applicable|in part|not tested): .{20}/);
      for (const { file, name } of tests) {
        const path = join(repositoryRoot, 'test', file);
        assert.ok(existsSync(path), file);
        assert.ok(name.includes(id), `the test “${name}” does not bear the number of its row`);
        assert.ok(literalsOf(readFileSync(path, 'utf8')).has(name), `${file} has no test “${name}”`);
      }
    });
  }
});
