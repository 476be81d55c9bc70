/**
 * Devices by name, as vendors describe them in files of the Container Device Interface: nodes, mounts, variables and
 * hooks that a container needs to use them. Files are JSON or YAML; those of a later directory stand before those of an
 * earlier one.
 *
 * @see CDI specification 0.8, SPEC.md
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import { suggest } from '../report/suggestion.ts';
import type { ProcessHook, ProcessSpec, RunMount } from '../spec/process-spec.ts';

export const CDI_DIRECTORIES: readonly string[] = ['/etc/cdi', '/var/run/cdi'];

/** Device classes that BuildKit lets a Dockerfile name. */
const CLASS_ANNOTATION = 'org.mobyproject.buildkit.device.class';
const AUTO_ALLOW_ANNOTATION = 'org.mobyproject.buildkit.device.autoallow';

interface ContainerEdits {
  readonly env?: readonly string[];
  readonly deviceNodes?: readonly {
    readonly path: string;
    readonly hostPath?: string;
    readonly permissions?: string;
  }[];
  readonly mounts?: readonly {
    readonly hostPath: string;
    readonly containerPath: string;
    readonly options?: readonly string[];
    readonly type?: string;
  }[];
  readonly hooks?: readonly (Omit<ProcessHook, 'stage'> & { readonly hookName: string })[];
  readonly additionalGids?: readonly number[];
}

interface CdiFile {
  readonly cdiVersion: string;
  /** `vendor/class` */
  readonly kind: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly containerEdits?: ContainerEdits;
  readonly devices: readonly {
    readonly name: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly containerEdits?: ContainerEdits;
  }[];
}

/** One device that was found. */
export interface CdiDevice {
  /** `vendor/class=name` */
  readonly name: string;
  readonly classes: readonly string[];
  /** The vendor lets every build have it. */
  readonly isOpen: boolean;
  readonly edits: readonly ContainerEdits[];
}

/** What devices add to a process. */
export interface DeviceEdits {
  readonly env: readonly string[];
  readonly mounts: readonly RunMount[];
  readonly devices: NonNullable<ProcessSpec['devices']>;
  readonly groups: readonly number[];
  readonly hooks: readonly ProcessHook[];
}

/** Every device the directories describe, by name. @throws `run.start-failed` for a file that cannot be read */
export async function readCdiDevices(directories: readonly string[] = CDI_DIRECTORIES): Promise<CdiDevice[]> {
  const devices = new Map<string, CdiDevice>();
  for (const directory of directories) {
    if (!existsSync(directory)) continue;
    for (const name of readdirSync(directory).sort()) {
      if (!/\.(json|yaml|yml)$/.test(name)) continue;
      for (const device of devicesOf(await readCdiFile(join(directory, name)))) devices.set(device.name, device);
    }
  }
  return [...devices.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function readCdiFile(path: string): Promise<CdiFile> {
  try {
    const text = readFileSync(path, 'utf8');
    const value: unknown = path.endsWith('.json') ? JSON.parse(text) : (await import('yaml')).parse(text);
    if (isCdiFile(value)) return value;
  } catch (cause) {
    throw new BuilderError('run.start-failed', `cannot read the device description ${path}`, { cause });
  }
  throw new BuilderError('run.start-failed', `${path} is no device description: it needs kind and devices`);
}

function isCdiFile(value: unknown): value is CdiFile {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, devices } = value as Partial<CdiFile>;
  if (typeof kind !== 'string' || !/^[^/=\s]+\/[^/=\s]+$/.test(kind) || !Array.isArray(devices)) return false;
  return devices.every((device: unknown) => typeof (device as { name?: unknown } | null)?.name === 'string');
}

function devicesOf({ kind, annotations, containerEdits, devices }: CdiFile): CdiDevice[] {
  return devices.map((device) => {
    const all = [annotations, device.annotations].filter((found) => found !== undefined);
    return {
      name: `${kind}=${device.name}`,
      classes: all.flatMap((found) => found[CLASS_ANNOTATION] ?? []),
      isOpen: all.some((found) => found[AUTO_ALLOW_ANNOTATION] === 'true'),
      edits: [containerEdits, device.containerEdits].filter((edits) => edits !== undefined),
    };
  });
}

/**
 * The devices a request names: `vendor/class=name`, `vendor/class=*` for all, `vendor/class` for the first, or a class
 * by annotation. Empty when there is none.
 */
export function findCdiDevices(request: string, devices: readonly CdiDevice[]): readonly CdiDevice[] {
  if (!request.includes('/')) return devices.filter(({ classes }) => classes.includes(request));
  if (!request.includes('=')) return devices.filter(({ name }) => name.startsWith(`${request}=`)).slice(0, 1);
  if (!request.endsWith('=*')) return devices.filter(({ name }) => name === request);
  const all = devices.filter(({ name }) => name.startsWith(request.slice(0, -1)));
  // Vendors describe a device "all" beside the single ones, which it repeats.
  return all.length > 1 ? all.filter(({ name }) => !name.endsWith('=all')) : all;
}

/** For a request that names nothing. */
export function noCdiDevice(
  request: string,
  devices: readonly CdiDevice[],
  directories: readonly string[],
): BuilderError {
  const near = suggest(
    request,
    devices.map(({ name }) => name),
  );
  return new BuilderError(
    'run.start-failed',
    `no device is called ${JSON.stringify(request)} in ${directories.join(' and ')}`,
    near === undefined ? {} : { hint: `did you mean ${near}?` },
  );
}

/** @throws `usage.unsupported` for edits that nothing here can make */
export function deviceEdits(devices: readonly CdiDevice[]): DeviceEdits {
  const edits = [...new Set(devices.flatMap((device) => device.edits))];
  return {
    env: edits.flatMap(({ env }) => env ?? []),
    mounts: edits.flatMap(({ mounts }) => (mounts ?? []).map(mountOf)),
    // A node is the host's own, with its owner and mode.
    devices: edits.flatMap(({ deviceNodes }) =>
      (deviceNodes ?? []).map(({ path, hostPath, permissions }) => ({
        source: hostPath ?? path,
        target: path,
        permissions: permissions ?? 'rwm',
      })),
    ),
    groups: [...new Set(edits.flatMap(({ additionalGids }) => additionalGids ?? []))].filter((gid) => gid !== 0),
    hooks: edits.flatMap(({ hooks }) => (hooks ?? []).map(({ hookName, ...hook }) => ({ ...hook, stage: hookName }))),
  };
}

function mountOf(mount: NonNullable<ContainerEdits['mounts']>[number]): RunMount {
  const { hostPath, containerPath, options = [], type } = mount;
  if (type === 'tmpfs') return { type, target: containerPath, readOnly: options.includes('ro') };
  if (type !== undefined && type !== '' && type !== 'bind') {
    throw new BuilderError('usage.unsupported', `a device asks for a mount of type ${JSON.stringify(type)}`);
  }
  const flags = (['nosuid', 'nodev', 'noexec'] as const).filter((flag) => options.includes(flag));
  const recursion = options.includes('bind') && !options.includes('rbind') ? (['norecurse'] as const) : [];
  return {
    type: 'bind',
    source: hostPath,
    target: containerPath,
    readOnly: options.includes('ro'),
    options: [...flags, ...recursion],
  };
}
