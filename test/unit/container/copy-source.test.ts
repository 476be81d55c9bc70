import assert from 'node:assert/strict';
import { chmodSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { digestSources } from '../../../src/container/content-digest.ts';
import { type ResolveOptions, resolveSources } from '../../../src/container/copy-source.ts';
import { BuilderError } from '../../../src/report/builder-error.ts';
import { RootDirectory } from '../../../src/sys/root-directory.ts';
import { type Description, Fixture, isRoot } from './copy-fixture.ts';

interface Row {
  readonly name: string;
  readonly context: Description;
  readonly sources: string | readonly string[];
  readonly o?: Partial<ResolveOptions>;
  /** Names in the destination `/t/`, or what the message says. */
  readonly after: readonly string[] | RegExp;
}

const ignore = (...patterns: string[]): Partial<ResolveOptions> => ({ ignore: { name: '.dockerignore', patterns } });
const PARENTS = { parents: true, allowEmptyWildcard: true };

const ROWS: readonly Row[] = [
  {
    name: 'a star stops at a slash',
    context: { 'a.txt': '', 'b.md': '', 'd/c.txt': '' },
    sources: '*.txt',
    after: ['a.txt'],
  },
  {
    name: 'wildcards in directories',
    context: { 'p1/x.js': '1', 'p2/x.js': '2', 'p2/y.js': '' },
    sources: 'p?/y*',
    after: ['y.js'],
  },
  { name: 'sets and their negation', context: { a1: '', b1: '', c1: '' }, sources: '[^b-z]1', after: ['a1'] },
  {
    name: 'a literal bracket is written as a set',
    context: { 'arr[0].txt': '', 'arr0.txt': '' },
    sources: 'arr[[]0].txt',
    after: ['arr[0].txt'],
  },
  {
    name: 'a backslash takes the meaning of a star away',
    context: { 'a*b': '', axb: '' },
    sources: 'a\\*b',
    after: ['a*b'],
  },
  {
    name: 'a literal source has no wildcards',
    context: { 'a*b': '', axb: '' },
    sources: 'a*b',
    o: { allowWildcard: false },
    after: ['a*b'],
  },
  {
    name: 'a matched directory brings its contents',
    context: { 'd1/a': '', 'd2/b': '' },
    sources: 'd*',
    after: ['a', 'b'],
  },
  {
    name: 'a pattern without a match is an error',
    context: { a: '' },
    sources: '*.go',
    after: /cannot copy "\*\.go": nothing in the build context matches/,
  },
  {
    name: 'a pattern without a match may be allowed',
    context: { a: '' },
    sources: ['*.go', 'a'],
    o: { allowEmptyWildcard: true },
    after: ['a'],
  },
  { name: 'a malformed pattern is an error', context: { a: '' }, sources: '[', after: /malformed/ },
  {
    name: 'a missing name is an error with the nearest one',
    context: { 'src/main.go': '' },
    sources: 'src/mian.go',
    o: { allowEmptyWildcard: true },
    after:
      /cannot copy "src\/mian\.go": it does not exist in the build context \("src" does\).*did you mean "src\/main\.go"\?/,
  },
  {
    name: 'a missing directory is an error with the whole path that was meant',
    context: { 'src/app/main.go': '' },
    sources: 'srcc/app/main.go',
    after: /did you mean "src\/app\/main\.go"\?/,
  },
  {
    name: 'a path that is no better further down is suggested as far as it exists',
    context: { 'src/main.go': '' },
    sources: 'srcc/other.go',
    after: /did you mean "src"\?/,
  },
  { name: 'a source that is a link is followed', context: { f: 'F', l: '-> f' }, sources: 'l', after: ['l'] },
  { name: 'a link to a directory brings its contents', context: { 'd/f': 'F', l: '-> d' }, sources: 'l', after: ['f'] },
  {
    name: 'a source behind links is found',
    context: { 'd/f': 'F', l: '-> /d', m: '-> l' },
    sources: 'm/f',
    after: ['f'],
  },
  {
    name: 'a link may be copied as a link',
    context: { l: '-> /x' },
    sources: 'l',
    o: { followLinks: false },
    after: ['l -> /x'],
  },
  {
    name: 'a dangling link is missing',
    context: { l: '-> gone' },
    sources: '*',
    o: { allowEmptyWildcard: true },
    after: /cannot copy "\*"/,
  },
  {
    name: 'links inside a copied directory stay links',
    context: { 'd/l': '-> ../f', f: '' },
    sources: 'd',
    after: ['l -> ../f'],
  },

  {
    name: 'ignored files are left out',
    context: { a: '', 'b.log': '', 'd/c.log': '', 'd/e': '' },
    sources: '.',
    o: ignore('**/*.log'),
    after: ['a', 'd', 'd/e'],
  },
  {
    name: 'B61 an ignored file cannot be named',
    context: { '.env': 'secret' },
    sources: '.env',
    o: ignore('.env'),
    after: /\.dockerignore:\d+ hides it \(rule "\.env"\)/,
  },
  {
    name: 'nor matched',
    context: { '.env': 'secret' },
    sources: '.e*',
    o: ignore('.env'),
    after: /nothing in the build context matches/,
  },
  {
    name: 'nor reached through a link',
    context: { '.env': 'secret', l: '-> .env' },
    sources: 'l',
    o: ignore('.env'),
    after: /cannot copy "l"/,
  },
  {
    name: 'nor through a link to its directory',
    context: { 's/key': 'secret', 's/pub': '', l: '-> s' },
    sources: 'l',
    o: ignore('s/key'),
    after: ['pub'],
  },
  {
    name: 'an ignored directory is missing',
    context: { 'd/f': '' },
    sources: 'd',
    o: ignore('d'),
    after: /:\d+ hides it \(rule "d"\)/,
  },
  {
    name: 'B61 a file of an ignored directory is missing',
    context: { 'd/f': '' },
    sources: 'd/f',
    o: ignore('x', 'd'),
    after: /:\d+ hides it \(rule "d"\)/,
  },
  {
    name: 'an exception brings a file of an ignored directory back',
    context: { 'd/f': '', 'd/g/h': '', 'd/g/i': '' },
    sources: '.',
    o: ignore('d', '!d/g/h'),
    after: ['d', 'd/g', 'd/g/h'],
  },
  {
    name: 'an exception below a star',
    context: { 'keep/a': '', b: '', 'c/keep/d': '' },
    sources: '.',
    o: ignore('*', '!keep/**'),
    after: ['keep', 'keep/a'],
  },
  {
    name: 'directories that end up empty by rules are left out, empty ones kept',
    context: { 'd/f': '', 'e/': {} },
    sources: '.',
    o: ignore('d', '!d/nothing'),
    after: ['e'],
  },
  {
    name: 'the last rule that matches decides',
    context: { a: '', b: '' },
    sources: '.',
    o: ignore('*', '!a', '!b', 'b'),
    after: ['a'],
  },
  { name: 'the root cannot be ignored', context: { a: '' }, sources: '.', o: ignore('.'), after: ['a'] },
  { name: 'rules are case-sensitive', context: { A: '', b: '' }, sources: '.', o: ignore('a', '/b/'), after: ['A'] },

  {
    name: 'exclude is relative to the copied directory',
    context: { 'd/a.txt': '', 'd/s/a.txt': '', 'd/b': '' },
    sources: 'd',
    o: { exclude: ['a.txt'] },
    after: ['b', 's', 's/a.txt'],
  },
  {
    name: 'exclude at any depth, with an exception',
    context: { 'd/a.txt': '', 'd/s/a.txt': '', 'd/s/b.txt': '' },
    sources: 'd',
    o: { exclude: ['**/*.txt', '!s/b.txt'] },
    after: ['s', 's/b.txt'],
  },
  {
    name: 'exclude matches files by name',
    context: { 'home.txt': '', 'home.md': '' },
    sources: 'home*',
    o: { exclude: ['*.txt'] },
    after: ['home.md'],
  },

  {
    name: 'parents keep the path',
    context: { 'x/a.txt': '', 'y/a.txt': '', 'y/b': '' },
    sources: ['./x/a.txt', './y/a.txt'],
    o: PARENTS,
    after: ['x', 'x/a.txt', 'y', 'y/a.txt'],
  },
  {
    name: 'parents from a pivot',
    context: { 'x/y/z/a': '', 'x/y/b': '' },
    sources: 'x/./y/z/a',
    o: PARENTS,
    after: ['y', 'y/z', 'y/z/a'],
  },
  {
    name: 'parents with any depth',
    context: { 'p/package.json': '', 'p/q/r/package.json': '', 'p/q/x': '', 'e/': {} },
    sources: './p/**/package.json',
    o: PARENTS,
    after: ['p', 'p/package.json', 'p/q', 'p/q/r', 'p/q/r/package.json'],
  },
  {
    name: 'parents with a directory bring all of it',
    context: { 'p/q/r': '', 'p/s': '' },
    sources: 'p/q',
    o: PARENTS,
    after: ['p', 'p/q', 'p/q/r'],
  },
  {
    name: 'parents with a literal that is missing',
    context: { 'p/q': '' },
    sources: 'p/r',
    o: PARENTS,
    after: /cannot copy "p\/r"/,
  },
  {
    name: 'parents with a pattern that matches nothing',
    context: { 'p/q': '' },
    sources: 'p/*.r',
    o: PARENTS,
    after: [],
  },
  {
    name: 'parents with exclude, relative to the pivot',
    context: { 'x/y/a': '', 'x/y/b': '' },
    sources: './x',
    o: { ...PARENTS, exclude: ['x/y/b'] },
    after: ['x', 'x/y', 'x/y/a'],
  },
];

for (const row of ROWS) {
  test(row.name, async (t) => {
    const fixture = new Fixture(t, row.context);
    const copy = fixture.copy(row.sources, '/t/', { resolve: row.o ?? {} });
    if (row.after instanceof RegExp) {
      const error = await copy.then(
        () => assert.fail('it was copied'),
        (reason: unknown) => reason as BuilderError,
      );
      assert.ok(error instanceof BuilderError, String(error));
      assert.match(`${error.message} ${error.hint ?? ''}`, row.after);
      return;
    }
    await copy;
    const names = fixture
      .tree()
      .flatMap((line) => (line === 't 755 dir' ? [] : [line.slice(2).replace(/ \d+ .*/, '')]));
    assert.deepEqual(names, row.after);
  });
}

test('B60 a link out of the context stays inside it', async (t) => {
  const fixture = new Fixture(t, { 'canary/f': 'inside' });
  symlinkSync('../../canary', join(fixture.context, 'up'));
  symlinkSync('/canary', join(fixture.context, 'abs'));
  symlinkSync(fixture.canary, join(fixture.context, 'host'));
  await fixture.copy('up/f', '/a');
  await fixture.copy('abs/f', '/b');
  assert.equal(readFileSync(join(fixture.rootfs, 'a'), 'utf8'), 'inside');
  assert.equal(readFileSync(join(fixture.rootfs, 'b'), 'utf8'), 'inside');
  await assert.rejects(fixture.copy('host/f', '/c'), { code: 'copy.source-missing' });
});

test('--parents keeps modes and times of the directories between', async (t) => {
  const fixture = new Fixture(t, { 'x/y/': { mode: 0o710, mtime: 50 }, 'x/y/f': '', 'x/': { mode: 0o700, mtime: 40 } });
  const { setTime } = await import('./copy-fixture.ts');
  setTime(join(fixture.context, 'x/y'), 50);
  setTime(join(fixture.context, 'x'), 40);
  await fixture.copy('x/y/f', '/', { resolve: PARENTS });
  assert.deepEqual(fixture.tree({ times: true }).slice(0, 2), ['x 700 dir @40.0', 'x/y 710 dir @50.0']);
});

test('an unreadable source names the file', async (t) => {
  const fixture = new Fixture(t, { 'd/f': { text: '', mode: 0 } });
  chmodSync(dirname(fixture.context), 0o755);
  // Root reads everything, so it has to be somebody else for a moment.
  if (isRoot) process.seteuid?.(NOBODY);
  try {
    await assert.rejects(digestOf(fixture), /cannot read "f" \(EACCES\)/);
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
});

const NOBODY = 65534;

async function digestOf(fixture: Fixture): Promise<void> {
  using root = new RootDirectory(fixture.context);
  await digestSources(await resolveSources({ root, patterns: ['d'] }));
}

test('the facts of an error name path, nearest directory and rule', async (t) => {
  const fixture = new Fixture(t, { 'a/b/c': '' });
  using root = new RootDirectory(fixture.context);
  await assert.rejects(resolveSources({ root, patterns: ['a/b/x/y'] }), (error: BuilderError) => {
    assert.deepEqual(error.facts, { path: 'a/b/x/y', nearest: 'a/b' });
    return true;
  });
  await assert.rejects(
    resolveSources({ root, patterns: ['a/b/c'], ignore: { name: '.ci', patterns: ['!z', 'a/*', '!a/b/d'] } }),
    (error: BuilderError) => {
      assert.equal(error.facts['rule'], 'a/*');
      assert.equal(error.hint, 'add "!a/b/c" below that rule');
      return true;
    },
  );
});
