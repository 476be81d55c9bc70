/**
 * The command line against the table of Buildah's in `test/corpus/buildah-flags.json`: every command and flag is known
 * with the same letter and kind of value, or refused by its own name with a reason.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { GLOBAL_FLAGS } from '../../../src/cli/flags/global-flags.ts';
import type { Option } from '../../../src/cli/option.ts';
import { COMMANDS, findCommand, REFUSED_COMMANDS } from '../../../src/cli/program.ts';

interface Row {
  readonly aliases?: readonly string[];
  readonly hidden?: boolean;
  /** `-f,--file csv P0`, perhaps with ` hidden` */
  readonly flags: readonly string[];
}

const TABLE = JSON.parse(readFileSync('test/corpus/buildah-flags.json', 'utf8')) as Record<string, Row>;
const GLOBAL = '(global)';

/** Flags whose kind differs on purpose, by `command --flag`. */
const OTHER_KIND: Readonly<Record<string, string>> = {
  // Takes whole seconds only, which is all that Buildah accepts as well.
  'add --timestamp': 'int',
  'copy --timestamp': 'int',
  'build --source-date-epoch': 'int',
  'commit --source-date-epoch': 'int',
  // May be repeated here.
  'build --cdi-config-dir': 'strs',
  'from --cdi-config-dir': 'strs',
  'run --cdi-config-dir': 'strs',
};

interface Flag {
  readonly name: string;
  readonly short: string | undefined;
  readonly type: string;
}

function parseRow(text: string): Flag {
  const match = /^(?:-(\w),)?--([a-z0-9-]+) (str|strs|csv|bool|int|ints) P[012]( hidden)?$/.exec(text);
  assert.ok(match, text);
  return { short: match[1], name: match[2]!, type: match[3]! };
}

function optionsOf(command: string): readonly Option[] | undefined {
  if (command === GLOBAL) return GLOBAL_FLAGS;
  const found = findCommand(command.split(' '));
  return found?.command.name === command ? found.command.options : undefined;
}

/** What is wrong with a flag; undefined when nothing is. */
function complaint(command: string, flag: Flag, options: readonly Option[]): string | undefined {
  const known = options.find(({ name, aliases }) => name === flag.name || aliases.includes(flag.name));
  if (known === undefined) return 'missing';
  if (known.unsupported === true) return known.why === undefined ? 'refused without a reason' : undefined;
  if (known.short !== flag.short) return `its letter is ${known.short}, not ${flag.short}`;
  const type = OTHER_KIND[`${command} --${flag.name}`] ?? flag.type;
  return known.type === type ? undefined : `takes ${known.type}, not ${type}`;
}

describe("Buildah's command line", () => {
  it('the table is whole', () => {
    const flags = Object.values(TABLE).flatMap((row) => row.flags.map(parseRow));
    assert.equal(flags.length, 514);
    assert.equal(new Set(flags.map((flag) => flag.name)).size, 233);
  });

  for (const [command, { aliases = [], flags }] of Object.entries(TABLE)) {
    it(`${command} and its flags are known, or refused with a reason`, () => {
      if (REFUSED_COMMANDS.has(command.split(' ')[0]!)) return;
      const options = optionsOf(command);
      assert.ok(options, `the command ${command} is missing`);
      for (const alias of aliases) assert.equal(findCommand([alias])?.command.name, command);
      const found = flags.map(parseRow).map((flag) => [`--${flag.name}`, complaint(command, flag, options)]);
      assert.deepEqual(
        found.filter(([, what]) => what !== undefined),
        [],
      );
    });
  }

  it('whatever is refused has a reason', () => {
    const bare = [...COMMANDS.flatMap(({ options }) => options), ...GLOBAL_FLAGS].filter(
      ({ unsupported, why }) => unsupported === true && (why ?? '') === '',
    );
    assert.deepEqual(bare, []);
    for (const [command, why] of REFUSED_COMMANDS) assert.ok(why.length > 10, command);
  });
});
