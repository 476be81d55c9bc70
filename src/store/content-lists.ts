/**
 * Lists of copied files, by the digest of the copy: kept only to tell later which file changed, so one that is missing
 * costs a less exact sentence and nothing else. Compressed beside the work; digests of files are shortened, since
 * nothing is ever trusted because of them.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { constants, gunzipSync, gzip } from 'node:zlib';
import { type Digest, digestFromHex, hexOf } from '../spec/digest.ts';
import { makeDirectories } from '../sys/make-directories.ts';
import { writeAtomic } from './atomic-file.ts';

const NAME = /^([0-9a-f]{64})\.gz$/;
const SHA256 = /\0([0-9a-f]{16})[0-9a-f]{48}(?=\0)/g;
/** Against a file of the store that somebody else put there. */
const MOST_BYTES = 128 << 20;

export class ContentLists {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  #pathOf(digest: Digest): string {
    return join(this.#folder, `${hexOf(digest)}.gz`);
  }

  /** Whether the list of that copy is there. */
  has(digest: Digest): boolean {
    return existsSync(this.#pathOf(digest));
  }

  /** @param records pieces of text as they were hashed, one character for each byte */
  async put(digest: Digest, records: readonly string[]): Promise<void> {
    if (this.has(digest)) return;
    const path = this.#pathOf(digest);
    const text = Buffer.from(this.short(records), 'latin1');
    const bytes = await promisify(gzip)(text, { level: constants.Z_BEST_SPEED });
    makeDirectories(this.#folder, 0o700);
    writeAtomic(path, bytes, { durable: false });
  }

  /** The form in which lists are kept. */
  short(records: readonly string[]): string {
    return records.join('').replace(SHA256, '\0$1');
  }

  /** The records as one text; undefined when the list is not there, or damaged. */
  get(digest: Digest): string | undefined {
    try {
      return gunzipSync(readFileSync(this.#pathOf(digest)), { maxOutputLength: MOST_BYTES }).toString('latin1');
    } catch {
      return undefined;
    }
  }

  /** Deletes all lists but these. */
  retain(wanted: ReadonlySet<string>): void {
    if (!existsSync(this.#folder)) return;
    for (const name of readdirSync(this.#folder)) {
      const hex = NAME.exec(name)?.[1];
      if (hex === undefined || !wanted.has(digestFromHex(hex))) rmSync(join(this.#folder, name), { force: true });
    }
  }
}
