import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { resolveSources } from '../../../src/container/copy-source.ts';
import { cloneGit } from '../../../src/container/git-source.ts';
import { isGitUrl, parseGitUrl } from '../../../src/container/git-url.ts';
import { RootDirectory } from '../../../src/sys/root-directory.ts';

test('what is a git source', () => {
  const yes = [
    'git@github.com:a/b',
    'git@h:a/b.git#main:sub',
    'ssh://git@h/a',
    'git://h/a',
    'https://h/a.git',
    'http://h/a.git#v1',
    'https://h/a.git?ref=x',
  ];
  const no = [
    'https://h/a',
    'https://h/a.git/b',
    'https://h/a.tar#x.git',
    'github.com/a/b',
    'file:///a.git',
    'ext::sh -c',
    'a.git',
    '-oProxyCommand=x@h:y',
  ];
  for (const text of yes) assert.equal(isGitUrl(text), true, text);
  for (const text of no) assert.equal(isGitUrl(text), false, text);
});

test('fragment and query name the place', () => {
  const plain = {
    subdirectory: '',
    checksum: undefined,
    keepGitDirectory: undefined,
    submodules: true,
    usesCommitTime: false,
    fetchesByCommit: false,
  };
  assert.deepEqual(parseGitUrl('https://h/a.git'), { ...plain, remote: 'https://h/a.git', ref: undefined });
  assert.deepEqual(parseGitUrl('git@h:a/b#main:x/y'), {
    ...plain,
    remote: 'git@h:a/b',
    ref: 'main',
    subdirectory: 'x/y',
  });
  assert.deepEqual(parseGitUrl('https://h/a.git#:x'), {
    ...plain,
    remote: 'https://h/a.git',
    ref: undefined,
    subdirectory: 'x',
  });
  const sha = 'a'.repeat(40);
  assert.deepEqual(
    parseGitUrl(
      `https://h/a.git?tag=v1&subdir=/x&checksum=${sha}&keep-git-dir=1&submodules=false&mtime=commit&fetch-by-commit=true`,
    ),
    {
      remote: 'https://h/a.git',
      ref: 'refs/tags/v1',
      subdirectory: 'x',
      checksum: sha,
      keepGitDirectory: true,
      submodules: false,
      usesCommitTime: true,
      fetchesByCommit: true,
    },
  );
});

for (const bad of [
  'https://h/a.git?what=1',
  'https://h/a.git?ref=a&branch=b',
  'https://h/a.git?ref=a#b',
  'https://h/a.git?ref=a&ref=b',
  'https://h/a.git?submodules=maybe',
  'https://h/a.git?mtime=now',
  'https://h/a.git?checksum=xyz',
  'https://h/a.git?fetch-by-commit=1&checksum=abcdef1',
  'https://h/a.git#--upload-pack=touch',
  'https://h/a.git#a b',
  'https://h/a.git#a..b',
  'https://h/a.git#a^{x}',
  'https://h/a.git#main:../x',
  'https://h/a.git#main:a/../../x',
  'ssh://-oProxyCommand=x/a',
  'ssh://git@-oProxyCommand=x/a',
  'git://h/a b',
  'https://h/a',
]) {
  test(`B58 ${bad} is refused`, () => assert.throws(() => parseGitUrl(bad), { code: 'copy.invalid' }));
}

let top: string;
let port: number;
let daemon: ChildProcess | undefined;
let commits: { first: string; second: string };

function git(cwd: string, ...args: string[]): string {
  return execFileSync(
    'git',
    [
      '-c',
      'user.name=T',
      '-c',
      'user.email=t@t',
      '-c',
      'protocol.file.allow=always',
      '-c',
      'init.defaultBranch=main',
      ...args,
    ],
    {
      cwd,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      env: {
        PATH: process.env['PATH'],
        HOME: cwd,
        GIT_COMMITTER_DATE: '1700000000 +0000',
        GIT_AUTHOR_DATE: '1700000000 +0000',
      },
    },
  ).trim();
}

const hasGit = spawnSync('git', ['daemon', '-h']).status === 129;

