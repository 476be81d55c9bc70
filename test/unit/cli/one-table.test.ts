/** Help, manual pages and completion all come from the one table of commands: each tells of every flag, and of no other. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { GLOBAL_FLAGS } from '../../../src/cli/flags/global-flags.ts';
import { commandHelp, programHelp } from '../../../src/cli/help.ts';
import { manPages } from '../../../src/cli/man-page.ts';
import { COMMANDS, GROUPS } from '../../../src/cli/program.ts';
import { firstReason, missingPrograms } from '../../support/command.ts';
import { slipway } from './fake-program.ts';

const SHOWN = COMMANDS.filter(({ hidden }) => !hidden);
const pages = new Map(manPages('1.2.3').map(({ file, text }) => [file, text]));
const table = JSON.parse(readFileSync('test/corpus/buildah-flags.json', 'utf8')) as Record<string, { flags: string[] }>;

const pageOf = (name: string): string => pages.get(`slipway-${name.replaceAll(' ', '-')}.1`) ?? '';
/** Flags that a page or a help text gives a line of its own. */
const inHelp = (text: string): string[] => [...text.matchAll(/^ {2}(?:-\w, | {4})--([a-z0-9-]+)/gm)].map((m) => m[1]!);
const inPage = (text: string): string[] =>
  [...text.replaceAll('\\-', '-').matchAll(/^(?:\\fB-\w\\fR, )?\\fB--([a-z0-9-]+)\\fR/gm)].map((m) => m[1]!);

const ESCAPES: Readonly<Record<string, string>> = {
  '\\-': '-',
  '\\(aq': "'",
  '\\(dq': '"',
  '\\(ti': '~',
  '\\(ha': '^',
  '\\(ga': '`',
  '\\e': '\\',
};
const unescaped = (text: string): string =>
  text.replace(/\\\[u([\dA-F]+)\]|\\\(\w\w|\\[-e]/g, (whole, code) =>
    code === undefined ? ESCAPES[whole]! : String.fromCodePoint(Number.parseInt(code, 16)),
  );

describe('the table of commands', () => {
  for (const command of SHOWN) {
    const own = command.options.filter(({ hidden }) => !hidden).map(({ name }) => name);
    const globals = GLOBAL_FLAGS.filter(({ hidden, name }) => !hidden && !own.includes(name)).map(({ name }) => name);

    it(`${command.name}: help tells of its flags`, () => {
      assert.deepEqual(inHelp(commandHelp(command)), [...own, ...globals]);
    });
    it(`${command.name}: the manual page tells of its flags, and gives the examples`, () => {
      assert.deepEqual(inPage(pageOf(command.name)), [...own, ...globals]);
      const text = unescaped(pageOf(command.name));
      for (const example of command.examples) assert.ok(text.includes(`slipway ${example}`), example);
    });
    it(`${command.name}: completion offers its flags`, async () => {
      const { stdout } = await slipway(['__complete', '--', ...command.name.split(' '), '--']);
      const offered = stdout.split('\n').flatMap((line) => /^--([a-z0-9-]+)/.exec(line)?.[1] ?? []);
      assert.deepEqual(offered.sort(), [...own, ...globals].sort());
    });
    it(`${command.name}: help knows the flags of Buildah's that count and have an effect`, () => {
      const counts = (table[command.name]?.flags ?? []).filter((flag) => / P[01]$/.test(flag));
      const names = counts.map((flag) => /--([a-z0-9-]+)/.exec(flag)![1]!);
      // Refused, or accepted for compatibility and without effect.
      const refused = command.options.filter(({ hidden }) => hidden).map(({ name }) => name);
      const told = inHelp(commandHelp(command));
      assert.deepEqual(
        names.filter((name) => !told.includes(name) && !refused.includes(name)),
        [],
      );
    });
  }

  it('the page of the program names every other', () => {
    const text = (pages.get('slipway.1') ?? '').replaceAll('\\-', '-');
    for (const command of SHOWN.filter(({ name }) => !name.includes(' '))) {
      assert.ok(text.includes(`slipway-${command.name}(1)`), command.name);
      assert.ok(programHelp().includes(`  ${command.name} `), command.name);
    }
    for (const group of GROUPS.keys()) assert.ok(text.includes(`slipway-${group}(1)`), group);
  });

  it('groff renders every page without a warning', { skip: firstReason(missingPrograms('groff')) }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'slipway-man-'));
    try {
      const files = [...pages].map(([file, text]) => {
        writeFileSync(join(folder, file), text);
        return join(folder, file);
      });
      const { stdout, stderr, status } = spawnSync('groff', ['-man', '-Tutf8', '-ww', '-P-cbou', ...files], {
        encoding: 'utf8',
        maxBuffer: 1 << 24,
      });
      assert.deepEqual([status, stderr], [0, '']);
      assert.match(stdout, /slipway build \[flags\] \[CONTEXT\]/);
      assert.match(stdout, /-t, --tag NAME/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
