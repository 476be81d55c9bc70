/**
 * A private temporary directory for each process, on the store's own file system so that rename works. Each holds a
 * kernel lock on a file inside: a directory whose lock is free belongs to nobody alive and is swept.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { FileLock } from '../sys/file-lock.ts';
import { makeDirectories } from '../sys/make-directories.ts';

const LOCK = 'lock';
/** A directory without a lock file this young may belong to a process between mkdir and lock. */
const YOUNG_MS = 60_000;

export class Scratch implements Disposable {
  readonly path: string;
  readonly #lock: FileLock;

  constructor(parent: string) {
    for (;;) {
      const path = mkdtempSync(join(parent, 'p-'));
      // A sweep may take the lock between its file's being made and our taking it, and the directory with it.
      const lock = lockIfAny(join(path, LOCK));
      if (lock === undefined || !existsSync(join(path, LOCK))) continue;
      this.path = path;
      this.#lock = lock;
      return;
    }
  }

  /** A fresh empty directory. */
  directory(prefix: string): string {
    return mkdtempSync(join(this.path, `${prefix}-`));
  }

  [Symbol.dispose](): void {
    // A sweep that looks at it just now may put the lock's file back once.
    rmSync(this.path, { recursive: true, force: true, maxRetries: 5 });
    this.#lock[Symbol.dispose]();
  }
}

/** Removes what dead processes left; gives the number of directories swept. */
export function sweepScratch(parent: string): number {
  makeDirectories(parent, 0o700);
  let swept = 0;
  for (const name of readdirSync(parent)) {
    const path = join(parent, name);
    const lockPath = join(path, LOCK);
    if (statSync(lockPath, { throwIfNoEntry: false }) === undefined) {
      const stat = statSync(path, { throwIfNoEntry: false });
      if (stat === undefined || Date.now() - stat.mtimeMs < YOUNG_MS) continue;
      rmSync(path, { recursive: true, force: true });
      swept += 1;
      continue;
    }
    using lock = lockIfAny(lockPath);
    if (lock === undefined) continue;
    rmSync(path, { recursive: true, force: true });
    swept += 1;
  }
  return swept;
}

/** undefined when somebody holds it, or is removing the directory just now. */
function lockIfAny(path: string): FileLock | undefined {
  try {
    return FileLock.try(path, 'exclusive');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
