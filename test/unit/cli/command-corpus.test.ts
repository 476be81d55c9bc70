/** Every command and flag of Buildah's that counts (P0, P1) stands in a script of `test/corpus/cli/`. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { COMMANDS, REFUSED_COMMANDS } from '../../../src/cli/program.ts';
import { readCommandLines } from '../../support/command-lines.ts';

interface Row {
  readonly aliases?: readonly string[];
  readonly flags: readonly string[];
}

const TABLE = JSON.parse(readFileSync('test/corpus/buildah-flags.json', 'utf8')) as Record<string, Row>;
const FOLDER = 'test/corpus/cli';

/** Proved elsewhere, and where. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  '(global) --root': 'given to every line',
  '(global) --runroot': 'given to every line',
  '(global) --storage-driver': 'given to every line',
  '(global) --imagestore': 'test/integration/stores.test.ts; the Buildah of the corpus does not know it',
  'build --all-platforms': 'it needs an index in a registry: all-platforms.test.ts',
  'build --compat-volumes': "Debian's Buildah does nothing else and does not know the flag: build-volumes.test.ts",
  'add --link': 'refused by name',
  'copy --link': 'refused by name',
  'copy --checksum': 'it copies nothing that has to be fetched',
};

const lines = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.txt'))
  .flatMap((name) => readCommandLines(join(FOLDER, name)))
  .map(({ words }) => words.replaceAll('$S ', ''));

/** The lines of a command, under all of its names. */
function linesOf(command: string): readonly string[] {
  const names = [command, ...(TABLE[command]?.aliases ?? [])];
  return command === '(global)'
    ? lines
    : lines.filter((line) => names.some((name) => `${line} `.startsWith(`${name} `)));
}

function stands(flag: string, among: readonly string[]): boolean {
  const [, letter, name] = /^(?:-(\w),)?--([a-z0-9-]+) /.exec(flag)!;
  const pattern = letter === undefined ? `--${name}\\b` : `--${name}\\b|(?:^| )-\\w*${letter}`;
  return among.some((line) => new RegExp(pattern).test(line));
}

describe('the scripts of command lines', () => {
  for (const [command, { flags }] of Object.entries(TABLE)) {
    if (REFUSED_COMMANDS.has(command.split(' ')[0]!)) continue;
    it(`try every flag of ${command}`, () => {
      const missing = flags
        .filter((flag) => !flag.includes(' P2') && !stands(flag, linesOf(command)))
        .map((flag) => /--([a-z0-9-]+)/.exec(flag)![1]!)
        .filter((flag) => ELSEWHERE[`${command} --${flag}`] === undefined);
      assert.deepEqual(missing, []);
    });
  }
  it('try every command', () => {
    const isAside = (flags: readonly string[]) => flags.length > 0 && flags.every((flag) => flag.includes(' P2'));
    const known = Object.keys(TABLE).filter((name) => name !== '(global)' && !isAside(TABLE[name]!.flags));
    const untried = COMMANDS.filter(({ name }) => known.includes(name) && linesOf(name).length === 0);
    assert.deepEqual(
      untried.map(({ name }) => name),
      [],
    );
  });
});
