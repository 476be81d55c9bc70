import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GLOBAL_FLAGS } from '../../../src/cli/flags/global-flags.ts';
import type { Flags } from '../../../src/cli/flags.ts';
import { parseCommand, splitCsv } from '../../../src/cli/parse-command.ts';
import { findCommand } from '../../../src/cli/program.ts';
import { UsageError } from '../../../src/cli/usage-error.ts';

async function parse(line: readonly string[], env: Record<string, string> = {}) {
  return parseCommand(findCommand(line)!.command, line.slice(1), GLOBAL_FLAGS, env);
}

/** words, what to read, what it must be, positionals */
const ACCEPTED: readonly [string, readonly string[], (f: Flags) => unknown, unknown, readonly string[]][] = [
  ['a value after =', ['build', '--file=x'], (f) => f.strings('file'), ['x'], []],
  ['a value in the next word', ['build', '--file', 'x', '.'], (f) => f.strings('file'), ['x'], ['.']],
  ['a letter and its value in one word', ['build', '-fx', '.'], (f) => f.strings('file'), ['x'], ['.']],
  ['a letter, = and its value', ['build', '-f=x', '.'], (f) => f.strings('file'), ['x'], ['.']],
  [
    'grouped letters, the last with a value',
    ['build', '-qt', 'n', '.'],
    (f) => [f.on('quiet'), f.strings('tag')],
    [true, ['n']],
    ['.'],
  ],
  [
    'grouped letters with the value attached',
    ['build', '-qtn', '.'],
    (f) => [f.on('quiet'), f.strings('tag')],
    [true, ['n']],
    ['.'],
  ],
  ['csv values split', ['build', '-f', 'a,b', '-f', 'c'], (f) => f.strings('file'), ['a', 'b', 'c'], []],
  ['quoted csv fields', ['build', '-f', '"a,b",c'], (f) => f.strings('file'), ['a,b', 'c'], []],
  ['repeated values do not split', ['build', '-t', 'a,b', '-t', 'c'], (f) => f.strings('tag'), ['a,b', 'c'], []],
  ['quotes stay in values', ['config', '--cmd="sh"', 'c'], (f) => f.string('cmd'), '"sh"', ['c']],
  ['quotes stay in separate values', ['config', '--cmd', "'sh'", 'c'], (f) => f.string('cmd'), "'sh'", ['c']],
  ['a value may begin with a dash', ['config', '--cmd', '-x', 'c'], (f) => f.string('cmd'), '-x', ['c']],
  ['a value may be two dashes', ['config', '--cmd', '--', 'c'], (f) => f.string('cmd'), '--', ['c']],
  ['a value may look like a flag of ours', ['config', '--cmd', '--env', 'c'], (f) => f.string('cmd'), '--env', ['c']],
  ['an empty value', ['config', '--cmd=', 'c'], (f) => f.string('cmd'), '', ['c']],
  ['an empty value in its own word', ['config', '--cmd', '', 'c'], (f) => f.string('cmd'), '', ['c']],
  ['numbers stay text', ['config', '--user', '007', 'c'], (f) => f.string('user'), '007', ['c']],
  [
    'dots and prototypes are ordinary',
    ['config', '-l', '__proto__.x=1', 'c'],
    (f) => f.strings('label'),
    ['__proto__.x=1'],
    ['c'],
  ],
  ['a single dash is a value', ['config', '--env', '-', 'c'], (f) => f.strings('env'), ['-'], ['c']],
  ['a single dash is a word', ['build', '-'], (f) => f.bool('quiet'), undefined, ['-']],
  ['a bool alone', ['build', '--layers', '.'], (f) => f.bool('layers'), true, ['.']],
  ['a bool does not eat the next word', ['build', '--layers', 'false'], (f) => f.bool('layers'), true, ['false']],
  ['a bool with =false', ['build', '--layers=false', '.'], (f) => f.bool('layers'), false, ['.']],
  [
    'Go spellings of bools',
    ['build', '--layers=F', '--no-cache=T'],
    (f) => [f.bool('layers'), f.bool('no-cache')],
    [false, true],
    [],
  ],
  ['the last of two wins', ['from', '--name', 'a', '--name', 'b', 'i'], (f) => f.string('name'), 'b', ['i']],
  ['--pull alone is always', ['build', '--pull', '.'], (f) => f.string('pull'), 'always', ['.']],
  ['--pull takes a value after = only', ['build', '--pull=never', '.'], (f) => f.string('pull'), 'never', ['.']],
  ['--net is --network', ['build', '--net', 'host', '.'], (f) => f.string('network'), 'host', ['.']],
  ['--tty is --terminal', ['run', '--tty', 'c', 'x'], (f) => f.bool('terminal'), true, ['c', 'x']],
  ['--purge is --rm', ['build', '--layers', '--purge=false'], (f) => f.bool('rm'), false, []],
  ['--raw-iidfile is --iidfile-raw', ['build', '--raw-iidfile', 'f'], (f) => f.string('iidfile-raw'), 'f', []],
  ['a whole number', ['build', '--jobs', '0'], (f) => f.int('jobs'), 0, []],
  ['a negative number', ['build', '--timestamp', '-1'], (f) => f.int('timestamp'), -1, []],
  ['global flags after the command', ['images', '--root', '/r'], (f) => f.string('root'), '/r', []],
  [
    'run leaves the words after the container alone',
    ['run', '-t', 'c', 'ls', '-l', '--all'],
    (f) => f.bool('terminal'),
    true,
    ['c', 'ls', '-l', '--all'],
  ],
  [
    'run keeps the two dashes after the container',
    ['run', 'c', '--', 'ls', '-l'],
    (f) => f.bool('terminal'),
    undefined,
    ['c', '--', 'ls', '-l'],
  ],
  ['flags after words where Buildah allows them', ['login', 'r', '-u', 'me'], (f) => f.string('username'), 'me', ['r']],
  ['two dashes end the flags', ['rm', '--', '-x'], (f) => f.bool('all'), undefined, ['-x']],
  [
    'values that ask for what happens anyway',
    ['run', '--pid=private', 'c', 'x'],
    (f) => f.string('pid'),
    'private',
    ['c', 'x'],
  ],
  [
    'flags Buildah ignores',
    ['build', '--compress', '--disable-content-trust', '--loglevel', '3'],
    (f) => f.bool('quiet'),
    undefined,
    [],
  ],
];

