/** Build contexts that are not on this machine: git repositories, and archives or Containerfiles behind a URL. */
import { lstatSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { FetchedInput } from '../attest/build-facts.ts';
import { BuilderError } from '../report/builder-error.ts';
import { RootDirectory } from '../sys/root-directory.ts';
import type { Engine } from './engine.ts';
import { isGitUrl } from './git-url.ts';
import { fetchSources } from './remote-files.ts';
import { httpLogin } from './remote-login.ts';
import { fetchUrl } from './remote-source.ts';
import type { SecretSource } from './secret-source.ts';
import type { SshAgent } from './ssh-agent.ts';
import { unpackArchiveFile } from './unpack-context.ts';

export interface FetchedContext {
  /** Absolute path of the context. */
  readonly dir: string;
  /** The URL was a Containerfile: its path. */
  readonly file: string | undefined;
  /** Seconds since the epoch: the commit's time, the server's `Last-Modified`, or the newest file of the archive. */
  modifiedAt(): number | undefined;
  /** What was fetched, by its digest; the URL as given. */
  readonly input: FetchedInput;
}

const GITHUB = /^github\.com\/[^/]+\/[^/]+/;

/** Whether a context is to be fetched. */
export function isRemoteContext(text: string): boolean {
  return isGitUrl(text) || GITHUB.test(text) || /^https?:\/\//.test(text);
}

export interface ContextLogins {
  /** Logins may be among them, as for ADD; see `remote-login.ts`. */
  readonly secrets: ReadonlyMap<string, SecretSource>;
  /** `default` serves git over ssh, before the caller's own. */
  readonly agents: ReadonlyMap<string, SshAgent>;
}

/** What the context has to be. */
export interface ContextPin {
  /** `sha256:…` of what the URL serves; of a git URL the beginning of the commit's name. */
  readonly checksum?: string | undefined;
  /** Whole name of the commit to fetch from git, whatever the ref stands for now. */
  readonly commit?: string | undefined;
}

/** The URL of a remote context in full. */
export function contextUrl(text: string): string {
  return GITHUB.test(text) ? githubUrl(text) : text;
}

/** Fetches a context into the scratch directory. @throws `copy.fetch-failed`, `context.invalid`, `blob.digest-mismatch` */
export async function fetchContext(
  engine: Engine,
  text: string,
  logins: ContextLogins,
  pin: ContextPin = {},
): Promise<FetchedContext> {
  const { env, signal } = engine;
  const { checksum } = pin;
  const url = contextUrl(text);
  if (isGitUrl(url)) {
    const options = { checksum, commit: pin.commit, secrets: logins.secrets, agent: logins.agents.get('default') };
    const { dir, pattern, modifiedAt, input } = await fetchSources(engine, url, 'git', options);
    const contained = join(dir, containedPath(dir, pattern));
    return { dir: contained, file: undefined, modifiedAt: () => modifiedAt, input };
  }
  const dir = engine.store.scratch.directory('context');
  const download = join(dir, 'download');
  mkdirSync(download);
  const login = httpLogin(url, logins.secrets, env);
  const headers = login === undefined ? {} : { headers: { Authorization: login } };
  const file = await fetchUrl(url, { directory: download, checksum, ...headers, env, signal });
  const input: FetchedInput = { kind: 'http', url, digest: file.digest };
  const served = file.lastModified?.seconds;
  // Unpacked into a directory of its own: nothing fetched before or after is ever in the way of a link in it.
  const fresh = join(dir, 'context');
  mkdirSync(fresh);
  if (await unpackArchiveFile(engine, join(download, file.name), fresh)) {
    return { dir: fresh, file: undefined, modifiedAt: () => served ?? newestBelow(Buffer.from(fresh)), input };
  }
  const empty = join(dir, 'empty');
  mkdirSync(empty);
  return { dir: empty, file: join(download, file.name), modifiedAt: () => served, input };
}

/** Seconds since the epoch of the newest file; undefined without files. */
function newestBelow(dir: Buffer): number | undefined {
  const times = readdirSync(dir, 'buffer').map((name) => {
    const path = Buffer.concat([dir, Buffer.from('/'), name]);
    const stat = lstatSync(path);
    return stat.isDirectory() ? newestBelow(path) : Math.floor(stat.mtimeMs / 1000);
  });
  return times.reduce((a, b) => (a === undefined || (b !== undefined && b > a) ? b : a), undefined);
}

/** `github.com/owner/name[.git][#ref[:dir]]` without a scheme. */
function githubUrl(text: string): string {
  const [path = '', fragment] = text.split('#');
  return `https://${path.endsWith('.git') ? path : `${path}.git`}${fragment === undefined ? '' : `#${fragment}`}`;
}

/** The subdirectory of a checkout as a path without links that lead out. */
function containedPath(root: string, subdirectory: string): string {
  using directory = new RootDirectory(root);
  const parts = subdirectory.split('/').filter((part) => part !== '' && part !== '.');
  for (let i = 1; i <= parts.length; i++) {
    const stat = directory.stat(parts.slice(0, i).join('/'));
    if (stat === undefined || (stat.mode & 0o170000) !== 0o040000) {
      throw new BuilderError('context.invalid', `the repository has no directory ${JSON.stringify(subdirectory)}`);
    }
  }
  return parts.join('/') || '.';
}
