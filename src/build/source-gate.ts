/**
 * Where everything a build reads from elsewhere passes: the source policy says whether it may and what is read in its
 * place, a lock file what it has to be; what it came to is kept for the lock file that is written.
 */
import { join, resolve } from 'node:path';
import type { FetchedInput } from '../attest/build-facts.ts';
import type { Engine } from '../container/engine.ts';
import { isGitUrl, parseGitUrl } from '../container/git-url.ts';
import {
  type ContextLogins,
  contextUrl,
  type FetchedContext,
  fetchContext,
  isRemoteContext,
} from '../container/remote-context.ts';
import { fetchSources, type RemoteFiles, type RemoteFilesOptions } from '../container/remote-files.ts';
import type { BuildOptions } from '../container/verb-options.ts';
import { BuilderError, isBuilderError } from '../report/builder-error.ts';
import { type Digest, isDigest } from '../spec/digest.ts';
import { formatPlatform, hostPlatform, normalizePlatform, type Platform, parsePlatform } from '../spec/platform.ts';
import { openLocalContext } from './build-context.ts';
import { withoutCredentials } from './build-inputs.ts';
import type { FindImage } from './find-image.ts';
import { type Lock, type LockedImage, readLock, writeLock } from './lock-file.ts';
import { imageText, LockRecord } from './lock-record.ts';
import { findLockedImage } from './locked-image.ts';
import { outputFile } from './output-file.ts';
import type { SourceRules } from './policed-source.ts';

/** A download or checkout, and what it has to be. */
interface Fetch {
  readonly url: string;
  readonly checksum: string | undefined;
  readonly commit: string | undefined;
}

const UPDATE = 'if this is wanted, update the lock file: build with --lock FILE and without --locked';

export class SourceGate {
  readonly #engine: Engine;
  readonly #rules: SourceRules | undefined;
  /** Of the lock file that is obeyed or written. */
  readonly #path: string | undefined;
  readonly #lock: Lock | undefined;
  /** For the lock file that is written. Other builds may well read two things of one name. */
  readonly #record: LockRecord | undefined;
  /** Entries of the obeyed lock that something asked for. */
  readonly #used = new Set<object>();

  /** @throws `policy.invalid`, `lock.invalid`, `usage.invalid` where a lock file has no place */
  static async open(engine: Engine, o: BuildOptions): Promise<SourceGate> {
    const { sourcePolicyFile: file } = o;
    // Loaded for those who have rules: it brings the registry configuration along.
    if (file === undefined) return new SourceGate(engine, o, undefined);
    return new SourceGate(engine, o, (await import('./policed-source.ts')).SourceRules.read(engine, file));
  }

  private constructor(engine: Engine, o: BuildOptions, rules: SourceRules | undefined) {
    this.#engine = engine;
    this.#rules = rules;
    this.#path = lockPath(engine, o);
    this.#lock = o.locked === true ? readLock(this.#path!) : undefined;
    this.#record = this.#path === undefined || this.#lock !== undefined ? undefined : new LockRecord();
  }

  /** @param name `context`, or that of a named context. @throws `policy.denied` */
  requireLocal(name: string): void {
    this.#rules?.local(name);
  }

  /** The reference read in the place of another. @throws `policy.denied`, `lock.missing` */
  requireImage(reference: string, platform: Platform | undefined): string {
    const allowed = this.#rules?.image(reference) ?? reference;
    this.#lockedImage(allowed, platform);
    return allowed;
  }

