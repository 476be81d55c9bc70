/**
 * Every case of the language corpus comes to what the case says: as root and as an ordinary user, on overlay and on
 * plain directories, with a layer for each step and with one for all. Each case meets all six in two builds, neighbours
 * in other pairs; `ALL_WAYS=1` builds each in all four ways of account and driver. `CASES=part` builds only names that
 * hold `part`.
 */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { accounts } from '../support/account.ts';
import { staticBusybox } from '../support/base-images.ts';
import { firstReason, missingPrograms } from '../support/command.ts';
import { type LanguageCase, readLanguageCases } from '../support/language-case.ts';
import { caseDifferences } from '../support/language-check.ts';
import { buildCases, languageCorpus, makeBases } from '../support/language-way.ts';
import type { CaseOutcome } from '../support/language-worker.ts';
import { Rig } from '../support/rig.ts';

const WAYS = accounts().flatMap(({ name, account }, i) =>
  (['overlay', 'vfs'] as const).map((driver, k) => ({ name: `${name}, ${driver}`, account, driver, i, k })),
);

/** Whether and how case `n` is built in a way: of four cases in a row each way has two, one with layers. */
function layersIn({ i, k }: { readonly i: number; readonly k: number }, n: number): boolean | undefined {
  if (process.env['ALL_WAYS'] === '1') return i === k;
  return (i + k + n) % 2 === 0 ? (i + (n >> 1)) % 2 === 0 : undefined;
}

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

  for (const way of WAYS) {
    const { name, account, driver } = way;
    describe(name, { skip: typeof account === 'string' && account }, () => {
      const isRoot = typeof account !== 'string' && account.kind === 'root';
      const layered = new Map<LanguageCase, boolean>();
      for (const [n, one] of cases.entries()) {
        const layers = layersIn(way, n);
        if (layers !== undefined && (isRoot || one.onlyRoot === undefined)) layered.set(one, layers);
      }
      let outcomes: ReadonlyMap<string, CaseOutcome> = new Map();
      before(async () => {
        if (typeof account === 'string') return;
        await using rig = await Rig.open({ account, driver });
        outcomes = await buildCases(rig, layered, bases);
      });
      for (const [one, layers] of layered) {
        it(one.name, () => {
          assert.deepEqual(caseDifferences(one, outcomes.get(one.name), { layers }), []);
        });
      }
    });
  }
});
