/** Results of build steps by key: a file each, found by name, with the inputs that made the key. */
import { readdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { isBuilderError } from '../report/builder-error.ts';
import { type Digest, hexOf } from '../spec/digest.ts';
import { readJsonFile, writeAtomic } from './atomic-file.ts';

/** One input of a key: what it is called and what it was. */
export interface StepInput {
  readonly name: string;
  readonly value: string;
}

/** Which list of files belongs to an input that is the digest of a copy. */
export interface ListedInput {
  /** Name of the input. */
  readonly name: string;
  readonly digest: Digest;
  /** Paths of the sources, by the number their records begin with. */
  readonly sources: readonly string[];
}

export interface StepRecord<Result> {
  readonly version: 2;
  /** ms since the epoch */
  readonly savedAt: number;
  /** The line of the Dockerfile, for people. */
  readonly text: string;
  readonly inputs: readonly StepInput[];
  readonly lists?: readonly ListedInput[];
  readonly result: Result;
}

export interface ListedStep<Result> {
  readonly key: Digest;
  /** Of its last use, ms since the epoch. */
  readonly usedAt: number;
  readonly record: StepRecord<Result>;
}

/** A key that is cheaper to find, and stands for the key of a record. */
interface Alias {
  readonly version: 2;
  readonly alias: Digest;
}

/** Uses are noted this coarsely, so that a build of hits writes nothing. */
const USE_GRAIN_MS = 3600_000;

export class StepTable<Result> {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  #pathOf(key: Digest): string {
    return join(this.#root, `${hexOf(key)}.json`);
  }

  #read(key: Digest): StepRecord<Result> | Alias | undefined {
    try {
      const found = readJsonFile(this.#pathOf(key)) as StepRecord<Result> | Alias | undefined;
      return found?.version === 2 ? found : undefined;
    } catch (error) {
      // One that a crash of the machine cut off is a step to run again.
      if (isBuilderError(error, 'store.damaged')) return undefined;
      throw error;
    }
  }

  get(key: Digest): StepRecord<Result> | undefined {
    const found = this.#read(key);
    return found === undefined || 'alias' in found ? undefined : found;
  }

  put(key: Digest, record: StepRecord<Result>): void {
    writeAtomic(this.#pathOf(key), JSON.stringify(record), { durable: false });
  }

  /** The key that `quick` stands for. */
  aliasOf(quick: Digest): Digest | undefined {
    const found = this.#read(quick);
    return found !== undefined && 'alias' in found ? found.alias : undefined;
  }

  putAlias(quick: Digest, key: Digest): void {
    const alias: Alias = { version: 2, alias: key };
    writeAtomic(this.#pathOf(quick), JSON.stringify(alias), { durable: false });
  }

  /** Notes that a record or an alias was used: what nobody uses is forgotten first. */
  touch(key: Digest, now: number): void {
    const path = this.#pathOf(key);
    try {
      if (now - statSync(path).mtimeMs > USE_GRAIN_MS) utimesSync(path, now / 1000, now / 1000);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }

  delete(key: Digest): void {
    rmSync(this.#pathOf(key), { force: true });
  }

  /** All records. */
  *list(): Generator<ListedStep<Result>> {
    for (const { key, usedAt } of this.keys()) {
      const record = this.get(key);
      if (record !== undefined) yield { key, usedAt, record };
    }
  }

  /** Keys of records, of aliases and of what other releases left. */
  *keys(): Generator<{ readonly key: Digest; readonly usedAt: number }> {
    for (const name of readdirSync(this.#root)) {
      if (!/^[0-9a-f]{64}\.json$/.test(name)) continue;
      yield { key: `sha256:${name.slice(0, 64)}` as Digest, usedAt: statSync(join(this.#root, name)).mtimeMs };
    }
  }
}
