/**
 * The language corpus built by the BuildKit inside the distribution's Docker. Where it comes to something else than the
 * case says, `buildkit-differences.json` beside the corpus has the differences and the word under which
 * docs/compatibility.md tells why (see `test/support/known-differences.ts`). Cases of which the frontend or the client is
 * older than a feature are left out, by `test/support/buildkit-features.ts`. Every eighth case is built, all with `CASES=`.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { rootAccount } from '../support/account.ts';
import { staticBusybox } from '../support/base-images.ts';
import { BuildkitCases } from '../support/buildkit-cases.ts';
import { BuildkitDaemon, noUnpackedDocker } from '../support/buildkit-daemon.ts';
import { newerFeature } from '../support/buildkit-features.ts';
import { firstReason, missingPrograms } from '../support/command.ts';
import { KnownDifferences } from '../support/known-differences.ts';
import { type LanguageCase, readLanguageCases } from '../support/language-case.ts';
import { caseDifferences } from '../support/language-check.ts';
import { languageCorpus, makeBases } from '../support/language-way.ts';
import { sampleCases } from '../support/sample-cases.ts';

const skip = firstReason(
  rootAccount() === undefined && 'dockerd needs root',
  staticBusybox() === undefined && 'not installed: a static busybox',
  missingPrograms('unshare', 'runc', 'skopeo', 'git', 'python3', 'setfattr', 'xz', 'bzip2', 'zstd', 'ssh-keygen'),
  noUnpackedDocker(),
);

describe('the language corpus built by BuildKit', { skip }, () => {
  const file = join(languageCorpus, 'buildkit-differences.json');
  const known = new KnownDifferences(file);
  const all = readLanguageCases(languageCorpus);
  const cases = sampleCases(all, 8);
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
    if (impossible === undefined) known.save();
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
      known.check(one.name, results.get(one.name));
    });
  }

  it('every known difference is of a case and has its reason in the documentation', () => {
    known.checkReasons(all.filter((one) => newerFeature(one) === undefined).map(({ name }) => name));
  });
});
