/** Records as JSON files in directories of their own, one lock each: working containers. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isBuilderError } from '../report/builder-error.ts';
import { FileLock, type LockOptions } from '../sys/file-lock.ts';
import { readJsonFile, writeAtomic } from './atomic-file.ts';

export class RecordDirectory<T> {
  readonly #root: string;
  readonly #locks: string;

  constructor(root: string, locks: string) {
    this.#root = root;
    this.#locks = locks;
  }

  #pathOf(id: string): string {
    return join(this.#root, id, 'record.json');
  }

  /** Private files of a record live here. */
  directoryOf(id: string): string {
    return join(this.#root, id);
  }

  get(id: string): T | undefined {
    return readJsonFile(this.#pathOf(id)) as T | undefined;
  }

  list(): T[] {
    return readdirSync(this.#root)
      .map((id) => this.get(id))
      .filter((record) => record !== undefined);
  }

  /** Without those that a crash of the machine cut off. */
  listReadable(): T[] {
    return readdirSync(this.#root).flatMap((id) => {
      try {
        return this.get(id) ?? [];
      } catch (error) {
        if (isBuilderError(error, 'store.damaged')) return [];
        throw error;
      }
    });
  }

  put(id: string, record: T): void {
    // Not `recursive`, whose error on a read-only file system is another.
    if (!existsSync(join(this.#root, id))) mkdirSync(join(this.#root, id), { mode: 0o700 });
    // Not flushed, as the container's files are not: a record that outlived them would promise what is gone.
    writeAtomic(this.#pathOf(id), JSON.stringify(record), { durable: false });
  }

  /** The record vanishes at once; its files follow. */
  delete(id: string): void {
    const path = this.directoryOf(id);
    if (!existsSync(path)) return;
    rmSync(this.#pathOf(id), { force: true });
    const dead = `${path}.dead`;
    renameSync(path, dead);
    rmSync(dead, { recursive: true, force: true });
    rmSync(join(this.#locks, `container-${id}`), { force: true });
  }

  /** Holds one record for change. */
  lock(id: string, o: LockOptions = {}): Promise<FileLock> {
    return FileLock.acquire(join(this.#locks, `container-${id}`), 'exclusive', o);
  }

  /** The same, or undefined when somebody holds it. */
  tryLock(id: string): FileLock | undefined {
    return FileLock.try(join(this.#locks, `container-${id}`), 'exclusive');
  }

  /** Holds the set of records: creating and renaming. */
  lockAll(o: LockOptions = {}): Promise<FileLock> {
    return FileLock.acquire(join(this.#locks, 'containers'), 'exclusive', o);
  }
}
