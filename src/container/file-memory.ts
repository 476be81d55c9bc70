/** The memory of files that a store keeps, loaded when it is asked for. */
import type { CopyMemory } from './content-digest.ts';
import { StatCache } from './stat-cache.ts';
import { TreeMemory } from './tree-memory.ts';

export class FileMemory implements CopyMemory {
  readonly #directory: string;
  readonly now: () => number;
  #files: StatCache | undefined;
  #trees: TreeMemory | undefined;

  /** @param directory of the store's cache; made when there is something to save */
  constructor(directory: string, now: () => number = Date.now) {
    this.#directory = directory;
    this.now = now;
  }

  get files(): StatCache {
    this.#files ??= StatCache.open(this.#directory, { now: this.now });
    return this.#files;
  }

  get trees(): TreeMemory {
    this.#trees ??= new TreeMemory(this.#directory);
    return this.#trees;
  }

  /** Keeps what was learned. */
  save(): void {
    this.#files?.save();
    this.#trees?.save();
  }
}
