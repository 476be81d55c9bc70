/**
 * Where a driver keeps its snapshots, and how they come and go.
 *
 *   <root>/active/<name>/     a writable snapshot: fs/ and record.json
 *   <root>/snapshots/<id>/    a sealed one, the same directory renamed
 *   <root>/l/<id>             short link to ../snapshots/<id>/fs, so that hundreds of layers fit a mount's options
 *   <root>/mounts/<name>/     a mount in use: work/, merged/ and a lock file its process holds
 *   <root>/tmp/<name>/        being made or being removed
 *   <root>/empty/             shown for "no snapshot"
 *
 * A snapshot appears and disappears by one rename of its directory, so a killed process leaves only garbage below tmp
 * and mounts. Opening sweeps that, unless another process is in the middle of a change, which it says by holding the
 * lock file shared.
 *
 * Nothing is flushed to disk here: a flush of one record would force the whole journal out in the middle of a build,
 * and a record without its files would be worth nothing. `flush` makes everything durable at once.
 */
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import { digestOf, hexOf } from '../spec/digest.ts';
import { FileLock } from '../sys/file-lock.ts';
import { writeFile } from '../sys/file-write.ts';
import { AT_FDCWD, errnoOf, exchange, lutimensat, syncfs } from '../sys/libc.ts';
import { makeDirectories } from '../sys/make-directories.ts';
import { unmount } from '../sys/mount.ts';
import { removeTree } from './remove-tree.ts';
import type { SnapshotId } from './snapshotter.ts';

export type SnapshotRef = { readonly key: string } | { readonly id: SnapshotId };

/** record.json of a snapshot. */
export interface SnapshotRecord {
  readonly version: 1;
  /** The key it has, or had before it was sealed. */
  readonly key: string;
  readonly parent?: SnapshotId;
  /** Root of the tree, in another store that is only read; absent where it is `fs` beside the record. */
  readonly at?: string;
}

/** What is wrong with a snapshot as such: its record cannot be read, or the link is gone by which it is mounted. */
export interface SnapshotProblem {
  readonly snapshot: SnapshotRef;
  readonly what: 'record' | 'link';
}

/** A snapshot in the making, below tmp; publish it or discard it. */
export interface SnapshotDraft extends Disposable {
  /** Directory of the snapshot; `fs` in it is the root of the tree. */
  readonly path: string;
  readonly fs: string;
}

/** A place to mount on, held by a lock until disposed. */
export interface MountPlace extends Disposable {
  readonly work: string;
  readonly merged: string;
}

const PLAIN_KEY = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/;
const ID = /^[0-9a-z]{6}$/;
const ID_DIGITS = '0123456789abcdefghijklmnopqrstuvwxyz';
/** The mtime of a fresh, empty root directory. */
const EPOCH = { seconds: 0, nanoseconds: 0 };

const nameOfKey = (key: string): string => (PLAIN_KEY.test(key) ? key : `_${hexOf(digestOf(key))}`);
const randomName = (): string => randomBytes(8).toString('hex');
const newId = (): SnapshotId =>
  Array.from(randomBytes(6), (byte) => ID_DIGITS[byte % ID_DIGITS.length]).join('') as SnapshotId;

export class SnapshotDirectory {
  readonly root: string;
  readonly #active: string;
  readonly #sealed: string;
  readonly #temporary: string;
  readonly #mounts: string;
  readonly #lock: string;
  readonly empty: string;
  /** Directory of the short links. */
  readonly links: string;

