/**
 * Kernel locks on files. They die with their holder, so nothing is ever stale. Waiting is polling with a growing pause,
 * because a blocking flock would stop the thread; after five seconds `onWait` is told once.
 *
 * @see flock(2)
 */
import { closeSync, constants, existsSync, openSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { LOCK_EX, LOCK_SH, tryFlock } from './libc.ts';

export type LockMode = 'shared' | 'exclusive';

export interface LockOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called once when the lock was not free for five seconds. */
  readonly onWait?: (path: string) => void;
}

const REPORT_AFTER_MS = 5000;
const LONGEST_PAUSE_MS = 50;

/** On a read-only file system a lock that is there can be taken as well: flock(2) asks for no right to write. */
function openLock(path: string): number {
  try {
    return openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EROFS' || !existsSync(path)) throw error;
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  }
}

/** A held lock. Releasing twice is harmless. */
export class FileLock implements Disposable {
  #fd: number | undefined;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** The lock, or undefined when another holder is in the way. Creates the file (mode 0600) if missing. */
  static try(path: string, mode: LockMode): FileLock | undefined {
    const fd = openLock(path);
    let taken = false;
    try {
      taken = tryFlock(fd, mode === 'shared' ? LOCK_SH : LOCK_EX);
    } finally {
      if (!taken) closeSync(fd);
    }
    return taken ? new FileLock(fd) : undefined;
  }

  /** Waits for the lock. @throws the signal's reason when aborted */
  static async acquire(path: string, mode: LockMode, options: LockOptions = {}): Promise<FileLock> {
    const started = Date.now();
    let reported = false;
    for (let wait = 1; ; wait = Math.min(wait * 2, LONGEST_PAUSE_MS)) {
      options.signal?.throwIfAborted();
      const lock = FileLock.try(path, mode);
      if (lock !== undefined) return lock;
      if (!reported && Date.now() - started > REPORT_AFTER_MS) {
        reported = true;
        options.onWait?.(path);
      }
      await pause(wait, undefined, options.signal === undefined ? {} : { signal: options.signal });
    }
  }

  /** The open file the lock is on. */
  get fd(): number {
    if (this.#fd === undefined) throw new Error('the lock was released');
    return this.#fd;
  }

  [Symbol.dispose](): void {
    if (this.#fd === undefined) return;
    // Closing the only descriptor releases the lock; children never inherit it (O_CLOEXEC is node's default).
    closeSync(this.#fd);
    this.#fd = undefined;
  }
}