before(async () => {
  if (!hasGit) return;
  top = mkdtempSync(join(tmpdir(), 'git-'));
  const repository = join(top, 'r.git');
  const library = join(top, 'lib.git');
  for (const path of [repository, library]) {
    mkdirSync(path);
    git(path, 'init', '-q');
  }
  writeFileSync(join(library, 'l'), 'library');
  git(library, 'add', '.');
  git(library, 'commit', '-qm', 'l');
  mkdirSync(join(repository, 'sub/deep'), { recursive: true });
  writeFileSync(join(repository, 'f'), 'one');
  writeFileSync(join(repository, 'sub/deep/x'), '#!/bin/sh', { mode: 0o755 });
  symlinkSync('/', join(repository, 'proj'));
  git(repository, 'add', '.');
  git(repository, 'commit', '-qm', '1');
  git(repository, 'tag', 'v1');
  const first = git(repository, 'rev-parse', 'HEAD');
  writeFileSync(join(repository, 'f'), 'two');
  git(repository, 'commit', '-qam', '2');
  commits = { first, second: git(repository, 'rev-parse', 'HEAD') };
  port = await freePort();
  git(repository, 'checkout', '-qb', 'modules');
  git(repository, 'submodule', 'add', '-q', `${library}`, 'lib');
  git(repository, 'config', '-f', '.gitmodules', 'submodule.lib.url', '../lib.git');
  git(repository, 'commit', '-qam', 'm');
  git(repository, 'checkout', '-qb', 'evil');
  git(repository, 'config', '-f', '.gitmodules', 'submodule.lib.url', `file://${library}`);
  git(repository, 'commit', '-qam', 'e');
  git(repository, 'checkout', '-q', 'main');
  daemon = spawn(
    'git',
    ['daemon', '--export-all', `--base-path=${top}`, '--listen=127.0.0.1', `--port=${port}`, '--reuseaddr', top],
    {
      stdio: 'ignore',
      detached: true,
      env: {
        PATH: process.env['PATH'],
        HOME: top,
        GIT_CONFIG_COUNT: '1',
        GIT_CONFIG_KEY_0: 'safe.directory',
        GIT_CONFIG_VALUE_0: '*',
      },
    },
  );
  await untilOpen(port);
});

after(() => {
  if (daemon?.pid !== undefined) process.kill(-daemon.pid);
  if (top !== undefined) rmSync(top, { recursive: true, force: true });
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port: free } = server.address() as { port: number };
      server.close(() => resolve(free));
    });
  });
}

async function untilOpen(number: number): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(number, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
      socket.unref();
    });
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('git daemon did not start');
}

