/** Sources that are not on this machine, fetched into a directory to be copied from there. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Timestamp } from '../spec/timestamp.ts';
import type { Engine } from './engine.ts';
import { cloneGit } from './git-source.ts';
import { parseGitUrl } from './git-url.ts';
import { fetchUrl } from './remote-source.ts';

export interface RemoteFilesOptions {
  readonly checksum?: string | undefined;
  readonly keepGitDir?: boolean | undefined;
  readonly tlsVerify?: boolean | undefined;
  readonly certDir?: string | undefined;
}

export interface RemoteFiles {
  /** Root to search below. */
  readonly dir: string;
  /** What to copy from it. */
  readonly pattern: string;
  /** Time all of it is to have; undefined: as fetched. */
  readonly timestamp: Timestamp | undefined;
  /** Seconds since the epoch: the commit's time or the server's `Last-Modified`. */
  readonly modifiedAt: number | undefined;
}

/** @param dir an empty directory. @throws `copy.fetch-failed`, `blob.digest-mismatch` */
export async function fetchSources(
  engine: Engine,
  text: string,
  kind: 'http' | 'git',
  dir: string,
  o: RemoteFilesOptions = {},
): Promise<RemoteFiles> {
  const { env, signal } = engine;
  if (kind === 'http') {
    const file = await fetchUrl(text, {
      directory: dir,
      checksum: o.checksum,
      verifyTls: o.tlsVerify,
      certDir: o.certDir,
      env,
      signal,
    });
    return { dir, pattern: file.name, timestamp: undefined, modifiedAt: file.lastModified?.seconds };
  }
  mkdirSync(join(dir, 'git'));
  const { root, subdirectory, timestamp, committedAt } = await cloneGit(parseGitUrl(text), {
    directory: join(dir, 'git'),
    checksum: o.checksum,
    keepGitDirectory: o.keepGitDir,
    env,
    signal,
  });
  return { dir: root, pattern: subdirectory === '' ? '.' : subdirectory, timestamp, modifiedAt: committedAt };
}
