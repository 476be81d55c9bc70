/**
 * ADD from git: fetches one commit with the git program into a directory that is then copied like any other.
 *
 * Nothing of the machine takes part: no system or user configuration, no hooks, no templates, no credential helpers,
 * no prompt. Only http, https, ssh and git are spoken, by submodules too, so that a repository cannot make git read
 * local files or run commands. Arguments that others chose come behind `--` or are checked names.
 */
import { spawn } from 'node:child_process';
import { chmodSync, lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import type { Cancellable } from '../spec/target.ts';
import type { Timestamp } from '../spec/timestamp.ts';
import { AT_FDCWD, lutimensat, S_IFDIR, S_IFMT } from '../sys/libc.ts';
import { RootDirectory } from '../sys/root-directory.ts';
import { TRUSTED_PATH } from '../sys/spawn.ts';
import type { GitUrl } from './git-url.ts';

export interface CloneOptions extends Cancellable {
  /** An empty directory; the working tree becomes `tree` in it. */
  readonly directory: string;
  /** `--checksum`: beginning of the commit's name. */
  readonly checksum?: string | undefined;
  /** `--keep-git-dir` */
  readonly keepGitDirectory?: boolean | undefined;
  /** Proxy variables and SSH_AUTH_SOCK are taken from here. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Sent with http and https to the host of the repository, such as `Authorization: Bearer …`. */
  readonly header?: string | undefined;
}

export interface GitCheckout {
  /** The working tree; use it as the root of a search, so that no link leads out. */
  readonly root: string;
  /** Existing directory in it to copy from; '' for all. */
  readonly subdirectory: string;
  readonly commit: string;
  /** Seconds since the epoch. */
  readonly committedAt: number;
  /** The time all files have been given; undefined leaves that of the checkout. */
  readonly timestamp: Timestamp | undefined;
}

interface Git {
  readonly directory: string;
  readonly env: Record<string, string>;
  readonly signal: AbortSignal | undefined;
  readonly remote: string;
}

const PROTOCOLS = 'http:https:ssh:git';
/** Everything a repository or a machine could use to run something, turned off once more on the command line. */
const HARDENING = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.symlinks=true',
  'credential.helper=',
  'protocol.allow=never',
  'protocol.ext.allow=never',
  'protocol.file.allow=never',
  'protocol.http.allow=always',
  'protocol.https.allow=always',
  'protocol.ssh.allow=always',
  'protocol.git.allow=always',
  'submodule.recurse=false',
  'gc.auto=0',
  'advice.detachedHead=false',
];
const PASSED_ON = [
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'all_proxy',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'ALL_PROXY',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'SSH_AUTH_SOCK',
];
/** Enough to say what went wrong. */
const MAX_OUTPUT_BYTES = 64 * 1024;

/**
 * Fetches and checks out what `url` names; files have mode 0644 or 0755 and directories 0755.
 * @throws `copy.fetch-failed`; `blob.digest-mismatch` when the commit is another; `copy.source-missing` for a
 *   subdirectory that is not there; `sys.spawn-failed` without git
 */
export async function cloneGit(url: GitUrl, o: CloneOptions): Promise<GitCheckout> {
  const root = join(o.directory, 'tree');
  mkdirSync(root, { mode: 0o755 });
  const git = gitFor(url, root, o);
  await run(git, ['init', '-q', '--template=', '.']);
  await run(git, ['remote', 'add', '--', 'origin', url.remote]);
  const commit = await fetchCommit(git, url);
  requireChecksum(url, commit, o.checksum);
  await run(git, ['checkout', '-q', '--force', '--detach', commit]);
  if (url.submodules) await run(git, ['submodule', '--quiet', 'update', '--init', '--recursive', '--depth=1']);
  const committedAt = Number((await run(git, ['show', '-s', '--format=%ct', commit])).trim());
  const keep = o.keepGitDirectory ?? url.keepGitDirectory ?? false;
  // A login in the address must not end up in the image.
  if (keep) await run(git, ['remote', 'set-url', '--', 'origin', url.remote.replace(/\/\/[^/@]*@/, '//')]);
  const timestamp = url.usesCommitTime ? { seconds: committedAt, nanoseconds: 0 } : undefined;
  tidy(Buffer.from(root), keep, timestamp);
  requireSubdirectory(root, url);
  return { root, subdirectory: url.subdirectory, commit, committedAt, timestamp };
}

