/**
 * The language corpus built by the Buildah of the distribution. Where Buildah comes to something else than the case
 * says, `buildah-differences.json` beside the corpus has the differences and the word under which docs/compatibility.md
 * tells why (see `test/support/known-differences.ts`). Every eighth case is built, all with `CASES=`.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { rootAccount } from '../support/account.ts';
import { staticBusybox } from '../support/base-images.ts';
import { BuildahCases } from '../support/buildah-cases.ts';
import { command, firstReason, missingPrograms } from '../support/command.ts';
import { KnownDifferences } from '../support/known-differences.ts';
import { readLanguageCases } from '../support/language-case.ts';
import { caseDifferences } from '../support/language-check.ts';
import { languageCorpus, makeBases, serveFolder } from '../support/language-way.ts';
import { Rig } from '../support/rig.ts';
import { sampleCases } from '../support/sample-cases.ts';

const JUDGED = '1.28';

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
  const known = new KnownDifferences(file);
  const all = readLanguageCases(languageCorpus);
  const cases = sampleCases(all, 8);
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
    known.save();
  });

  for (const { name } of cases) {
    // Buildah looks stages up in an order that changes from run to run.
    const varies = known.varies(name) && 'Buildah does not always come to the same';
    it(name, { skip: varies }, () => {
      known.check(name, results.get(name));
    });
  }

  it('every known difference is of a case and has its reason in the documentation', () => {
    known.checkReasons(all.map(({ name }) => name));
  });
});
