/** `run`: a command in a working container. */
import { isAbsolute, resolve } from 'node:path';
import { fragmentOf } from '../dockerfile/fragment.ts';
import type { ResolvedMount } from '../dockerfile/run-mount.ts';
import { resolveMount, scanMount } from '../dockerfile/run-mount.ts';
import { BuilderError } from '../report/builder-error.ts';
import type { HistoryEntry } from '../spec/image-config.ts';
import type { ExitStatus } from '../spec/process-spec.ts';
import { CleanupStack } from '../sys/dispose.ts';
import { findContainer, requireContainer } from './container-store.ts';
import type { Engine, Environment } from './engine.ts';
import { nowNanoseconds } from './image-times.ts';
import { loadImage } from './local-image.ts';
import { withMachineDefaults } from './machine-defaults.ts';
import { openRootfs } from './mount-container.ts';
import { pullImage } from './pull.ts';
import { stageMounts } from './run-mounts.ts';
import { prepareRuns, runProcess } from './run-process.ts';
import { unpack } from './unpack.ts';
import type { PullOptions, RunOptions } from './verb-options.ts';
import type { RunDefaults, WorkingContainer } from './working-container.ts';

/**
 * Runs `args` in the container; its entry point plays no part. A non-zero exit is a value.
 * @throws `container.not-known`, `usage.invalid` for no command, the errors of running
 */
export async function run(
  engine: Engine,
  nameOrId: string,
  args: readonly string[],
  o: RunOptions = {},
): Promise<ExitStatus> {
  if (args.length === 0) throw new BuilderError('usage.invalid', 'command must be specified');
  const { id } = requireContainer(engine, nameOrId);
  using _ = await engine.store.containers.lock(id, { signal: engine.signal });
  const container = requireContainer(engine, id);
  const defaults = withMachineDefaults(engine, mergeDefaults(container.run, o));
  const prepared = prepareRuns(engine, defaults);
  await using rootfs = await openRootfs(engine, container);
  await prepared;
  const execution = container.config.config ?? {};
  // An image may name a relative one, which starts at the root.
  const cwd = o.cwd ?? resolve('/', execution.WorkingDir ?? '');
  await using staged = await stageRunMounts(engine, o, cwd);
  const status = await runProcess(engine, {
    rootPath: rootfs.path,
    args,
    env: execution.Env ?? [],
    extraEnv: [...expandEnv(o.envAdd ?? [], engine.env), ...staged.env],
    cwd,
    user: o.user ?? execution.User ?? '',
    defaults,
    ...(o.hostname === undefined ? {} : { hostname: o.hostname }),
    mounts: staged.mounts,
    terminal: o.terminal === true,
    io: { stdin: o.stdin ?? 'inherit', stdout: o.stdout ?? 'inherit', stderr: o.stderr ?? 'inherit' },
    volumes: Object.keys(execution.Volumes ?? {}),
    identity: { id, name: container.name, image: container.base?.name ?? '', imageId: container.base?.id ?? '' },
  });
  if (o.addHistory === true) addHistory(engine, container, { created_by: `/bin/sh -c ${args.join(' ')}` });
  return status;
}

/** Appends an entry for a step without a layer of its own. The container's lock is held. */
export function addHistory(engine: Engine, container: WorkingContainer, entry: HistoryEntry): void {
  const history = [...container.historyBefore, { created: nowNanoseconds(), ...entry, empty_layer: true }];
  engine.store.containers.put(container.id, { ...container, historyBefore: history });
}

/** What this run says wins; lists of volumes and devices add up. */
function mergeDefaults(base: RunDefaults, o: RunOptions): RunDefaults {
  const own = Object.fromEntries(Object.entries(o).filter(([, value]) => value !== undefined)) as RunOptions;
  return {
    ...base,
    ...own,
    addCapabilities: [...(base.addCapabilities ?? []), ...(o.addCapabilities ?? [])],
    dropCapabilities: [...(base.dropCapabilities ?? []), ...(o.dropCapabilities ?? [])],
    volumes: [...(base.volumes ?? []), ...(o.volumes ?? [])],
    devices: [...(base.devices ?? []), ...(o.devices ?? [])],
  };
}

/** `K=V`; bare `K`, `K*` and `*` copy from the caller. */
export function expandEnv(entries: readonly string[], env: Environment): string[] {
  return entries.flatMap((entry) => {
    if (entry.includes('=')) return [entry];
    if (entry.endsWith('*')) {
      const prefix = entry.slice(0, -1);
      return Object.entries(env).flatMap(([name, value]) =>
        name.startsWith(prefix) && value !== undefined ? [`${name}=${value}`] : [],
      );
    }
    const value = env[entry];
    return value === undefined ? [] : [`${entry}=${value}`];
  });
}

async function stageRunMounts(engine: Engine, o: RunOptions, cwd: string) {
  await using cleanup = new CleanupStack();
  const texts = o.mounts ?? [];
  const requests = texts.map((text) => parseMount(text, cwd));
  const staged = await stageMounts<ResolvedMount>(engine, requests, {
    open: async (mount) => {
      if ('from' in mount && mount.from !== undefined) return await openFrom(engine, mount.from, cleanup);
      if (o.contextDir !== undefined) return resolve(engine.cwd, o.contextDir);
      return hostOrigin(engine, texts[requests.indexOf(mount)] ?? '');
    },
    secrets: new Map(),
    agents: new Map(),
  });
  const held = cleanup.move();
  return {
    mounts: staged.mounts,
    env: staged.env,
    async [Symbol.asyncDispose]() {
      await staged[Symbol.asyncDispose]();
      await held[Symbol.asyncDispose]();
    },
  };
}

/** Without a context a source is a path of the host. @throws `usage.invalid` for a bind mount without one */
function hostOrigin(engine: Engine, text: string): string {
  const { fields } = scanMount(fragmentOf({ name: '--mount', text }, 0, text.length));
  const source = fields.findLast(({ key }) => key === 'source' || key === 'src')?.value?.text ?? '';
  if (source !== '') return isAbsolute(source) ? '/' : engine.cwd;
  throw new BuilderError('usage.invalid', `the mount ${JSON.stringify(text)} has no source`, {
    hint: 'give it source=PATH, or say with --contextdir what it is to show',
  });
}

/** @throws `dockerfile.syntax` with a place in the flag's text */
export function parseMount(text: string, workdir: string): ResolvedMount {
  const file = { name: '--mount', text };
  return resolveMount(scanMount(fragmentOf(file, 0, text.length)), {
    expand: (value) => value.text,
    workdir,
    sshIndex: 0,
  });
}

/** Root of another container, or of an image, which is pulled if need be. */
export async function openFrom(
  engine: Engine,
  name: string,
  cleanup: CleanupStack,
  o: PullOptions = {},
): Promise<string> {
  const container = findContainer(engine, name);
  if (container !== undefined) return cleanup.use(await openRootfs(engine, container)).path;
  const { record } = await pullImage(engine, name, o);
  return cleanup.use(await engine.snapshots.view(await unpack(engine, loadImage(engine, record)))).path;
}
