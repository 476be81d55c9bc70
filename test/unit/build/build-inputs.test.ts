import assert from 'node:assert/strict';
import { it } from 'node:test';
import { BuildInputs, withoutCredentials } from '../../../src/build/build-inputs.ts';

const URLS: Readonly<Record<string, string>> = {
  'https://user:secret@example.org/a.git#main': 'https://example.org/a.git#main',
  'https://token@example.org/a': 'https://example.org/a',
  'https://example.org/a@b': 'https://example.org/a@b',
  'ssh://git:secret@example.org/a.git': 'ssh://git@example.org/a.git',
  'ssh://git@example.org/a.git': 'ssh://git@example.org/a.git',
  'git@github.com:a/b.git': 'git@github.com:a/b.git',
};

for (const [url, told] of Object.entries(URLS))
  it(`${told} is all that is told`, () => assert.equal(withoutCredentials(url), told));

it('what is fetched twice is one input, and no login is kept', () => {
  const inputs = new BuildInputs();
  inputs.add({ kind: 'http', url: 'https://u:p@example.org/x', digest: 'sha256:0' });
  inputs.add({ kind: 'http', url: 'https://example.org/x', digest: 'sha256:0' });
  assert.deepEqual(inputs.list(), [{ kind: 'http', url: 'https://example.org/x', digest: 'sha256:0' }]);
});
