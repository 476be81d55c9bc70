import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { commandHelp, programHelp } from '../../../src/cli/help.ts';
import { displayWidth } from '../../../src/cli/output/text-width.ts';
import { COMMANDS } from '../../../src/cli/program.ts';
import { IMAGE_SPEC, RUNTIME_SPEC, releaseVersion } from '../../../src/cli/release.ts';
import { IMAGE_SPEC_VERSION, RUNTIME_SPEC_VERSION, VERSION } from '../../../src/spec/version.ts';
import { slipway } from './fake-program.ts';

describe('the table of commands', () => {
  it('gives every name, alias, flag and letter one meaning', () => {
    const names = COMMANDS.flatMap((command) => [command.name, ...command.aliases]);
    assert.equal(new Set(names).size, names.length);
    for (const command of COMMANDS) {
      const flags = command.options.flatMap((option) => [option.name, ...option.aliases]);
      assert.deepEqual(
        flags.filter((flag, i) => flags.indexOf(flag) !== i),
        [],
        command.name,
      );
      const letters = command.options.flatMap((option) => option.short ?? []);
      assert.equal(new Set(letters).size, letters.length, command.name);
      // -h is help everywhere.
      assert.ok(!letters.includes('h'), command.name);
    }
  });
  it('has a body for every command', async () => {
    for (const command of COMMANDS) assert.equal(typeof (await command.load()), 'function', command.name);
  });
  it('has three examples at most, and one at least', () => {
    for (const { name, examples, hidden } of COMMANDS)
      assert.ok(hidden || (examples.length > 0 && examples.length <= 3), name);
  });
  for (const command of COMMANDS) {
    it(`help of ${command.name} fits 80 columns`, () => {
      for (const line of commandHelp(command).split('\n')) assert.ok(displayWidth(line) <= 80, line);
    });
  }
  it('help of the program fits 80 columns', () => {
    for (const line of programHelp().split('\n')) assert.ok(displayWidth(line) <= 80, line);
  });
});

it('help of a command looks like this', () => {
  const rmi = COMMANDS.find(({ name }) => name === 'rmi')!;
  assert.equal(
    commandHelp(rmi).split('\nGlobal flags:')[0],
    `Remove images.

Usage:
  slipway rmi [flags] IMAGE…

Examples:
  slipway rmi app:old
  slipway rmi --prune
  slipway rmi --all --force

Flags:
  -a, --all                       every image
  -f, --force                     images with several names or containers too
  -p, --prune                     every dangling image
`,
  );
});

