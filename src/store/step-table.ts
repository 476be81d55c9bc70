/** Results of build steps by key: a file each, found by name, with the inputs that made the key. */
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Digest, hexOf } from '../spec/digest.ts';
import { readJsonFile, writeAtomic } from './atomic-file.ts';

/** One input of a key: what it is called and what it was. */
export interface StepInput {
  readonly name: string;
  readonly value: string;
}

export interface StepRecord<Result> {
  readonly version: 1;
  /** ms since the epoch */
  readonly savedAt: number;
  readonly inputs: readonly StepInput[];
  readonly result: Result;
}

export class StepTable<Result> {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  #pathOf(key: Digest): string {
    return join(this.#root, `${hexOf(key)}.json`);
  }

  get(key: Digest): StepRecord<Result> | undefined {
    const record = readJsonFile(this.#pathOf(key)) as StepRecord<Result> | undefined;
    return record?.version === 1 ? record : undefined;
  }

  put(key: Digest, record: StepRecord<Result>): void {
    writeAtomic(this.#pathOf(key), JSON.stringify(record), { durable: false });
  }

  delete(key: Digest): void {
    rmSync(this.#pathOf(key), { force: true });
  }

  /** All keys with the time of their last change in ms since the epoch. */
  *list(): Generator<{ readonly key: Digest; readonly changedAt: number; readonly record: StepRecord<Result> }> {
    for (const name of readdirSync(this.#root)) {
      if (!/^[0-9a-f]{64}\.json$/.test(name)) continue;
      const key = `sha256:${name.slice(0, 64)}` as Digest;
      const record = this.get(key);
      if (record === undefined) continue;
      yield { key, changedAt: statSync(join(this.#root, name)).mtimeMs, record };
    }
  }
}