  /** As `find`, within the rules. */
  images(find: FindImage): FindImage {
    return async (engine, reference, o) => {
      const allowed = this.#rules?.image(reference) ?? reference;
      const locked = this.#lockedImage(allowed, o.platform);
      const found =
        locked === undefined
          ? await find(engine, allowed, o)
          : await findLockedImage(engine, locked, find, o, this.#path!);
      const { manifest, names } = found.image.record;
      this.#rules?.found(allowed, { name: found.name, names });
      const { digest } = manifest;
      this.#record?.image({ reference: allowed, platform: platformText(o.platform), name: found.name, digest });
      return found;
    };
  }

  /**
   * The platforms an image may be read for. A lock that is obeyed knows them itself: those it has the image for.
   * @throws `policy.denied`, `lock.missing`
   */
  async platformsOf(
    reference: string,
    find: (reference: string) => Promise<readonly Platform[]>,
  ): Promise<readonly Platform[]> {
    const allowed = this.#rules?.image(reference) ?? reference;
    if (this.#lock === undefined) return await find(allowed);
    const entries = this.#lock.images.filter((entry) => entry.reference === allowed);
    this.#entry(entries[0], `the image ${allowed}`);
    return entries.flatMap(({ platform }) => parsePlatform(platform) ?? []);
  }

  #lockedImage(reference: string, platform: Platform | undefined): LockedImage | undefined {
    if (this.#lock === undefined) return undefined;
    const wanted = platformText(platform);
    const found = this.#lock.images.find((entry) => entry.reference === reference && entry.platform === wanted);
    return this.#entry(found, imageText({ reference, platform: wanted }));
  }

  #entry<T extends object>(found: T | undefined, what: string): T {
    if (found === undefined) {
      throw new BuilderError('lock.missing', `cannot build locked: ${what} is not in the lock file ${this.#path!}`, {
        hint: UPDATE,
        facts: { lock: this.#path! },
      });
    }
    this.#used.add(found);
    return found;
  }

  /**
   * What is known before anything is fetched: that it may be, and that the lock has it. With a whole checksum nothing
   * may need to be fetched at all. @throws `policy.denied`, `lock.missing`, `lock.mismatch`
   */
  requireFetch(text: string, checksum: string | undefined): void {
    const { url, checksum: wanted } = this.#admit(text, checksum);
    if (wanted === undefined) return;
    if (!isGitUrl(url)) this.#record?.fetched({ kind: 'http', url, digest: wanted as Digest });
    else if (/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(wanted))
      this.#record?.fetched({ kind: 'git', url, commit: wanted });
  }

  /** As the function of that name, within the rules. */
  async fetchSources(engine: Engine, text: string, o: RemoteFilesOptions): Promise<RemoteFiles> {
    const fetch = this.#admit(text, o.checksum);
    const kind = isGitUrl(fetch.url) ? 'git' : 'http';
    const { checksum, commit } = fetch;
    return this.#take(fetch, () => fetchSources(engine, fetch.url, kind, { ...o, checksum, commit }));
  }

  /** As the function of that name, within the rules. */
  async fetchContext(engine: Engine, text: string, logins: ContextLogins): Promise<FetchedContext> {
    const fetch = this.#admit(contextUrl(text), undefined);
    return this.#take(fetch, () => fetchContext(engine, fetch.url, logins, fetch));
  }

  #admit(text: string, checksum: string | undefined): Fetch {
    const asked = { url: text, checksum };
    const allowed = this.#rules?.fetch(asked) ?? asked;
    const lock = this.#lock;
    if (lock === undefined) return { ...allowed, commit: undefined };
    const url = withoutCredentials(allowed.url);
    if (isGitUrl(url)) {
      const locked = this.#entry(
        lock.git.find((entry) => entry.url === url),
        `the repository ${url}`,
      );
      const wanted = allowed.checksum ?? parseGitUrl(url).checksum;
      if (wanted !== undefined && !locked.commit.startsWith(wanted)) throw this.#mismatch(url, locked.commit, wanted);
      return { ...allowed, commit: locked.commit };
    }
    const locked = this.#entry(
      lock.http.find((entry) => entry.url === url),
      `the download ${url}`,
    );
    if (isDigest(allowed.checksum ?? '') && allowed.checksum !== locked.digest) {
      throw this.#mismatch(url, locked.digest, allowed.checksum!);
    }
    return { url: allowed.url, checksum: allowed.checksum ?? locked.digest, commit: undefined };
  }

  async #take<T extends { readonly input: FetchedInput }>(fetch: Fetch, act: () => Promise<T>): Promise<T> {
    try {
      const fetched = await act();
      this.#record?.fetched(fetched.input);
      return fetched;
    } catch (error) {
      if (this.#lock === undefined || !isBuilderError(error, 'blob.digest-mismatch')) throw error;
      const { expected, actual } = error.facts;
      throw this.#mismatch(withoutCredentials(fetch.url), String(expected), String(actual));
    }
  }

  #mismatch(url: string, locked: string, found: string): BuilderError {
    return new BuilderError('lock.mismatch', `cannot use ${url}: it is locked to ${locked}, but is ${found}`, {
      hint: UPDATE,
      facts: { lock: this.#path!, locked, found },
    });
  }

  /** At the end of a build: writes the lock file where one is wanted, names what is stale in one that was obeyed. */
  end(): void {
    if (this.#lock !== undefined) this.#tellStale(this.#lock);
    if (this.#record !== undefined && writeLock(this.#path!, this.#record.lock)) {
      this.#engine.emit({ type: 'note', text: `wrote the lock file ${this.#path}` });
    }
  }

  #tellStale({ images, http, git }: Lock): void {
    const stale = [
      ...images.map((entry) => [entry, `${entry.reference} (${entry.platform})`] as const),
      ...[...http, ...git].map((entry) => [entry, entry.url] as const),
    ].flatMap(([entry, text]) => (this.#used.has(entry) ? [] : [text]));
    if (stale.length === 0) return;
    const text = `the lock file ${this.#path} has entries this build does not need: ${stale.join(', ')}`;
    this.#engine.emit({ type: 'warning', code: 'lock.stale', text });
  }
}

function platformText(platform: Platform | undefined): string {
  return formatPlatform(normalizePlatform(platform ?? hostPlatform()));
}

/** Name of the lock file in a context that is a directory of this machine. */
const DEFAULT_LOCK = 'slipway.lock';

/** Of the lock file to write or obey, if any. */
function lockPath({ cwd }: Engine, { lock, locked, context }: BuildOptions): string | undefined {
  if (locked !== true) return lock === undefined ? undefined : outputFile(lock, cwd, '--lock');
  if (lock !== undefined) return resolve(cwd, lock);
  if (context !== '-' && !(context !== undefined && isRemoteContext(context))) {
    return join(openLocalContext(cwd, context).dir, DEFAULT_LOCK);
  }
  throw new BuilderError('usage.invalid', 'a locked build of a context that is no local directory needs --lock FILE');
}