function gitFor(url: GitUrl, directory: string, o: CloneOptions): Git {
  const from = o.env ?? process.env;
  const passedOn = PASSED_ON.flatMap((name) => (from[name] === undefined ? [] : [[name, from[name]] as const]));
  const env: Record<string, string> = {
    ...Object.fromEntries(passedOn),
    PATH: TRUSTED_PATH,
    HOME: o.directory,
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '/bin/false',
    GIT_ALLOW_PROTOCOL: PROTOCOLS,
    GIT_SSH_COMMAND: 'ssh -o BatchMode=yes',
    GIT_LFS_SKIP_SMUDGE: '1',
  };
  if (o.header !== undefined) {
    if (/[\r\n\0]/.test(o.header)) throw new BuilderError('copy.invalid', 'cannot use a header with a line break');
    // In the environment, not among the arguments: those are for every user of the machine to read.
    env['GIT_CONFIG_COUNT'] = '1';
    env['GIT_CONFIG_KEY_0'] = `http.${new URL(url.remote).origin}/.extraHeader`;
    env['GIT_CONFIG_VALUE_0'] = o.header;
  }
  return { directory, env, signal: o.signal, remote: url.remote };
}

/** The commit `url` names, fetched; without its history where the server allows that. */
async function fetchCommit(git: Git, url: GitUrl): Promise<string> {
  const wanted = url.fetchesByCommit ? url.checksum! : (url.ref ?? 'HEAD');
  const isCommit = /^[0-9a-f]{7,64}$/.test(wanted);
  try {
    await run(git, ['fetch', '-q', '--depth=1', '--no-tags', '--no-recurse-submodules', '--', 'origin', wanted]);
    return (await run(git, ['rev-parse', '--verify', '-q', 'FETCH_HEAD^{commit}'])).trim();
  } catch (error) {
    if (!isCommit || !(error instanceof BuilderError) || error.code !== 'copy.fetch-failed') throw error;
  }
  // A server need not give a commit by name, and never one by the beginning of its name: then it takes the history.
  const everything = ['+refs/heads/*:refs/remotes/origin/*', '+refs/tags/*:refs/tags/*'];
  await run(git, ['fetch', '-q', '--no-recurse-submodules', '--', 'origin', ...everything]);
  const found = await run(git, ['rev-parse', '--verify', '-q', `${wanted}^{commit}`]).catch(() => '');
  if (found !== '') return found.trim();
  git.signal?.throwIfAborted();
  throw new BuilderError('copy.fetch-failed', `cannot fetch ${shown(git.remote)}: it has no commit ${wanted}`, {
    facts: { url: shown(git.remote) },
  });
}

function requireChecksum(url: GitUrl, commit: string, flag: string | undefined): void {
  if (flag !== undefined && !/^[0-9a-f]{7,64}$/.test(flag)) {
    throw new BuilderError('copy.invalid', `cannot use ${JSON.stringify(flag)} as a checksum: it is no commit`);
  }
  for (const expected of [flag, url.checksum]) {
    if (expected === undefined || commit.startsWith(expected)) continue;
    throw new BuilderError(
      'blob.digest-mismatch',
      `cannot use ${shown(url.remote)}: it is at commit ${commit}, not ${expected}`,
      {
        facts: { expected, actual: commit },
      },
    );
  }
}

