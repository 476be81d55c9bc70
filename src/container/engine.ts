/** What every verb works with: the store, the snapshots in it, and how to speak to the outside. */
import { existsSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isBuilderError } from '../report/builder-error.ts';
import type { Emit } from '../report/event.ts';
import { chooseDriver, openSnapshotter } from '../rootfs/open-snapshotter.ts';
import type { Snapshotter } from '../rootfs/snapshotter.ts';
import type { DiffId } from '../spec/digest.ts';
import { readJsonFile, writeAtomic } from '../store/atomic-file.ts';
import { openStore, type Store } from '../store/store.ts';
import type { StorePaths, StorePlaces } from '../store/store-paths.ts';
import { mendContainers } from './interrupted-commit.ts';
import type { StepResult } from './step-result.ts';
import type { StorageOptions } from './storage-options.ts';
import type { WorkingContainer } from './working-container.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Engine extends AsyncDisposable {
  readonly store: Store<WorkingContainer, StepResult>;
  readonly snapshots: Snapshotter;
  readonly emit: Emit;
  readonly env: Environment;
  readonly cwd: string;
  readonly signal: AbortSignal | undefined;
  /** The caller's own uid, outside any user namespace. */
  readonly callerUid: number;
  readonly registriesConf: string | undefined;
  readonly registriesConfDir: string | undefined;
  readonly shortNameAliasConf: string | undefined;
  /** Absolute path; undefined for the machine's. */
  readonly signaturePolicy: string | undefined;
  /** File that lists what every process is shown; the usual ones unless told. */
  readonly defaultMountsFile: string | undefined;
  readonly storage: EngineStorage;
  /** Of a build that imports a cache. */
  readonly remoteLayers?: RemoteLayers;
}

/** Options of the storage driver: as they were given, and those the verbs ask for. */
export interface EngineStorage extends Pick<StorageOptions, 'ignoreChownErrors' | 'lenders'> {
  readonly texts: readonly string[];
  /** They were given with a word, and not by a file for many tools. */
  readonly isGiven: boolean;
}

/** Layers that are somewhere else and are fetched once somebody reads them. */
export interface RemoteLayers {
  has(diffId: DiffId): boolean;
  /** Puts the layer into the store, verified. @throws `cache.damaged` */
  fetch(diffId: DiffId): Promise<void>;
}

export interface EngineOptions
  extends StorePlaces,
    Omit<Engine, 'store' | 'snapshots' | 'storage' | typeof Symbol.asyncDispose> {
  /** Default: the one the store was made with; for a new store the best that works there. */
  readonly driver?: StorageDriver | undefined;
  /** For a new store, in the place of the best that works there. */
  readonly newStoreDriver?: StorageDriver | undefined;
  /** `KEY=VALUE`. @see parseStorageOptions */
  readonly storageOptions?: readonly string[] | undefined;
  /** Those of storage.conf, where none were given. */
  readonly configuredStorageOptions?: readonly string[] | undefined;
}

export type StorageDriver = Snapshotter['driver'];

let keys = 0;

/** Key of an active snapshot that belongs to this process alone and is swept when it is gone. */
export function temporaryKey(engine: Engine): string {
  keys += 1;
  return `${basename(engine.store.scratch.path)}.${keys}`;
}

const TEMPORARY = /^(p-\w{6})\.\d+/;

/** Removes active snapshots whose process died. */
async function sweepActive(snapshots: Snapshotter, paths: StorePaths): Promise<void> {
  const { active } = await snapshots.list();
  for (const key of active.keys()) {
    const owner = TEMPORARY.exec(key)?.[1];
    if (owner !== undefined && !existsSync(join(paths.tmp, owner))) await snapshots.removeActive(key);
  }
}

/** @throws `sys.not-permitted`, `driver.unavailable`, `store.format`, `usage.invalid`, `usage.unsupported` */
export async function openEngine(o: EngineOptions): Promise<Engine> {
  const store = await openStore<WorkingContainer, StepResult>({
    root: o.root,
    runroot: o.runroot,
    imageStore: o.imageStore,
    isTransient: o.isTransient,
  });
  const driver = o.driver ?? rememberedDriver(store.paths, o.newStoreDriver);
  const { options, ...storage } = await storageOf(o, driver);
  const snapshots = await openSnapshotter(driver, join(store.paths.rootfs, driver), options);
  await sweepActive(snapshots, store.paths);
  await mendContainers(store, snapshots);
  return {
    store,
    snapshots,
    emit: o.emit,
    env: o.env,
    cwd: o.cwd,
    signal: o.signal,
    callerUid: o.callerUid,
    registriesConf: o.registriesConf,
    registriesConfDir: o.registriesConfDir,
    shortNameAliasConf: o.shortNameAliasConf,
    signaturePolicy: o.signaturePolicy,
    defaultMountsFile: o.defaultMountsFile,
    storage,
    async [Symbol.asyncDispose]() {
      store[Symbol.dispose]();
    },
  };
}

/** Most machines set no options, and their parser need not be loaded. */
async function storageOf(
  o: EngineOptions,
  driver: StorageDriver,
): Promise<EngineStorage & { readonly options?: Pick<StorageOptions, 'mountOptions'> }> {
  const { storageOptions, configuredStorageOptions: configured = [] } = o;
  const texts = storageOptions ?? configured;
  const isGiven = storageOptions !== undefined;
  if (texts.length === 0) return { texts, isGiven, ignoreChownErrors: false, lenders: [] };
  const parsers = await import('./storage-options.ts');
  const options =
    storageOptions === undefined
      ? parsers.configuredStorageOptions(texts, driver)
      : parsers.parseStorageOptions(texts, driver);
  const { ignoreChownErrors, lenders } = options;
  return { texts, isGiven, ignoreChownErrors, lenders, options };
}

/** A store keeps the driver its first user got, so that the probe runs once and containers stay where they are. */
function rememberedDriver(paths: StorePaths, wanted: StorageDriver | undefined): StorageDriver {
  const file = join(paths.base, 'driver.json');
  const known = writtenDriver(file);
  if (known !== undefined) return known;
  // Where the file was cut off by a crash of the machine, the directory tells.
  const used = existsSync(file) ? DRIVERS.find((name) => existsSync(join(paths.rootfs, name))) : undefined;
  const driver = used ?? wanted ?? chooseDriver(join(paths.rootfs, 'probe')).driver;
  rmSync(join(paths.rootfs, 'probe'), { recursive: true, force: true });
  writeAtomic(file, JSON.stringify({ driver }), { durable: false });
  return driver;
}

const DRIVERS: readonly StorageDriver[] = ['overlay', 'vfs'];

function writtenDriver(file: string): StorageDriver | undefined {
  try {
    const known = readJsonFile(file) as { readonly driver?: unknown } | undefined;
    return DRIVERS.find((name) => name === known?.driver);
  } catch (error) {
    if (isBuilderError(error, 'store.damaged')) return undefined;
    throw error;
  }
}
