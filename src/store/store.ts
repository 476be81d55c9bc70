/**
 * One store, opened: its tables, its locks, its temporary directory. Opening sweeps what a crash left behind.
 *
 * Locks. Every process that has the store open holds `use` shared; whoever deletes content nobody refers to takes it
 * exclusive without waiting, and leaves the work to the next one when somebody else is busy. So nothing that a running
 * build is about to name can vanish, and nobody waits for a builder.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import { FileLock } from '../sys/file-lock.ts';
import { ContentLists } from './content-lists.ts';
import { ContentStore } from './content-store.ts';
import { ImageTable } from './image-table.ts';
import { LayerTable } from './layer-table.ts';
import { RecordDirectory } from './record-directory.ts';
import { Scratch, sweepScratch } from './scratch.ts';
import { StepTable } from './step-table.ts';
import { type StorePaths, storePaths } from './store-paths.ts';

export class Store<ContainerRecord, StepResult> implements Disposable {
  readonly paths: StorePaths;
  readonly blobs: ContentStore;
  readonly layers: LayerTable;
  readonly images: ImageTable;
  readonly containers: RecordDirectory<ContainerRecord>;
  readonly steps: StepTable<StepResult>;
  /** Files that steps copied. */
  readonly contentLists: ContentLists;
  #use: FileLock | undefined;
  #scratch: Scratch | undefined;

  constructor(paths: StorePaths, use: FileLock) {
    this.paths = paths;
    this.#use = use;
    this.blobs = new ContentStore(paths.blobs, () => this.scratch.path);
    this.layers = new LayerTable(paths.layers, paths.chains);
    this.images = new ImageTable(paths.images, paths.locks);
    this.containers = new RecordDirectory(paths.containers, paths.locks);
    this.steps = new StepTable(paths.steps);
    this.contentLists = new ContentLists(join(paths.cache, 'lists'));
  }

  /** This process's temporary directory, made on first use. */
  get scratch(): Scratch {
    this.#scratch ??= new Scratch(this.paths.tmp);
    return this.#scratch;
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
 * Opens the store below `root`, making it if there is none.
 * @throws `sys.not-permitted` when the directory cannot be written
 */
export async function openStore<C, S>(root: string, runroot: string): Promise<Store<C, S>> {
  const paths = storePaths(root, runroot);
  try {
    // Making the deepest ones makes the others; each is private, for layers hold setuid programs.
    for (const path of [
      paths.blobs,
      paths.layers,
      paths.chains,
      paths.rootfs,
      paths.containers,
      paths.steps,
      paths.cache,
      paths.tmp,
      paths.locks,
    ]) {
      mkdirSync(path, { recursive: true, mode: 0o700 });
    }
  } catch (cause) {
    throw new BuilderError('sys.not-permitted', `cannot open the store ${root}`, {
      cause,
      hint: 'choose a directory you can write with --root and --runroot',
    });
  }
  const use = await FileLock.acquire(join(paths.locks, 'use'), 'shared');
  sweepScratch(paths.tmp);
  return new Store<C, S>(paths, use);
}
