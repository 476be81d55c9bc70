/** `info`: the machine and the store, members in the order Buildah sorts them. */
import { readFileSync, statfsSync } from 'node:fs';
import { cpus, freemem, hostname, release, totalmem, uptime } from 'node:os';
import { installedHelpers } from '../run/private-network.ts';
import { chooseExecutor } from '../run/probe.ts';
import { goArchitecture } from '../spec/platform.ts';
import { listContainers } from './container-store.ts';
import type { Engine } from './engine.ts';
import type { InfoReport } from './verb-options.ts';

export async function info(engine: Engine): Promise<InfoReport> {
  const { executor, why } = await chooseExecutor({ env: engine.env });
  const { paths } = engine.store;
  const memory = memoryFacts();
  const networkHelper = installedHelpers()[0];
  return {
    host: {
      CgroupVersion: cgroupVersion(),
      Distribution: distribution(),
      MemFree: memory['MemFree'] ?? freemem(),
      MemTotal: memory['MemTotal'] ?? totalmem(),
      OCIRuntime: executor.runtime ?? '',
      SwapFree: memory['SwapFree'] ?? 0,
      SwapTotal: memory['SwapTotal'] ?? 0,
      arch: goArchitecture(process.arch),
      cpus: cpus().length,
      hostname: hostname(),
      kernel: release(),
      os: 'linux',
      rootless: engine.callerUid !== 0,
      uptime: spanInWords(uptime()),
      variant: '',
    },
    store: {
      ContainerStore: { number: listContainers(engine).length },
      GraphDriverName: engine.snapshots.driver,
      GraphOptions: engine.storage.texts.length === 0 ? null : engine.storage.texts,
      GraphRoot: paths.root,
      GraphStatus: { 'Backing Filesystem': fileSystemName(paths.base) },
      ImageStore: {
        number: engine.store.images.list().length,
        ...(paths.imageStore === undefined ? {} : { root: paths.imageStore }),
      },
      RunRoot: paths.runroot,
      ...(paths.isTransient === true ? { TransientStore: true } : {}),
    },
    isolation: {
      chosen: executor.isolation,
      why,
      ...(executor.runtime === undefined ? {} : { runtime: executor.runtime }),
      ...(networkHelper === undefined ? {} : { networkHelper }),
    },
  };
}

/** Bytes by name. @see proc(5) /proc/meminfo */
function memoryFacts(): Readonly<Record<string, number>> {
  const lines = readFileSync('/proc/meminfo', 'utf8').matchAll(/^(\w+):\s+(\d+) kB$/gm);
  return Object.fromEntries([...lines].map(([, name, kilobytes]) => [name, Number(kilobytes) * 1024]));
}

function cgroupVersion(): string {
  // statfs magic of cgroup2. @see cgroups(7)
  const CGROUP2_MAGIC = 0x63677270;
  try {
    return statfsSync('/sys/fs/cgroup').type === CGROUP2_MAGIC ? 'v2' : 'v1';
  } catch {
    return '';
  }
}

function distribution(): { readonly distribution: string; readonly version: string } {
  let text = '';
  try {
    text = readFileSync('/etc/os-release', 'utf8');
  } catch {
    // Nothing says which one it is.
  }
  const value = (name: string): string => new RegExp(`^${name}="?([^"\n]*)"?$`, 'm').exec(text)?.[1] ?? 'unknown';
  return { distribution: value('ID'), version: value('VERSION_ID') };
}

const FILE_SYSTEMS: Readonly<Record<number, string>> = {
  61267: 'extfs',
  16914836: 'tmpfs',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  2035054128: 'overlayfs',
  26985: 'nfs',
};

function fileSystemName(path: string): string {
  const { type } = statfsSync(path);
  return FILE_SYSTEMS[type] ?? `0x${type.toString(16)}`;
}

function spanInWords(seconds: number): string {
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  return `${hours}h ${minutes}m ${(seconds % 60).toFixed(2)}s`;
}
