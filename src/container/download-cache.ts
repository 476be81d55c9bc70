/**
 * Downloads kept between builds. A server is asked whether its file changed (`If-None-Match`, `If-Modified-Since`); when
 * it did not, the kept one is used and nothing is transferred. Files are named by what they are and never change, so a
 * build that reads one is not disturbed by another that replaces it; records point to them.
 *
 * @see RFC 9110, section 13
 */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isBuilderError } from '../report/builder-error.ts';
import type { Digest } from '../spec/digest.ts';
import type { Timestamp } from '../spec/timestamp.ts';
import { readJsonFile, writeAtomic } from '../store/atomic-file.ts';
import { makeDirectories } from '../sys/make-directories.ts';

/** What is remembered of a URL. */
export interface KeptDownload {
  readonly version: 1;
  readonly etag: string | undefined;
  /** As the server wrote it. */
  readonly lastModified: string | undefined;
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly name: string;
  /** Folder of the file, below `files`. */
  readonly folder: string;
}

export interface Download {
  readonly name: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly lastModified: Timestamp | undefined;
  /** Whether and how the server would tell that nothing changed. */
  readonly validators: { readonly etag: string | undefined; readonly lastModified: string | undefined } | undefined;
}

export class DownloadCache {
  readonly #records: string;
  readonly #files: string;

  /** @param path the folder of the cache; may vanish at any time */
  constructor(path: string) {
    this.#records = join(path, 'downloads', 'records');
    this.#files = join(path, 'downloads', 'files');
  }

  /** What is kept of a URL, if it is whole. */
  find(url: string): KeptDownload | undefined {
    const record = recordAt(this.#recordOf(url));
    if (record === undefined) return undefined;
    const stat = statSync(join(this.folderOf(record), record.name), { throwIfNoEntry: false });
    return stat?.isFile() === true && stat.size === record.sizeBytes ? record : undefined;
  }

  /** The folder that holds the file, and nothing else. */
  folderOf({ folder }: Pick<KeptDownload, 'folder'>): string {
    return join(this.#files, folder);
  }

  /** Takes the file over from the folder it was downloaded into, and gives the folder it is in now. */
  keep(url: string, directory: string, download: Download): string {
    const { name, digest, sizeBytes, lastModified, validators } = download;
    const identity = JSON.stringify([digest, name, lastModified?.seconds ?? null]);
    const folder = createHash('sha256').update(identity).digest('hex');
    const place = this.folderOf({ folder });
    makeDirectories(this.#records, 0o700);
    makeDirectories(this.#files, 0o700);
    if (!existsSync(join(place, name))) {
      flush(join(directory, name));
      rmSync(place, { recursive: true, force: true });
      renameSync(directory, place);
    }
    const record = { version: 1, ...validators, digest, sizeBytes, name, folder };
    writeAtomic(this.#recordOf(url), JSON.stringify(record), { durable: false });
    return place;
  }

  #recordOf(url: string): string {
    return join(this.#records, `${createHash('sha256').update(url).digest('hex')}.json`);
  }

  /** Forgets URLs not asked for lately, and files no URL leads to. Nobody else may be using the cache. */
  sweep(olderThanMs: number): void {
    if (!existsSync(this.#records)) return;
    const wanted = new Set<string>();
    for (const name of readdirSync(this.#records)) {
      const path = join(this.#records, name);
      const isOld = Date.now() - statSync(path).mtimeMs >= olderThanMs;
      const record = isOld ? undefined : recordAt(path);
      if (record === undefined) rmSync(path, { force: true });
      else wanted.add(record.folder);
    }
    if (!existsSync(this.#files)) return;
    for (const folder of readdirSync(this.#files)) {
      if (!wanted.has(folder)) rmSync(join(this.#files, folder), { recursive: true, force: true });
    }
  }
}

/** One that a crash of the machine cut off is a file to download again. */
function recordAt(path: string): KeptDownload | undefined {
  try {
    const record = readJsonFile(path) as KeptDownload | undefined;
    return record?.version === 1 ? record : undefined;
  } catch (error) {
    if (isBuilderError(error, 'store.damaged')) return undefined;
    throw error;
  }
}

/** A record must not lead to a file that a crash of the machine took away. */
function flush(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
