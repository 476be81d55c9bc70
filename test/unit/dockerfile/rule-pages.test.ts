/** The pages of docs/rules are held to the code: what they call bad is found, what they call good is not. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { checkText } from '../../../src/dockerfile/lint/check.ts';
import type { LintRule } from '../../../src/dockerfile/lint/rule.ts';
import { LINT_RULES } from '../../../src/dockerfile/lint/rules.ts';
import { positionOf } from '../../../src/report/source-file.ts';

const pages = resolve(dirname(fileURLToPath(import.meta.url)), '../../../../docs/rules');

/** Shows in builds only, where base images are known. */
const WITHOUT_EXAMPLES = new Set(['InvalidBaseImagePlatform']);

const ON = { buildkit: 'in builds and in checks', recommended: 'in `slipway check`', strict: 'where it is asked for' };

function headOf({ name, description, group, isExperimental, url, numbers }: LintRule): string {
  let head = `# ${name}\n\n${description}.\n\n- on: ${isExperimental ? ON.strict : ON[group]}\n`;
  if (url !== undefined) head += `- BuildKit: <${url}>\n`;
  return numbers.length === 0 ? head : `${head}- hadolint: ${numbers.join(', ')}\n`;
}

interface Example {
  readonly text: string;
  /** `line:column message` for each finding; empty for a good one. */
  readonly findings: string;
}

function examplesOf(page: string): { examples: Example[]; ignore: string | undefined } {
  const bad = page.slice(page.indexOf('\n## Bad\n'), page.indexOf('\n## Good\n'));
  const good = page.slice(page.indexOf('\n## Good\n'));
  const pairs = [...bad.matchAll(/```dockerfile\n([\s\S]*?)\n```\n\n```text\n([\s\S]*?)\n```/g)];
  assert.equal(pairs.length, [...bad.matchAll(/```dockerfile/g)].length, 'each bad example tells what is found');
  const lonely = [...good.matchAll(/```dockerfile\n([\s\S]*?)\n```/g)];
  return {
    examples: [
      ...pairs.map(([, text, findings]) => ({ text: text!, findings: findings! })),
      ...lonely.map(([, text]) => ({ text: text!, findings: '' })),
    ],
    ignore: /```ignore\n([\s\S]*?)\n```/.exec(page)?.[1],
  };
}

function found(name: string, text: string, ignore: string | undefined): string {
  const { findings, errors } = checkText(text, {
    rules: [name],
    ...(ignore === undefined ? {} : { ignore: { name: '.dockerignore', text: ignore } }),
  });
  assert.deepEqual(errors, []);
  const own = findings.filter(({ rule }) => rule === name);
  return own
    .map(({ span, message }) => {
      const { line, column } = positionOf(span.file, span.start);
      return `${line}:${column} ${message}`;
    })
    .join('\n');
}

it('there is a page for each rule, and no other', () => {
  assert.deepEqual(readdirSync(pages).sort(), LINT_RULES.map(({ name }) => `${name}.md`).sort());
});

for (const rule of LINT_RULES) {
  describe(`the page of ${rule.name}`, () => {
    const page = readFileSync(join(pages, `${rule.name}.md`), 'utf8');
    const { examples, ignore } = examplesOf(page);
    it('begins with what the code says', () => {
      assert.equal(page.slice(0, headOf(rule).length), headOf(rule));
    });
    it('has good and bad examples', () => {
      const kinds = new Set(examples.map(({ findings }) => findings === ''));
      assert.equal(kinds.size, WITHOUT_EXAMPLES.has(rule.name) ? 0 : 2);
    });
    for (const { text, findings } of examples) {
      it(`is right about ${JSON.stringify(text)}`, () => assert.equal(found(rule.name, text, ignore), findings));
    }
  });
}
