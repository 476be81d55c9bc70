/**
 * Every case of the language corpus comes to what the case says: as root and as an ordinary user, on overlay and on
 * plain directories, with a layer for each step and with one for all. `CASES=part` builds only names that hold `part`.
 */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { accounts } from '../support/account.ts';
import { staticBusybox } from '../support/base-images.ts';
import { firstReason, missingPrograms } from '../support/command.ts';
import { readLanguageCases } from '../support/language-case.ts';
import { caseDifferences } from '../support/language-check.ts';
import { buildCases, languageCorpus, makeBases } from '../support/language-way.ts';
import type { CaseOutcome } from '../support/language-worker.ts';
import { Rig } from '../support/rig.ts';

// With layers in two ways and without in the other two, each of account, driver and layers meets both of the others.
const WAYS = accounts().flatMap(({ name, account }, i) =>
  (['overlay', 'vfs'] as const).map((driver, k) => ({ name: `${name}, ${driver}`, account, driver, layers: i === k })),
);

const skip = firstReason(
  staticBusybox() === undefined && 'not installed: a static busybox',
  missingPrograms('git', 'python3', 'setfattr', 'ssh-keygen', 'xz', 'bzip2', 'zstd'),
);

describe('the language corpus', { skip, concurrency: 2 }, () => {
  const wanted = process.env['CASES'] ?? '';
  const cases = readLanguageCases(languageCorpus).filter(({ name }) => name.includes(wanted));
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-language-'));
  chmodSync(scratch, 0o755);
  let bases: Readonly<Record<string, string>> = {};
  before(() => {
    bases = makeBases(scratch);
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  for (const { name, account, driver, layers } of WAYS) {
    describe(name, { skip: typeof account === 'string' && account }, () => {
      let outcomes: ReadonlyMap<string, CaseOutcome> = new Map();
      before(async () => {
        if (typeof account === 'string') return;
        await using rig = await Rig.open({ account, driver });
        outcomes = await buildCases(rig, cases, bases, layers);
      });
      const isRoot = typeof account !== 'string' && account.kind === 'root';
      for (const one of cases.filter(({ onlyRoot }) => isRoot || onlyRoot === undefined)) {
        it(one.name, () => {
          assert.deepEqual(caseDifferences(one, outcomes.get(one.name), { layers }), []);
        });
      }
    });
  }
});