  constructor(root: string) {
    this.root = root;
    this.#active = join(root, 'active');
    this.#sealed = join(root, 'snapshots');
    this.#temporary = join(root, 'tmp');
    this.#mounts = join(root, 'mounts');
    this.#lock = join(root, 'lock');
    this.links = join(root, 'l');
    this.empty = join(root, 'empty');
    for (const path of [this.#active, this.#sealed, this.#temporary, this.#mounts, this.links]) {
      makeDirectories(path, 0o700);
    }
    if (!existsSync(this.empty)) makeRootDirectory(this.empty);
    this.#sweep();
  }

  /** Root of the tree of an existing snapshot. @throws `snapshot.not-known` */
  fsOf(snapshot: SnapshotRef): string {
    return this.record(snapshot).at ?? join(this.#pathOf(snapshot), 'fs');
  }

  /** Path of a file of the driver's own beside the tree. */
  fileOf(snapshot: SnapshotRef, name: string): string {
    return join(this.#pathOf(snapshot), name);
  }

  /** @throws `snapshot.not-known` */
  record(snapshot: SnapshotRef): SnapshotRecord {
    const record = this.recordIfAny(snapshot);
    if (record !== undefined) return record;
    const name = 'key' in snapshot ? snapshot.key : snapshot.id;
    throw new BuilderError(
      'snapshot.not-known',
      `no ${'key' in snapshot ? 'active' : 'sealed'} snapshot ${JSON.stringify(name)}`,
      {
        facts: { snapshot: name },
      },
    );
  }

  recordIfAny(snapshot: SnapshotRef): SnapshotRecord | undefined {
    if ('id' in snapshot && !ID.test(snapshot.id)) return undefined;
    const record = readRecord(join(this.#pathOf(snapshot), 'record.json'));
    return record?.at !== undefined && !existsSync(record.at) ? undefined : record;
  }

  /** The snapshot's sealed ancestors, nearest first, itself excluded. */
  ancestors(snapshot: SnapshotRef): SnapshotId[] {
    const found: SnapshotId[] = [];
    for (let at = this.record(snapshot).parent; at !== undefined; at = this.record({ id: at }).parent) found.push(at);
    return found;
  }

  /** Starts a snapshot whose tree is an empty root directory. */
  draft(record: SnapshotRecord): SnapshotDraft {
    const held = FileLock.try(this.#lock, 'shared') ?? this.#waitForSweep();
    const path = join(this.#temporary, randomName());
    let open = true;
    try {
      mkdirSync(path, { mode: 0o700 });
      const fs = join(path, 'fs');
      makeRootDirectory(fs);
      writeFile(join(path, 'record.json'), `${JSON.stringify(record)}\n`, { flag: 'wx', mode: 0o600 });
      return {
        path,
        fs,
        [Symbol.dispose]() {
          if (!open) return;
          open = false;
          removeTree(path);
          held[Symbol.dispose]();
        },
      };
    } catch (error) {
      held[Symbol.dispose]();
      throw error;
    }
  }

  /** Makes the draft the active snapshot `key`. @throws `snapshot.exists` */
  publishActive(draft: SnapshotDraft, key: string): void {
    try {
      renameSync(draft.path, this.#pathOf({ key }));
    } catch (cause) {
      const errno = errnoOf(cause);
      if (errno !== 'ENOTEMPTY' && errno !== 'EEXIST') throw cause;
      throw new BuilderError('snapshot.exists', `an active snapshot ${JSON.stringify(key)} exists already`, { cause });
    }
  }

  publishSealed(draft: SnapshotDraft): SnapshotId {
    return this.#sealDirectory(draft.path);
  }

  /** Makes a tree that lies elsewhere, and stays there, a sealed snapshot. */
  borrow(record: SnapshotRecord & { readonly at: string }): SnapshotId {
    using draft = this.draft(record);
    return this.#sealDirectory(draft.path, record.at);
  }

  /** Turns the active snapshot into a sealed one. */
  sealActive(key: string): SnapshotId {
    this.record({ key });
    using _ = this.#changing();
    return this.#sealDirectory(this.#pathOf({ key }));
  }

  #sealDirectory(path: string, at?: string): SnapshotId {
    for (;;) {
      const id = newId();
      try {
        // The link reserves the id: of two processes that draw the same, one gets EEXIST.
        symlinkSync(at ?? `../snapshots/${id}/fs`, join(this.links, id));
      } catch (error) {
        if (errnoOf(error) === 'EEXIST') continue;
        throw error;
      }
      renameSync(path, join(this.#sealed, id));
      return id;
    }
  }

  /** Removes a snapshot; one that does not exist is no error. */
  remove(snapshot: SnapshotRef): void {
    using _ = this.#changing();
    const doomed = join(this.#temporary, randomName());
    try {
      renameSync(this.#pathOf(snapshot), doomed);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return;
      throw error;
    }
    if ('id' in snapshot) removeTree(join(this.links, snapshot.id));
    removeTree(doomed);
  }

  /** Those whose records can be read; `problems` has the others. */
  sealed(): Map<SnapshotId, SnapshotId | undefined> {
    const found = new Map<SnapshotId, SnapshotId | undefined>();
    for (const name of readdirSync(this.#sealed)) {
      const id = name as SnapshotId;
      const record = this.recordIfAny({ id });
      if (record !== undefined) found.set(id, record.parent);
    }
    return found;
  }

  /** What was sealed last of all that had this key. */
  lastSealedAs(key: string): SnapshotId | undefined {
    const found = [...this.sealed().keys()].filter((id) => this.record({ id }).key === key);
    const sealedAt = (id: SnapshotId): bigint => statSync(this.#pathOf({ id }), { bigint: true }).ctimeNs;
    return found.sort((a, b) => (sealedAt(a) < sealedAt(b) ? -1 : 1)).at(-1);
  }

  /** What a crash of the machine, or a hand, did to snapshots as such; their content is not looked at. */
  problems(): readonly SnapshotProblem[] {
    const found: SnapshotProblem[] = [];
    for (const name of readdirSync(this.#sealed)) {
      const id = name as SnapshotId;
      if (this.recordIfAny({ id }) === undefined) found.push({ snapshot: { id }, what: 'record' });
      else if (!existsSync(join(this.links, id))) found.push({ snapshot: { id }, what: 'link' });
    }
    for (const name of readdirSync(this.#active)) {
      const isReadable = readRecord(join(this.#active, name, 'record.json')) !== undefined;
      if (!isReadable && existsSync(join(this.#active, name))) found.push({ snapshot: { key: name }, what: 'record' });
    }
    return found;
  }

  /** Writes the record of a sealed snapshot that lost its own, and its link. */
  restore(id: SnapshotId, parent: SnapshotId | undefined): void {
    if (this.recordIfAny({ id }) === undefined) {
      const record: SnapshotRecord = { version: 1, key: id, ...(parent === undefined ? {} : { parent }) };
      const path = join(this.#pathOf({ id }), 'record.json');
      writeFile(`${path}.new`, `${JSON.stringify(record)}\n`, { mode: 0o600, flush: true });
      renameSync(`${path}.new`, path);
    }
    this.#link(id);
  }

  #link(id: SnapshotId): void {
    if (!existsSync(join(this.links, id))) symlinkSync(`../snapshots/${id}/fs`, join(this.links, id));
  }

  /** Makes the record of a sealed snapshot unreadable again, after `restore` turned out wrong. */
  unrestore(id: SnapshotId): void {
    unlinkSync(join(this.#pathOf({ id }), 'record.json'));
  }

  /**
   * The active snapshot takes the place of a sealed one, in one step; what that held is removed. A sealed one that is
   * missing is there afterwards. Nobody may be using either.
   */
  replace(id: SnapshotId, key: string): void {
    this.record({ key });
    using _ = this.#changing();
    const path = this.#pathOf({ id });
    if (existsSync(path)) {
      const doomed = join(this.#temporary, randomName());
      renameSync(this.#pathOf({ key }), doomed);
      exchange(doomed, path);
      removeTree(doomed);
      // A borrowed one pointed elsewhere.
      if (readlinkSync(join(this.links, id)) === `../snapshots/${id}/fs`) return;
      unlinkSync(join(this.links, id));
      this.#link(id);
    } else {
      renameSync(this.#pathOf({ key }), path);
      this.#link(id);
    }
  }

  active(): Map<string, SnapshotId | undefined> {
    const found = new Map<string, SnapshotId | undefined>();
    for (const name of readdirSync(this.#active)) {
      const record = readRecord(join(this.#active, name, 'record.json'));
      if (record !== undefined) found.set(record.key, record.parent);
    }
    return found;
  }

  /** A fresh place to mount on; disposing unmounts what is there and removes it. */
  mountPlace(): MountPlace {
    using _ = this.#changing();
    const path = join(this.#mounts, randomName());
    const merged = join(path, 'merged');
    const work = join(path, 'work');
    mkdirSync(path, { mode: 0o700 });
    mkdirSync(merged, { mode: 0o700 });
    mkdirSync(work, { mode: 0o700 });
    const lock = FileLock.try(join(path, 'lock'), 'exclusive');
    let open = true;
    return {
      merged,
      work,
      [Symbol.dispose]: () => {
        if (!open) return;
        open = false;
        // Removing takes the lock's file along, after which a sweep would think that nobody has this place.
        using _ = this.#changing();
        unmount(merged);
        removeTree(path);
        lock?.[Symbol.dispose]();
      },
    };
  }

  /** Writes everything of this file system to disk. */
  flush(): void {
    const fd = openSync(this.root, 'r');
    try {
      syncfs(fd);
    } finally {
      closeSync(fd);
    }
  }

  #pathOf(snapshot: SnapshotRef): string {
    return 'key' in snapshot ? join(this.#active, nameOfKey(snapshot.key)) : join(this.#sealed, snapshot.id);
  }

  /** Says that something below tmp or mounts is in the making, so that nobody sweeps it. */
  #changing(): FileLock {
    return FileLock.try(this.#lock, 'shared') ?? this.#waitForSweep();
  }

  /** A sweep is short and holds the lock alone; it is over in milliseconds. */
  #waitForSweep(): FileLock {
    const pause = new Int32Array(new SharedArrayBuffer(4));
    for (;;) {
      const lock = FileLock.try(this.#lock, 'shared');
      if (lock !== undefined) return lock;
      Atomics.wait(pause, 0, 0, 2);
    }
  }

  #sweep(): void {
    using lock = FileLock.try(this.#lock, 'exclusive');
    if (lock === undefined) return;
    for (const name of readdirSync(this.#temporary)) removeTree(join(this.#temporary, name));
    for (const name of readdirSync(this.#mounts)) this.#sweepMount(join(this.#mounts, name));
    for (const name of readdirSync(this.links)) {
      if (!existsSync(join(this.#sealed, name))) unlinkSync(join(this.links, name));
    }
  }

  #sweepMount(path: string): void {
    using lock = FileLock.try(join(path, 'lock'), 'exclusive');
    if (lock === undefined) return;
    unmount(join(path, 'merged'));
    removeTree(path);
  }
}

function readRecord(path: string): SnapshotRecord | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined;
    throw error;
  }
  const record = parsed(text);
  if (record === undefined || record.version === 1) return record;
  throw new BuilderError(
    'store.format',
    `the snapshot record ${path} has the unknown version ${JSON.stringify(record.version)}`,
  );
}

/** One that a crash of the machine cut off is as good as none: a layer is unpacked again, and `problems` tells. */
function parsed(text: string): SnapshotRecord | undefined {
  try {
    return JSON.parse(text) as SnapshotRecord;
  } catch {
    return undefined;
  }
}

/** The root directory of an empty tree looks the same whatever the driver, user, umask and time. */
function makeRootDirectory(path: string): void {
  mkdirSync(path);
  chmodSync(path, 0o755);
  lutimensat(AT_FDCWD, path, EPOCH);
}