describe('what needs no engine', () => {
  const LINES = [
    ['--version'],
    ['-v'],
    ['--help'],
    [],
    ['help'],
    ['help', 'build'],
    ['build', '--help'],
    ['version'],
    ['completion', 'bash'],
    ['__complete', '--', 'im'],
    ['rmi', '-h'],
  ];
  for (const line of LINES) {
    it(`\`slipway ${line.join(' ')}\` loads none`, async () => {
      const { code, stdout, stderr, loadedLibrary } = await slipway(line);
      assert.deepEqual([code, stderr, loadedLibrary], [0, '', false]);
      assert.notEqual(stdout, '');
    });
  }
  it('no file imports values of the library', () => {
    const root = fileURLToPath(new URL('../../../src/cli', import.meta.url));
    for (const name of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
      // Compiled code holds value imports only: types are gone.
      if (!name.endsWith('.js') || name === 'main.js') continue;
      assert.doesNotMatch(readFileSync(join(root, name), 'utf8'), /index\.js['"]/, name);
    }
  });
  it('versions agree with the library', () => {
    assert.deepEqual([releaseVersion(), IMAGE_SPEC, RUNTIME_SPEC], [VERSION, IMAGE_SPEC_VERSION, RUNTIME_SPEC_VERSION]);
  });
});

describe('mistakes', () => {
  const TABLE: readonly [string[], string][] = [
    [['imgaes'], 'Error: unknown command "imgaes" for "slipway"\nhelp: did you mean `slipway images`?\n'],
    [['xyzzy'], 'Error: unknown command "xyzzy" for "slipway"\n'],
    [['images', '--formt', 'x'], 'Error: unknown flag: --formt\nhelp: did you mean `--format`?\n'],
    [['rmi', '-force', 'x'], "Error: unknown shorthand flag: 'o' in -force\nhelp: did you mean `--force`?\n"],
    [
      ['mkcw', 'x', 'y'],
      'Error: the command "mkcw" is not supported: images for confidential virtual machines are not made\n',
    ],
    [
      ['manifest', 'crate', 'x'],
      'Error: unknown command "crate" for "slipway manifest"\nhelp: did you mean `slipway manifest create`?\n',
    ],
    [['--nosuch'], 'Error: unknown flag: --nosuch\n'],
    [['images', '--log-level', 'wran'], 'Error: unable to parse log level "wran"\nhelp: did you mean `warn`?\n'],
    [['images', '--storage-driver', 'btrfs'], 'Error: storage driver "btrfs" is not supported: overlay and vfs are\n'],
    [['completion', 'powershell'], 'Error: no completion for "powershell": bash, zsh and fish are known\n'],
  ];
  for (const [line, expected] of TABLE) {
    it(`\`slipway ${line.join(' ')}\``, async () => {
      const { code, stdout, stderr } = await slipway(line);
      assert.deepEqual([code, stdout, stderr], [125, '', expected]);
    });
  }
});

it('global flags reach the store from before and after the command', async () => {
  const verbs = { images: () => [] };
  const one = await slipway(['--root', '/r', 'images', '--runroot=/s', '--registries-conf', 'f'], {
    verbs,
    env: { STORAGE_DRIVER: 'vfs' },
  });
  const { emit, signal, env, ...opened } = one.opened!;
  assert.deepEqual(opened, { cwd: '/', root: '/r', runroot: '/s', driver: 'vfs', registriesConf: 'f' });
  assert.deepEqual([typeof emit, signal instanceof AbortSignal, env], ['function', true, { STORAGE_DRIVER: 'vfs' }]);
});

it('an aborted command says nothing more', async () => {
  const controller = new AbortController();
  const { code, stderr } = await slipway(['images'], {
    signal: controller.signal,
    verbs: {
      images: () => {
        controller.abort();
        throw new Error('stopped');
      },
    },
  });
  assert.deepEqual([code, stderr], [125, '']);
});

describe('completion', () => {
  const verbs = {
    images: () => [{ names: ['localhost/app:1', 'docker.io/library/alpine:latest'] }],
    containers: () => [{ name: 'work', imageName: 'scratch' }],
  };
  const dir = mkdtempSync(join(tmpdir(), 'slipway-complete-'));
  after(() => rmSync(dir, { recursive: true }));
  writeFileSync(join(dir, 'Dockerfile'), 'FROM --platform=linux/amd64 alpine AS Deps\nFROM deps as app\n');
  const TABLE: readonly [string[], string][] = [
    [['im'], 'images\tList images\nimage\tCopy, show and delete images where they are\n'],
    [
      ['build', '--lay'],
      '--layers\tcommit each step and reuse earlier ones\n--layer-label\tlabel of those images alone\n',
    ],
    [['build', '--progress', 'p'], 'plain\n'],
    [['build', '--progress=p'], '--progress=plain\n'],
    [['build', '--pull', ''], ':directories\n'],
    [['build', '-f', ''], ':files\n'],
    [['build', '-qf', ''], ':files\n'],
    [['build', '-f', join(dir, 'Dockerfile'), '--target', ''], 'deps\talpine\napp\tdeps\n'],
    [['run', 'w'], 'work\tscratch\n'],
    [['run', 'work', ''], ':files\n'],
    [['rm', 'work', ''], 'work\tscratch\n'],
    [['push', 'ap'], 'app:1\n'],
    [['from', 'sc'], 'scratch\tan empty container\n'],
    [['--root', '/r', 'rmi', 'docker'], 'docker.io/library/alpine:latest\n'],
    [['--storage-driver', ''], 'overlay\nvfs\n'],
    [['completion', 'z'], 'zsh\n'],
    [['nosuch', ''], ''],
    [['images', '--nosuch', ''], ''],
  ];
  for (const [words, expected] of TABLE) {
    it(`of \`${words.join(' ')}\``, async () => {
      const { code, stdout, stderr, opened } = await slipway(['__complete', '--', ...words], { verbs });
      assert.deepEqual([code, stdout, stderr], [0, expected, '']);
      if (words[0] === '--root') assert.equal(opened?.root, '/r');
    });
  }
  for (const shell of ['bash', 'zsh', 'fish']) {
    it(`the ${shell} script is well-formed`, async (t) => {
      const { stdout } = await slipway(['completion', shell]);
      const folder = mkdtempSync(join(tmpdir(), 'slipway-completion-'));
      t.after(() => rmSync(folder, { recursive: true }));
      writeFileSync(join(folder, 'script'), stdout);
      const check = spawnSync(shell, ['-n', join(folder, 'script')], { encoding: 'utf8' });
      if (check.error !== undefined) return t.skip(`${shell} is not installed`);
      assert.deepEqual([check.status, check.stderr], [0, '']);
    });
  }
});

describe('the process', () => {
  const main = fileURLToPath(new URL('../../../src/cli/main.js', import.meta.url));
  const run = (command: string) =>
    spawnSync('bash', ['-c', command, 'bash', process.execPath, main], { encoding: 'utf8' });
  it('ends quietly when nobody reads', () => {
    const { stdout, stderr } = run(
      'for i in 1 2 3; do "$1" "$2" completion bash; done | true; echo "${PIPESTATUS[*]}"; "$1" "$2" --help | head -1',
    );
    assert.equal(stderr, '');
    assert.match(stdout, /Builds OCI images/);
  });
  it('answers 125 and writes to stderr for mistakes', () => {
    const { status, stdout, stderr } = run('"$1" "$2" images --nosuch');
    assert.deepEqual([status, stdout, stderr], [125, '', 'Error: unknown flag: --nosuch\n']);
  });
  it('writes long answers whole before it ends', () => {
    const { stdout } = run('"$1" "$2" build --help | (sleep 0.2; cat)');
    assert.ok(stdout.endsWith(`${commandHelp(COMMANDS[0]!).trimEnd().split('\n').at(-1)}\n`));
  });
});
