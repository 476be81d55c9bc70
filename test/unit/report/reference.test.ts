/** Pages made from source are as the source has it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';

interface Pages {
  errorsPage(): string;
  eventsPage(): string;
}

const script = new URL('../../../../scripts/reference.mjs', import.meta.url);
const docs = new URL('../../../../docs/', import.meta.url);

for (const [name, page] of [
  ['errors.md', 'errorsPage'],
  ['events.md', 'eventsPage'],
] as const) {
  it(`docs/${name} is up to date`, async () => {
    const pages = (await import(script.href)) as Pages;
    assert.equal(readFileSync(new URL(name, docs), 'utf8'), pages[page](), 'run: node scripts/reference.mjs');
  });
}
