/** What every verb works with: the store, the snapshots in it, and how to speak to the outside. */
import { join } from 'node:path';
import type { Emit } from '../report/event.ts';
import { openSnapshotter } from '../rootfs/open-snapshotter.ts';
import type { Snapshotter } from '../rootfs/snapshotter.ts';
import { openStore, type Store } from '../store/store.ts';
import type { StepResult } from './step-result.ts';
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
}

export interface EngineOptions extends Omit<Engine, 'store' | 'snapshots' | typeof Symbol.asyncDispose> {
  readonly root: string;
  readonly runroot: string;
  readonly driver: 'overlay' | 'vfs';
}

export async function openEngine(o: EngineOptions): Promise<Engine> {
  const store = await openStore<WorkingContainer, StepResult>(o.root, o.runroot);
  const snapshots = await openSnapshotter(o.driver, join(store.paths.rootfs, o.driver));
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
    async [Symbol.asyncDispose]() {
      store[Symbol.dispose]();
    },
  };
}
