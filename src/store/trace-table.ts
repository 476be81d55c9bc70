/** What the last build of each Dockerfile and context went through: a file each, named by a digest of the two. */
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Digest, hexOf } from '../spec/digest.ts';
import { errnoOf } from '../sys/libc.ts';
import { makeDirectories } from '../sys/make-directories.ts';
import { readJsonFile, writeAtomic } from './atomic-file.ts';

const NAME = /^[0-9a-f]{64}\.json$/;

export class TraceTable<Trace extends { readonly version: number }> {
  readonly #folder: string;
  readonly #version: number;

  /** @param version traces of another one count as missing */
  constructor(folder: string, version: number) {
    this.#folder = folder;
    this.#version = version;
  }

  #pathOf(id: Digest): string {
    return join(this.#folder, `${hexOf(id)}.json`);
  }

  get(id: Digest): Trace | undefined {
    return this.#read(this.#pathOf(id));
  }

  /** A damaged trace is a missing one: it only ever made a sentence better. */
  #read(path: string): Trace | undefined {
    try {
      const trace = readJsonFile(path) as Trace | undefined;
      return trace?.version === this.#version ? trace : undefined;
    } catch {
      return undefined;
    }
  }

  /** Where it cannot be written, as on a full disk, there is no trace: no build fails for that. */
  put(id: Digest, trace: Trace): void {
    try {
      makeDirectories(this.#folder, 0o700);
      writeAtomic(this.#pathOf(id), JSON.stringify(trace), { durable: false });
    } catch (error) {
      if (errnoOf(error) === undefined) throw error;
    }
  }

  list(): Trace[] {
    return this.#names().flatMap((name) => this.#read(join(this.#folder, name)) ?? []);
  }

  /** Deletes traces last written before a time, ms since the epoch. */
  deleteBefore(time: number): void {
    for (const name of this.#names()) {
      const path = join(this.#folder, name);
      if (statSync(path).mtimeMs <= time) rmSync(path, { force: true });
    }
  }

  #names(): string[] {
    return existsSync(this.#folder) ? readdirSync(this.#folder).filter((name) => NAME.test(name)) : [];
  }
}