/** words, what the message must say */
const REFUSED: readonly [readonly string[], string | RegExp][] = [
  [['images', '--nosuch'], 'unknown flag: --nosuch'],
  [['images', '-Z'], "unknown shorthand flag: 'Z' in -Z"],
  [['images', '-qZ'], "unknown shorthand flag: 'Z' in -qZ"],
  [['images', '--filter'], 'flag needs an argument: --filter'],
  [['images', '-f'], "flag needs an argument: 'f' in -f"],
  [['images', 'a', 'b'], "'slipway images' requires at most 1 argument"],
  [['images', 'a', '-q'], 'no options (-q) can be specified after the image or container name'],
  [['config', 'c', '--env', 'A=B'], 'no options (--env) can be specified after the image or container name'],
  [['build', '--layers=maybe'], /^invalid argument "maybe" for "--layers" flag/],
  [['build', '--jobs', 'x'], /^invalid argument "x" for "--jobs" flag/],
  [['build', '--jobs', '1.5'], /^invalid argument "1.5" for "--jobs" flag/],
  [['build', '.', '-t', 'x'], 'accepts at most 1 arg(s), received 3'],
  [['build', '.', '--'], 'accepts at most 1 arg(s), received 2'],
  [['from'], 'an image name (or "scratch") must be specified'],
  [['from', 'a', 'b'], 'too many arguments specified'],
  [['run'], 'container ID must be specified'],
  [['tag', 'a'], 'requires at least 2 arg(s), only received 1'],
  [['containers', 'x'], "'slipway containers' does not accept arguments"],
  [
    ['build', '--cw', 'type=sev'],
    '--cw of build is not supported: images for confidential virtual machines are not made',
  ],
  [['images', '--userns-uid-map', '0:1:2'], /^--userns-uid-map of images is not supported: /],
  [['build', '-f', '"a'], /a quote is not closed/],
];

describe('the grammar of flags', () => {
  for (const [name, line, read, expected, positionals] of ACCEPTED) {
    it(name, async () => {
      const parsed = await parse(line);
      assert.deepEqual(read(parsed.flags), expected);
      assert.deepEqual(parsed.args, positionals);
    });
  }
  for (const [line, message] of REFUSED) {
    it(`refuses \`${line.join(' ')}\``, async () => {
      await assert.rejects(parse(line), (error) => {
        assert.ok(error instanceof UsageError);
        if (typeof message === 'string') assert.equal(error.message, message);
        else assert.match(error.message, message);
        return true;
      });
    });
  }
});

describe('defaults from the environment', () => {
  it('count as values, not as given', async () => {
    const { flags } = await parse(['build'], { BUILDAH_LAYERS: 'true' });
    assert.equal(flags.bool('layers'), true);
    assert.equal(flags.given('layers'), false);
  });
  it('lose against flags', async () => {
    const { flags } = await parse(['build', '--isolation', 'chroot'], { BUILDAH_ISOLATION: 'oci' });
    assert.equal(flags.string('isolation'), 'chroot');
  });
  it('are checked like flags', async () => {
    await assert.rejects(parse(['build'], { BUILDAH_LAYERS: 'perhaps' }), /\$BUILDAH_LAYERS/);
  });
});

it('asking for a flag that no row declares is a bug', async () => {
  const { flags } = await parse(['tag', 'a', 'b']);
  assert.throws(() => flags.string('nosuch'), /declares no flag --nosuch/);
});

it('splitCsv reads a doubled quote as one', () => {
  assert.deepEqual(splitCsv('"a""b",', '--x'), ['a"b', '']);
});