function requireSubdirectory(root: string, url: GitUrl): void {
  if (url.subdirectory === '') return;
  using tree = new RootDirectory(root);
  const stat = tree.stat(url.subdirectory, true);
  if (stat !== undefined && (stat.mode & S_IFMT) === S_IFDIR) return;
  throw new BuilderError(
    'copy.source-missing',
    `cannot copy ${JSON.stringify(url.subdirectory)}: ${shown(url.remote)} has no such directory`,
  );
}

/** Modes that do not depend on a umask; git's own files go unless they are asked for. Links are not followed. */
function tidy(directory: Buffer, keepsGit: boolean, time: Timestamp | undefined): void {
  for (const entry of readdirSync(directory, { withFileTypes: true, encoding: 'buffer' })) {
    const path = Buffer.concat([directory, Buffer.from('/'), entry.name as Buffer]);
    if (entry.name.toString() === '.git' && !keepsGit) rmSync(path, { recursive: true, force: true });
    else if (entry.isDirectory()) tidy(path, keepsGit, time);
    else {
      if (entry.isFile()) chmodSync(path, (lstatSync(path).mode & 0o100) === 0 ? 0o644 : 0o755);
      if (time !== undefined) lutimensat(AT_FDCWD, path, time);
    }
  }
  chmodSync(directory, 0o755);
  if (time !== undefined) lutimensat(AT_FDCWD, directory, time);
}

const shown = (remote: string): string => remote.replace(/\/\/[^/@]*@/, '//');

/** Runs git in the working tree and returns what it prints. */
async function run(git: Git, args: readonly string[]): Promise<string> {
  git.signal?.throwIfAborted();
  const child = spawn('git', [...HARDENING.flatMap((setting) => ['-c', setting]), ...args], {
    cwd: git.directory,
    env: git.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stop = (): void => void child.kill('SIGTERM');
  git.signal?.addEventListener('abort', stop, { once: true });
  try {
    const output = collect(child.stdout);
    const errors = collect(child.stderr);
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on('error', (cause) =>
        reject(
          new BuilderError('sys.spawn-failed', 'cannot start git', { cause, hint: 'install git to use git sources' }),
        ),
      );
      child.on('close', resolve);
    });
    git.signal?.throwIfAborted();
    if (code === 0) return output();
    const text = errors().trim();
    if (/terminal prompts disabled|Authentication failed/i.test(text)) throw loginRefused(git, text);
    const said = shown(text.split('\n').slice(-4).join('; ')) || `exit code ${code}`;
    throw new BuilderError('copy.fetch-failed', `cannot fetch ${shown(git.remote)}: git ${args[0]}: ${said}`, {
      facts: { url: shown(git.remote) },
    });
  } finally {
    git.signal?.removeEventListener('abort', stop);
  }
}

/** What git says of it is about prompts and terminals. A submodule may be on another host. */
function loginRefused({ remote, env }: Git, said: string): BuilderError {
  const asking = /for '(https?:\/\/[^']+)'/.exec(said)?.[1] ?? remote;
  const isRefused = env['GIT_CONFIG_COUNT'] !== undefined && remote.startsWith(asking);
  const why = isRefused ? 'the server does not take the login' : 'the server asks for a login';
  const id = URL.canParse(asking) ? `GIT_AUTH_TOKEN.${new URL(asking).hostname}` : 'GIT_AUTH_TOKEN';
  return new BuilderError('copy.fetch-failed', `cannot fetch ${shown(asking)}: ${why}`, {
    hint: `a build takes the login from the secret ${id}: --secret id=${id},env=VARIABLE`,
    facts: { url: shown(asking) },
  });
}

function collect(stream: NodeJS.ReadableStream): () => string {
  const parts: Buffer[] = [];
  let length = 0;
  stream.on('data', (chunk: Buffer) => {
    if (length < MAX_OUTPUT_BYTES) parts.push(chunk);
    length += chunk.length;
  });
  return () => Buffer.concat(parts).toString('utf8').slice(0, MAX_OUTPUT_BYTES);
}
