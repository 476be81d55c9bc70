/**
 * One store, opened: its tables, its locks, its temporary directory. Opening sweeps what a crash left behind.
 *
 * Locks. Every process that has the store open holds `use` shared; whoever deletes content nobody refers to takes it
 * exclusive without waiting, and leaves the work to the next one when somebody else is busy. So nothing that a running
 * build is about to name can vanish, and nobody waits for a builder.
 */
import { existsSync, realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import { FileLock } from '../sys/file-lock.ts';
import { makeDirectories } from '../sys/make-directories.ts';
import { ContentLists } from './content-lists.ts';
import { ContentStore } from './content-store.ts';
import { ImageTable } from './image-table.ts';
import { LayerTable } from './layer-table.ts';
import { RecordDirectory } from './record-directory.ts';
import { Scratch, sweepScratch } from './scratch.ts';
import { StepTable } from './step-table.ts';
import { isSharedRuntime, type StorePaths, type StorePlaces, storePaths } from './store-paths.ts';
import { StoreUsers } from './store-users.ts';

export class Store<ContainerRecord, StepResult> implements Disposable {
  readonly paths: StorePaths;
  readonly blobs: ContentStore;
  readonly layers: LayerTable;
  readonly images: ImageTable;
  readonly containers: RecordDirectory<ContainerRecord>;
  readonly steps: StepTable<StepResult>;
  /** Files that steps copied. */
  readonly contentLists: ContentLists;
  /** Whose containers stand on it. */
  readonly users: StoreUsers;
  /** Containers have vanished with their run root since somebody looked: what they wrote may be swept. */
  readonly hasLostContainers: boolean;
  #use: FileLock | undefined;
  #scratch: Scratch | undefined;

  constructor(paths: StorePaths, use: FileLock, users: { readonly all: StoreUsers; readonly hasLost: boolean }) {
    this.paths = paths;
    this.#use = use;
    this.users = users.all;
    this.hasLostContainers = users.hasLost;
    this.blobs = new ContentStore(paths.blobs, () => this.scratch.path);
    this.layers = new LayerTable(paths.layers, paths.chains);
    this.images = new ImageTable(paths.images, paths.locks);
    this.containers = new RecordDirectory(paths.containers, paths.containerLocks);
    this.steps = new StepTable(paths.steps);
    this.contentLists = new ContentLists(join(paths.cache, 'lists'));
  }

  /** This process's temporary directory, made on first use. */
  get scratch(): Scratch {
    this.#scratch ??= new Scratch(this.paths.tmp);
    return this.#scratch;
  }

  /** Containers that stand on this store and are listed elsewhere, with the directory of their records. */
  otherContainers(): readonly { readonly record: ContainerRecord; readonly directory: string }[] {
    return this.users
      .others()
      .flatMap((directory) =>
        new RecordDirectory<ContainerRecord>(directory, directory).list().map((record) => ({ record, directory })),
      );
  }

  /** Whoever lists them. @throws `sys.not-permitted`, `store.damaged` where that cannot be told */
  everyContainer(): readonly ContainerRecord[] {
    return [...this.containers.list(), ...this.otherContainers().map(({ record }) => record)];
  }

  /** Whether anybody has a container of that id, be its record readable or not. */
  isContainer(id: string): boolean {
    return [this.paths.containers, ...this.users.others()].some((directory) => existsSync(join(directory, id)));
  }

  /**
   * Runs `work` while no other process has the store open; gives undefined without waiting when one has.
   */
  async alone<R>(work: () => Promise<R>): Promise<R | undefined> {
    const path = join(this.paths.locks, 'use');
    // A shared lock cannot be made exclusive atomically: let go, try, and take the shared one back in any case.
    this.#use?.[Symbol.dispose]();
    this.#use = undefined;
    const exclusive = FileLock.try(path, 'exclusive');
    try {
      return exclusive === undefined ? undefined : await work();
    } finally {
      exclusive?.[Symbol.dispose]();
      this.#use = await FileLock.acquire(path, 'shared');
    }
  }

  [Symbol.dispose](): void {
    this.#scratch?.[Symbol.dispose]();
    this.#scratch = undefined;
    this.#use?.[Symbol.dispose]();
    this.#use = undefined;
  }
}

/**
 * Opens the store, making it if there is none.
 * @throws `sys.not-permitted` when a directory cannot be written, `usage.invalid` for an image store that is the root
 */
export async function openStore<C, S>(places: StorePlaces): Promise<Store<C, S>> {
  const paths = storePaths(settled(places));
  // Making the deepest ones makes the others.
  makePlaces(paths, [
    paths.blobs,
    paths.layers,
    paths.chains,
    paths.rootfs,
    paths.steps,
    paths.cache,
    paths.tmp,
    paths.locks,
  ]);
  const use = await FileLock.acquire(join(paths.locks, 'use'), 'shared');
  const users = new StoreUsers(paths);
  const hasLost = users.hasLostTransient();
  makePlaces(paths, [paths.containers, paths.containerLocks]);
  users.register();
  sweepScratch(paths.tmp);
  return new Store<C, S>(paths, use, { all: users, hasLost });
}

/** Containers are found by what names their store, so one place has to have one name. */
function settled(places: StorePlaces): StorePlaces {
  if (places.imageStore === undefined && places.isTransient !== true) return places;
  makePlaces(places, [places.root, places.runroot, ...(places.imageStore === undefined ? [] : [places.imageStore])]);
  const root = realpathSync(places.root);
  if (places.isTransient === true) requireOwn(places.runroot);
  if (places.imageStore === undefined) return { ...places, root };
  const imageStore = realpathSync(places.imageStore);
  if (imageStore === root) {
    throw new BuilderError('usage.invalid', `the image store ${places.imageStore} is the root of the store itself`, {
      hint: 'name another directory with --imagestore, or none',
    });
  }
  return { ...places, root, imageStore };
}

/** Where others could put them, records of containers are not believed. */
function requireOwn(runroot: string): void {
  const parent = dirname(runroot);
  for (const path of isSharedRuntime(parent) ? [parent, runroot] : [runroot]) {
    const { uid, mode } = statSync(path);
    if (uid === process.geteuid?.() && (mode & 0o002) === 0) continue;
    throw new BuilderError('sys.not-permitted', `cannot keep containers in ${path}: others may write there`, {
      hint: 'choose a directory of your own with --runroot, or set XDG_RUNTIME_DIR',
    });
  }
}

/** Each is private, for layers hold setuid programs. */
function makePlaces(places: StorePlaces, directories: readonly string[]): void {
  try {
    for (const path of directories) makeDirectories(path, 0o700);
  } catch (cause) {
    const { imageStore } = places;
    const where = imageStore === undefined ? '' : ` with images in ${imageStore}`;
    const flags = imageStore === undefined ? '--root and --runroot' : '--root, --runroot and --imagestore';
    throw new BuilderError('sys.not-permitted', `cannot open the store ${places.root}${where}`, {
      cause,
      hint: `choose a directory you can write with ${flags}`,
    });
  }
}
