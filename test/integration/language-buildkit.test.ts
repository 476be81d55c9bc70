/**
 * The language corpus built by the BuildKit inside the distribution's Docker. Where it comes to something else than the
 * case says, `buildkit-differences.json` beside the corpus has the differences and the word under which
 * docs/compatibility.md tells why. A new difference fails, and so does one that is gone. Cases of which the frontend or
 * the client is older than a feature are left out, by `test/support/buildkit-features.ts`. Every fourth case is built, all with
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
import { type KnownDifference, readKnownDifferences } from '../support/buildah-cases.ts';
import { BuildkitCases } from '../support/buildkit-cases.ts';
import { BuildkitDaemon, noUnpackedDocker } from '../support/buildkit-daemon.ts';
import { newerFeature } from '../support/buildkit-features.ts';
import { firstReason, missingPrograms } from '../support/command.ts';
import { checkout } from '../support/installation.ts';
import { type LanguageCase, readLanguageCases } from '../support/language-case.ts';
import { caseDifferences } from '../support/language-check.ts';
import { sampleCases } from '../support/language-sample.ts';
import { languageCorpus, makeBases } from '../support/language-way.ts';

const UNEXPLAINED = 'unexplained';

const skip = firstReason(
  rootAccount() === undefined && 'dockerd needs root',
  staticBusybox() === undefined && 'not installed: a static busybox',
  missingPrograms('unshare', 'runc', 'skopeo', 'git', 'python3', 'setfattr', 'xz', 'bzip2', 'zstd', 'ssh-keygen'),
  noUnpackedDocker(),
);

describe('the language corpus built by BuildKit', { skip }, () => {
  const file = join(languageCorpus, 'buildkit-differences.json');
  const known = readKnownDifferences(file);
  const found: Record<string, KnownDifference> = { ...known };
  const all = readLanguageCases(languageCorpus);
  const cases = sampleCases(all);
  const scratch = join(tmpdir(), `slipway-language-${process.pid}`);
  const results = new Map<string, readonly string[]>();
  let impossible: string | undefined;

  before(async () => {
    mkdirSync(scratch);
    await using daemon = await startedDaemon();
    if (daemon === undefined) return;
    const builder = await BuildkitCases.open(daemon);
    const build = async (one: LanguageCase) => {
      results.set(one.name, caseDifferences(one, await builder.build(one), { layers: true, isOther: true }));
    };
    const known = cases.filter((one) => newerFeature(one) === undefined);
    // Images of one name would replace each other: such cases are built one after another.
    const alone = known.filter(({ images }) => images.length > 0);
    const queue = known.filter(({ images }) => images.length === 0);
    const work = async (first: readonly LanguageCase[]) => {
      for (const one of first) await build(one);
      for (let one = queue.shift(); one !== undefined; one = queue.shift()) await build(one);
    };
    await Promise.all([work(alone), work([]), work([])]);
  });
  after(() => {
    rmSync(scratch, { recursive: true, force: true });
    if (process.env['UPDATE_GOLDEN'] === undefined || impossible !== undefined) return;
    const sorted = Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1));
    writeFileSync(file, `${JSON.stringify(Object.fromEntries(sorted), null, 2)}\n`);
  });

  async function startedDaemon(): Promise<BuildkitDaemon | undefined> {
    const daemon = await BuildkitDaemon.start(makeBases(scratch));
    if (typeof daemon !== 'string') return daemon;
    impossible = daemon;
    return undefined;
  }

  // What this BuildKit does not know yet says nothing of either builder.
  for (const one of cases.filter((one) => newerFeature(one) === undefined)) {
    it(one.name, (test) => {
      if (impossible !== undefined) return test.skip(impossible);
      const differences = (results.get(one.name) ?? ['the case was not built']).map(withoutDetails);
      if (process.env['SHOW'] && differences.length) console.log(one.name, results.get(one.name));
      if (differences.length === 0) delete found[one.name];
      else found[one.name] = { because: known[one.name]?.because ?? UNEXPLAINED, differences };
      assert.deepEqual(differences, known[one.name]?.differences ?? []);
    });
  }

  it('every known difference is of a case and has its reason in the documentation', () => {
    const documentation = readFileSync(join(checkout, 'docs/compatibility.md'), 'utf8');
    const built = all.filter((one) => newerFeature(one) === undefined).map(({ name }) => name);
    const stale = Object.keys(known).filter((name) => !built.includes(name));
    const reasons = [...new Set(Object.values(known).map(({ because }) => because))];
    const undocumented = reasons.filter((reason) => !documentation.includes(`\`${reason}\``));
    assert.deepEqual({ stale, undocumented }, { stale: [], undocumented: [] });
  });
});

/** A failure is told in words that hold temporary names. */
function withoutDetails(difference: string): string {
  return difference.startsWith('failed: ') ? 'failed' : difference;
}
