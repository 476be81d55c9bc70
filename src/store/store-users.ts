/**
 * Whose containers stand on a store: an image store may serve several roots, and a transient store keeps its containers
 * with the run root. Each is a link to a directory of container records, so that removing content can ask all of them.
 * One whose directory has vanished is no user any more, and what its containers wrote may go.
 */
import { existsSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import { digestOf, hexOf } from '../spec/digest.ts';
import { errnoOf } from '../sys/libc.ts';
import { makeDirectories } from '../sys/make-directories.ts';
import { syncDirectory } from './atomic-file.ts';
import type { StorePaths } from './store-paths.ts';

const TRANSIENT = 'transient-';
const LASTING = 'root-';

export class StoreUsers {
  readonly #folder: string;
  /** Directory of the containers this process works with. */
  readonly #own: string;
  /** Of those who use the store without naming another place for containers. */
  readonly #plain: string;
  readonly #isTransient: boolean;

  constructor(paths: StorePaths) {
    this.#isTransient = paths.isTransient === true;
    this.#folder = paths.users;
    this.#own = paths.containers;
    this.#plain = join(paths.base, 'containers');
  }

  #links(): readonly string[] {
    return existsSync(this.#folder) ? readdirSync(this.#folder).map((name) => join(this.#folder, name)) : [];
  }

  /** Says, before a container is made, that there may be some; what it says survives a power loss. */
  register(): void {
    if (this.#own === this.#plain) return;
    const kind = this.#isTransient ? TRANSIENT : LASTING;
    const link = join(this.#folder, `${kind}${hexOf(digestOf(this.#own)).slice(0, 32)}`);
    makeDirectories(this.#folder, 0o700);
    try {
      symlinkSync(this.#own, link);
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') return;
      throw error;
    }
    syncDirectory(this.#folder);
  }

  /** Directories of containers that are not this process's own. @throws `sys.not-permitted` where one cannot be read */
  others(): readonly string[] {
    const own = identity(this.#own);
    const places = [this.#plain, ...this.#links()];
    return places.filter((path) => ![own, undefined].includes(identity(path)));
  }

  /**
   * Whether containers are gone with a run root. Of other roots it is asked only when something is removed: they may be
   * on a disk that is put in again.
   */
  hasLostTransient(): boolean {
    return this.#links().some((link) => basename(link).startsWith(TRANSIENT) && isDangling(link));
  }

  /** Only while nobody else has the store open. */
  forgetVanished(): void {
    for (const link of this.#links()) if (isDangling(link)) rmSync(link, { force: true });
  }
}

/** One that cannot be looked at is no such. */
function isDangling(link: string): boolean {
  try {
    return identity(link) === undefined;
  } catch {
    return false;
  }
}

/** The same for every path of a directory; undefined when it is not there. */
function identity(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined;
    throw new BuilderError('sys.not-permitted', `cannot tell what the containers in ${path} need: ${errno}`, { cause });
  }
}
