/**
 * The command lines of `test/corpus/cli/` given to Buildah and to Slipway: same exit codes, same bytes on both streams,
 * same effects, but for what `differences.json` lists there. Every listed difference has a word that the table "The
 * command line" in docs/compatibility.md explains, and must still be one, unless Buildah does not always do the same.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isRoot } from '../support/account.ts';
import { staticBusybox } from '../support/base-images.ts';
import { firstReason, missingPrograms } from '../support/command.ts';
import { type CommandLine, CommandLineTool, type Outcome, readCommandLines } from '../support/command-lines.ts';
import { checkout, installationFor } from '../support/installation.ts';
import { RegistryServer } from '../support/registry-server.ts';

/** The list of differences is one version's. */
const JUDGED = '1.28';

const corpus = join(checkout, 'test/corpus/cli');
const skip = firstReason(
  !isRoot && 'Buildah is compared as root',
  staticBusybox() === undefined && 'not installed: a static busybox',
  missingPrograms('buildah', 'docker-registry'),
  !spawnSync('buildah', ['--version'], { encoding: 'utf8' }).stdout?.includes(` ${JUDGED}.`) &&
    `the differences listed are those of Buildah ${JUDGED}`,
);

type Aspect = keyof Outcome;

/** By file and line: `word: aspect aspect`, or `aspect?` for what differs in some runs only. */
const KNOWN = JSON.parse(readFileSync(join(corpus, 'differences.json'), 'utf8')) as Record<
  string,
  Record<string, string>
>;

function knownAspects(file: string, { text }: CommandLine): readonly { aspect: Aspect; isSteady: boolean }[] {
  const words = KNOWN[file]?.[text]?.split(': ')[1]?.split(' ') ?? [];
  return words.map((word) => ({ aspect: word.replace('?', '') as Aspect, isSteady: !word.endsWith('?') }));
}

const files = readdirSync(corpus)
  .filter((name) => name.endsWith('.txt'))
  .map((name) => name.slice(0, -'.txt'.length));

for (const file of files) {
  describe(`${file}: like Buildah`, { skip }, () => {
    const lines = readCommandLines(join(corpus, `${file}.txt`));
    const outcomes: { readonly theirs: Outcome | undefined; readonly ours: Outcome }[] = [];
    const registries: RegistryServer[] = [];
    const tools: CommandLineTool[] = [];

    before(async () => {
      const { program } = await installationFor({ kind: 'root', name: 'root', uid: 0, gid: 0, home: '/root' });
      const [theirs, ours] = await Promise.all(
        ['buildah', program].map(async (name) => {
          const registry = await RegistryServer.start();
          registries.push(registry);
          const tool = new CommandLineTool(name, registry.host, staticBusybox()!);
          tools.push(tool);
          const found: (Outcome | undefined)[] = [];
          for (const line of lines) {
            found.push(line.kind === 'only' && name === 'buildah' ? undefined : await tool.run(line));
          }
          return found;
        }),
      );
      lines.forEach((_, i) => {
        outcomes.push({ theirs: theirs![i], ours: ours![i]! });
      });
    });
    after(async () => {
      for (const registry of registries) await registry[Symbol.asyncDispose]();
      for (const tool of tools) tool[Symbol.dispose]();
    });

    lines.forEach((line, i) => {
      it(line.text, () => {
        const { theirs, ours } = outcomes[i]!;
        if (theirs === undefined) {
          assert.equal(ours.code, 0, ours.stderr);
          if (line.prints.length > 0) assert.deepEqual(ours.stdout.trimEnd().split('\n'), line.prints);
          return;
        }
        const known = knownAspects(file, line);
        for (const aspect of ['code', 'stdout', 'stderr'] as const) {
          const told: string = `${aspect} of Slipway (actual) and Buildah (expected); stderr:\n${ours.stderr}${theirs.stderr}`;
          if (!known.some((one) => one.aspect === aspect)) assert.equal(ours[aspect], theirs[aspect], told);
        }
        // A line may stand in a script twice and differ once.
        const isAlone = lines.filter(({ text }) => text === line.text).length === 1;
        for (const { aspect } of known.filter(({ isSteady }) => isAlone && isSteady)) {
          assert.notEqual(ours[aspect], theirs[aspect], `${aspect} no longer differs`);
        }
      });
    });
  });
}

describe('differences to Buildah on the command line', () => {
  it('are of lines that exist', () => {
    for (const [file, differing] of Object.entries(KNOWN)) {
      const texts = readCommandLines(join(corpus, `${file}.txt`)).map(({ text }) => text);
      for (const text of Object.keys(differing)) assert.ok(texts.includes(text), `${file}: ${text}`);
    }
  });
  it('have a word each that docs/compatibility.md explains', () => {
    const page = readFileSync(join(checkout, 'docs/compatibility.md'), 'utf8');
    const words = new Set(Object.values(KNOWN).flatMap((lines) => Object.values(lines).map((d) => d.split(':')[0]!)));
    for (const word of words) assert.ok(page.includes(`| \`${word}\``), `no row for ${word}`);
  });
});
