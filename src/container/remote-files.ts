/** Sources that are not on this machine, fetched into a directory to be copied from there. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { FetchedInput } from '../attest/build-facts.ts';
import type { Timestamp } from '../spec/timestamp.ts';
import { DownloadCache, type KeptDownload } from './download-cache.ts';
import type { Engine } from './engine.ts';
import { cloneGit } from './git-source.ts';
import { atCommit, parseGitUrl } from './git-url.ts';
import { gitLogin, httpLogin } from './remote-login.ts';
import { fetchIfChanged, timeOf } from './remote-source.ts';
import type { SecretSource } from './secret-source.ts';
import type { SshAgent } from './ssh-agent.ts';
import { serveSshAgent } from './ssh-agent-server.ts';

export interface RemoteFilesOptions {
  readonly checksum?: string | undefined;
  /** Whole name of the commit to fetch from git, whatever the ref stands for now. */
  readonly commit?: string | undefined;
  readonly keepGitDir?: boolean | undefined;
  readonly tlsVerify?: boolean | undefined;
  readonly certDir?: string | undefined;
  /** Logins may be among them; see `remote-login.ts`. */
  readonly secrets?: ReadonlyMap<string, SecretSource> | undefined;
  /** For git over ssh, before the caller's own. */
  readonly agent?: SshAgent | undefined;
}

export interface RemoteFiles {
  /** Root to search below. */
  readonly dir: string;
  /** What to copy from it. */
  readonly pattern: string;
  /** The time all of it has, where one was asked for. */
  readonly timestamp: Timestamp | undefined;
  /** Seconds since the epoch: the commit's time or the server's `Last-Modified`. */
  readonly modifiedAt: number | undefined;
  /** What was fetched, by its digest; the URL as given. */
  readonly input: FetchedInput;
}

/** @throws `copy.fetch-failed`, `blob.digest-mismatch` */
export async function fetchSources(
  engine: Engine,
  text: string,
  kind: 'http' | 'git',
  o: RemoteFilesOptions = {},
): Promise<RemoteFiles> {
  return kind === 'http' ? fetchFile(engine, text, o) : fetchRepository(engine, text, o);
}

async function fetchFile(engine: Engine, text: string, o: RemoteFilesOptions): Promise<RemoteFiles> {
  const { env, signal, store } = engine;
  const cache = new DownloadCache(store.paths.cache);
  const kept = cache.find(text);
  const use = ({ name, folder, lastModified, digest }: KeptDownload): RemoteFiles => ({
    dir: cache.folderOf({ folder }),
    pattern: name,
    timestamp: undefined,
    modifiedAt: timeOf(lastModified)?.seconds,
    input: { kind: 'http', url: text, digest },
  });
  const login = httpLogin(text, o.secrets, env);
  const directory = join(store.scratch.directory('remote'), 'download');
  mkdirSync(directory);
  const file = await fetchIfChanged(text, kept, {
    directory,
    checksum: o.checksum,
    ...(login === undefined ? {} : { headers: { Authorization: login } }),
    verifyTls: o.tlsVerify,
    certDir: o.certDir,
    env,
    signal,
  });
  if (file === undefined) return use(kept!);
  const dir = file.validators === undefined ? directory : cache.keep(text, directory, file);
  const input: FetchedInput = { kind: 'http', url: text, digest: file.digest };
  return { dir, pattern: file.name, timestamp: undefined, modifiedAt: file.lastModified?.seconds, input };
}

async function fetchRepository(engine: Engine, text: string, o: RemoteFilesOptions): Promise<RemoteFiles> {
  const { env, signal, store } = engine;
  const url = atCommit(parseGitUrl(text), o.commit);
  const directory = join(store.scratch.directory('remote'), 'git');
  mkdirSync(directory);
  const login = gitLogin(url.remote, o.secrets, env);
  const socket = join(store.scratch.directory('ssh'), 'agent');
  await using _ = o.agent === undefined ? undefined : await serveSshAgent(o.agent, socket);
  const { root, subdirectory, timestamp, committedAt, commit } = await cloneGit(url, {
    directory,
    checksum: o.checksum,
    keepGitDirectory: o.keepGitDir,
    ...(login === undefined ? {} : { header: `Authorization: ${login}` }),
    env: o.agent === undefined ? env : { ...env, SSH_AUTH_SOCK: socket },
    signal,
  });
  const pattern = subdirectory === '' ? '.' : subdirectory;
  const input: FetchedInput = { kind: 'git', url: text, commit };
  return { dir: root, pattern, timestamp, modifiedAt: committedAt, input };
}
