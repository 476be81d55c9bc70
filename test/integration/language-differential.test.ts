/**
 * The language corpus built by the Buildah of the distribution. Where Buildah comes to something else than the case
 * says, `buildah-differences.json` beside the corpus has the differences and the word under which
 * docs/compatibility.md tells why. A new difference fails, and so does one that is gone. Every fourth case is built, all with
 * `CASES=`. `UPDATE_GOLDEN=1` writes the
 * file anew; a difference nobody explained yet stays a failure.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { rootAccount } from '../support/account.ts';
import { staticBusybox } from '../support/base-images.ts';
import { BuildahCases, type KnownDifference, readKnownDifferences } from '../support/buildah-cases.ts';
import { command, firstReason, missingPrograms } from '../support/command.ts';
import { checkout } from '../support/installation.ts';
import { readLanguageCases } from '../support/language-case.ts';
import { caseDifferences } from '../support/language-check.ts';
import { sampleCases } from '../support/language-sample.ts';
import { languageCorpus, makeBases, serveFolder } from '../support/language-way.ts';
import { Rig } from '../support/rig.ts';

const JUDGED = '1.28';
const UNEXPLAINED = 'unexplained';

const account = rootAccount();
const skip = firstReason(
  account === undefined && 'comparing owners needs root',
  staticBusybox() === undefined && 'not installed: a static busybox',
  missingPrograms('buildah', 'git', 'python3', 'setfattr', 'xz', 'bzip2', 'zstd'),
  otherBuildah(),
);

/** The list of differences is one version's. */
function otherBuildah(): string | false {
  if (missingPrograms('buildah') !== false) return false;
  const version = command('buildah', ['--version']);
  return version.includes(` ${JUDGED}.`) ? false : `the differences listed are those of Buildah ${JUDGED}`;
}

describe('the language corpus built by Buildah', { skip }, () => {
  const file = join(languageCorpus, 'buildah-differences.json');
  const known = readKnownDifferences(file);
  const found: Record<string, KnownDifference> = { ...known };
  const all = readLanguageCases(languageCorpus);
  const cases = sampleCases(all);
  const scratch = join(tmpdir(), `slipway-language-${process.pid}`);
  const results = new Map<string, readonly string[]>();

  before(async () => {
    mkdirSync(scratch);
    const bases = makeBases(scratch);
    const queue = [...cases];
    await Promise.all(
      [0, 1].map(async () => {
        await using rig = await Rig.open({ account: account!, program: 'buildah' });
        using server = await serveFolder(join(rig.folder, 'work'));
        const buildah = new BuildahCases(rig, server.address);
        await buildah.open(bases);
        for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
          results.set(one.name, caseDifferences(one, await buildah.build(one), { layers: false, isOther: true }));
        }
      }),
    );
  });
  after(() => {
    rmSync(scratch, { recursive: true, force: true });
    if (process.env['UPDATE_GOLDEN'] === undefined) return;
    const sorted = Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1));
    writeFileSync(file, `${JSON.stringify(Object.fromEntries(sorted), null, 2)}\n`);
  });

  for (const { name } of cases) {
    // Buildah looks stages up in an order that changes from run to run.
    const varies = known[name]?.differences[0] === 'varies' && 'Buildah does not always come to the same';
    it(name, { skip: varies }, () => {
      const differences = (results.get(name) ?? ['the case was not built']).map(withoutDetails);
      if (differences.length === 0) delete found[name];
      else found[name] = { because: known[name]?.because ?? UNEXPLAINED, differences };
      assert.deepEqual(differences, known[name]?.differences ?? []);
    });
  }

  it('every known difference is of a case and has its reason in the documentation', () => {
    const documentation = readFileSync(join(checkout, 'docs/compatibility.md'), 'utf8');
    const names = all.map(({ name }) => name);
    const stale = Object.keys(known).filter((name) => !names.includes(name));
    const reasons = [...new Set(Object.values(known).map(({ because }) => because))];
    const undocumented = reasons.filter((reason) => !documentation.includes(`\`${reason}\``));
    assert.deepEqual({ stale, undocumented }, { stale: [], undocumented: [] });
  });
});

/** A failure is told in words that hold temporary names. */
function withoutDetails(difference: string): string {
  return difference.startsWith('failed: ') ? 'failed' : difference;
}
