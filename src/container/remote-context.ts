/** Build contexts that are not on this machine: git repositories, and archives or Containerfiles behind a URL. */
import { lstatSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { FetchedInput } from '../attest/build-facts.ts';
import { BuilderError } from '../report/builder-error.ts';
import { RootDirectory } from '../sys/root-directory.ts';
import type { Engine } from './engine.ts';
import { cloneGit } from './git-source.ts';
import { atCommit, isGitUrl, parseGitUrl } from './git-url.ts';
import { fetchUrl } from './remote-source.ts';
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

/** @param dir an empty directory. @throws `copy.fetch-failed`, `context.invalid`, `blob.digest-mismatch` */
export async function fetchContext(
  engine: Engine,
  text: string,
  dir: string,
  pin: ContextPin = {},
): Promise<FetchedContext> {
  const { env, signal } = engine;
  const { checksum } = pin;
  const url = contextUrl(text);
  if (isGitUrl(url)) {
    const place = atCommit(parseGitUrl(url), pin.commit);
    const checkout = await cloneGit(place, { directory: dir, checksum, env, signal });
    const { root, subdirectory, committedAt, commit } = checkout;
    const contained = join(root, containedPath(root, subdirectory));
    const input: FetchedInput = { kind: 'git', url, commit };
    return { dir: contained, file: undefined, modifiedAt: () => committedAt, input };
  }
  const download = join(dir, 'download');
  mkdirSync(download);
  const file = await fetchUrl(url, { directory: download, checksum, env, signal });
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
  if (subdirectory === '') return '.';
  using directory = new RootDirectory(root);
  const parts = subdirectory.split('/').filter((part) => part !== '' && part !== '.');
  for (let i = 1; i <= parts.length; i++) {
    const stat = directory.stat(parts.slice(0, i).join('/'));
    if (stat === undefined || (stat.mode & 0o170000) !== 0o040000) {
      throw new BuilderError('context.invalid', `the repository has no directory ${JSON.stringify(subdirectory)}`);
    }
  }
  return parts.join('/');
}