function directoryFor(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'clone-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const url = (rest = '', name = 'r.git') => parseGitUrl(`git://127.0.0.1:${port}/${name}${rest}`);
const needsGit = hasGit ? {} : { skip: 'needs git daemon' };

test('the default branch, a branch, a tag and commits are checked out', needsGit, async (t) => {
  const cases: [string, string][] = [
    ['', 'two'],
    ['#main', 'two'],
    ['#v1', 'one'],
    ['?tag=v1', 'one'],
    ['?branch=main', 'two'],
    [`#${commits.first}`, 'one'],
    [`#${commits.first.slice(0, 9)}`, 'one'],
    [`?fetch-by-commit=1&commit=${commits.second}`, 'two'],
  ];
  for (const [rest, content] of cases) {
    const { root, commit } = await cloneGit(url(rest), { directory: directoryFor(t) });
    assert.equal(readFileSync(join(root, 'f'), 'utf8'), content, rest);
    assert.equal(commit, content === 'one' ? commits.first : commits.second, rest);
    assert.equal(existsSync(join(root, '.git')), false);
  }
});

test('modes are 0644 and 0755 whatever the umask', needsGit, async (t) => {
  const umask = process.umask(0o077);
  t.after(() => process.umask(umask));
  const { root } = await cloneGit(url(), { directory: directoryFor(t) });
  assert.equal(statSync(join(root, 'f')).mode & 0o7777, 0o644);
  assert.equal(statSync(join(root, 'sub/deep/x')).mode & 0o7777, 0o755);
  assert.equal(statSync(join(root, 'sub')).mode & 0o7777, 0o755);
});

test('the git directory is kept on demand, without the login', needsGit, async (t) => {
  const { root } = await cloneGit(
    { ...url(), remote: url().remote },
    { directory: directoryFor(t), keepGitDirectory: true },
  );
  assert.ok(lstatSync(join(root, '.git')).isDirectory());
  assert.equal(existsSync(join(root, '.git/hooks')), false);
});

test('the checksum has to be the beginning of the commit', needsGit, async (t) => {
  await cloneGit(url(`#v1`), { directory: directoryFor(t), checksum: commits.first.slice(0, 12) });
  await assert.rejects(cloneGit(url(), { directory: directoryFor(t), checksum: commits.first }), {
    code: 'blob.digest-mismatch',
  });
  await assert.rejects(cloneGit(url(`?checksum=${commits.first}`), { directory: directoryFor(t) }), {
    code: 'blob.digest-mismatch',
  });
});

test('mtime=commit gives the time of the commit', needsGit, async (t) => {
  const { timestamp } = await cloneGit(url('?mtime=commit'), { directory: directoryFor(t) });
  assert.deepEqual(timestamp, { seconds: 1_700_000_000, nanoseconds: 0 });
});

test('submodules come along, or not', needsGit, async (t) => {
  const withThem = await cloneGit(url('#modules'), { directory: directoryFor(t) });
  assert.equal(readFileSync(join(withThem.root, 'lib/l'), 'utf8'), 'library');
  assert.equal(existsSync(join(withThem.root, 'lib/.git')), false);
  const without = await cloneGit(url('?ref=modules&submodules=0'), { directory: directoryFor(t) });
  assert.equal(existsSync(join(without.root, 'lib/l')), false);
});

test('B58 a submodule cannot read local files', needsGit, async (t) => {
  await assert.rejects(
    cloneGit(url('#evil'), { directory: directoryFor(t) }),
    (error: { code: string; message: string }) =>
      error.code === 'copy.fetch-failed' && /transport 'file' not allowed/.test(error.message),
  );
});

test('B58 a subdirectory behind a link stays in the repository', needsGit, async (t) => {
  const inside = await cloneGit(url('#main:proj/sub'), { directory: directoryFor(t) });
  using root = new RootDirectory(inside.root);
  const [source] = await resolveSources({ root, patterns: [inside.subdirectory], allowWildcard: false });
  assert.deepEqual(
    source?.entry.children?.map((child) => child.name),
    ['deep'],
  );
  await assert.rejects(cloneGit(url('#main:proj/etc'), { directory: directoryFor(t) }), {
    code: 'copy.source-missing',
  });
});

test('B58 neither the configuration nor the hooks of the machine take part', needsGit, async (t) => {
  const home = directoryFor(t);
  const canary = join(home, 'canary');
  writeFileSync(
    join(home, '.gitconfig'),
    `[core]\n\tfsmonitor = "touch ${canary}"\n\thooksPath = ${home}\n[url "file://${home}/"]\n\tinsteadOf = git://\n`,
  );
  writeFileSync(join(home, 'post-checkout'), `#!/bin/sh\ntouch ${canary}\n`, { mode: 0o755 });
  await cloneGit(url(), {
    directory: directoryFor(t),
    env: { HOME: home, GIT_CONFIG_GLOBAL: join(home, '.gitconfig'), GIT_EXEC_PATH: home },
  });
  assert.equal(existsSync(canary), false);
});

test('what does not exist is an error that names it', needsGit, async (t) => {
  await assert.rejects(
    cloneGit(url('#nope'), { directory: directoryFor(t) }),
    /cannot fetch git:\/\/127\.0\.0\.1:\d+\/r\.git: git fetch: .*nope/,
  );
  await assert.rejects(cloneGit(url('', 'none.git'), { directory: directoryFor(t) }), { code: 'copy.fetch-failed' });
  await assert.rejects(
    cloneGit(url(), { directory: directoryFor(t), signal: AbortSignal.abort(new Error('stop')) }),
    /stop/,
  );
});
