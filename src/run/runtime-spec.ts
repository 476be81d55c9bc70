/**
 * The config.json of an OCI runtime for one process: a pure function of the process and of what the machine allows.
 *
 * @see runtime-spec 1.0.2 "config", "config-linux"
 */
import type { NamespaceKind, ProcessResources, ProcessSpec, RunMount } from '../spec/process-spec.ts';
import { maskedPaths, readOnlyPaths } from './hidden-paths.ts';
import type { RuntimeSeccomp } from './seccomp.ts';

/** What depends on the machine and not on the process. */
export interface RuntimeConditions {
  /** The root filesystem's directory. */
  readonly root: string;
  /** In a user namespace of an ordinary user: no fresh sysfs, no cgroups. */
  readonly rootless: boolean;
  /** Whether group 5 exists in this namespace's map. */
  readonly hasTtyGroup: boolean;
  readonly seccomp: RuntimeSeccomp | undefined;
  readonly cgroupNamespace: boolean;
  /** Of a terminal from its first moment; runtimes differ in whether they find it out themselves. */
  readonly terminalSize?: { readonly rows: number; readonly columns: number };
  /** Place of the cgroup in the runtime's notation; its own choice when absent. */
  readonly cgroupsPath?: string;
  /** Where throwaway mounts keep their layers, by index of the mount. */
  readonly scratchFor: (index: number) => string;
}

interface SpecMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

/** A value to be written as config.json. */
export function runtimeSpec(process: ProcessSpec, on: RuntimeConditions): object {
  const capabilities = process.capabilities.map((name) => `CAP_${name}`);
  const size = process.terminal ? on.terminalSize : undefined;
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: process.terminal,
      ...(size === undefined ? {} : { consoleSize: { height: size.rows, width: size.columns } }),
      user: { uid: process.user.uid, gid: process.user.gid, additionalGids: process.user.groups, umask: 0o022 },
      args: process.args,
      env: process.env,
      cwd: process.cwd,
      capabilities: {
        bounding: capabilities,
        effective: capabilities,
        permitted: capabilities,
        inheritable: [],
        ambient: [],
      },
      rlimits: process.limits.map(({ name, soft, hard }) => ({
        type: `RLIMIT_${name.toUpperCase()}`,
        soft: unlimited(soft),
        hard: unlimited(hard),
      })),
      noNewPrivileges: process.noNewPrivileges,
    },
    root: { path: on.root, readonly: process.readOnlyRoot === true },
    ...(process.hostname === undefined || process.namespaces?.uts !== undefined ? {} : { hostname: process.hostname }),
    ...(process.keepGroups === true ? { annotations: { 'run.oci.keep_original_groups': '1' } } : {}),
    mounts: [
      ...scenery(process, on),
      ...process.mounts.map((mount, index) => specMount(mount, on.scratchFor(index))),
    ].concat((process.devices ?? []).map(deviceMount)),
    ...hooksOf(process),
    linux: {
      namespaces: namespaces(process, on),
      ...(process.sysctls === undefined ? {} : { sysctl: process.sysctls }),
      maskedPaths: maskedPaths(process).filter((path) => !path.includes('*')),
      readonlyPaths: readOnlyPaths(process),
      ...(on.seccomp === undefined ? {} : { seccomp: on.seccomp }),
      ...(on.rootless ? {} : { resources: { devices: deviceRules(process), ...resourcesOf(process.resources) } }),
      ...(on.cgroupsPath === undefined ? {} : { cgroupsPath: on.cgroupsPath }),
    },
  };
}

/** RLIM_INFINITY does not fit a number; runtimes read the largest exact power below it as well. */
function unlimited(value: number): number {
  return value === -1 ? Number.MAX_SAFE_INTEGER : value;
}

interface SpecNamespace {
  readonly type: string;
  /** Of one to enter; without it a new one is made. */
  readonly path?: string;
}

function namespaces(process: ProcessSpec, on: RuntimeConditions): SpecNamespace[] {
  const kinds: readonly NamespaceKind[] = ['pid', 'ipc', 'uts', ...(on.cgroupNamespace ? (['cgroup'] as const) : [])];
  const own = kinds.flatMap((type) => {
    const shared = process.namespaces?.[type];
    return shared === 'host' ? [] : [{ type, ...shared }];
  });
  return [{ type: 'mount' }, ...own, ...networkNamespace(process.network)];
}

/** @see runtime-spec "config-linux", control groups */
function resourcesOf(r: ProcessResources | undefined): object {
  if (r === undefined) return {};
  const memory = members({ limit: r.memoryBytes, swap: r.memorySwapBytes });
  const cpu = members({
    shares: r.cpuShares,
    period: r.cpuPeriodUs,
    quota: r.cpuQuotaUs,
    cpus: r.cpusetCpus,
    mems: r.cpusetMems,
  });
  return members({ memory, cpu }) ?? {};
}

/** The members that have a value; undefined when none has. */
function members(all: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> | undefined {
  const set = Object.entries(all).filter(([, value]) => value !== undefined);
  return set.length === 0 ? undefined : Object.fromEntries(set);
}

function networkNamespace(network: ProcessSpec['network']): SpecNamespace[] {
  if (network === 'host') return [];
  return [network === 'none' ? { type: 'network' } : { type: 'network', path: network.namespace }];
}

function scenery(process: ProcessSpec, on: RuntimeConditions): SpecMount[] {
  const group = on.hasTtyGroup ? ['gid=5'] : [];
  const safe = ['nosuid', 'noexec', 'nodev'];
  const mount = (destination: string, type: string, source: string, options: readonly string[]): SpecMount => ({
    destination,
    type,
    source,
    options,
  });
  const bind = (path: string): SpecMount => mount(path, 'bind', path, ['rbind', 'rprivate', ...safe]);
  const { ipc, pid } = process.namespaces ?? {};
  return [
    // An ordinary user may not mount the proc file system of a process namespace that is not the user's own.
    on.rootless && pid === 'host' ? bind('/proc') : mount('/proc', 'proc', 'proc', safe),
    mount('/dev', 'tmpfs', 'tmpfs', ['nosuid', 'noexec', 'strictatime', 'mode=755', 'size=65536k']),
    mount('/dev/pts', 'devpts', 'devpts', ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', ...group]),
    ipc === 'host'
      ? bind('/dev/shm')
      : mount('/dev/shm', 'tmpfs', 'shm', [...safe, 'mode=1777', `size=${process.shmSizeBytes}`]),
    ...(on.rootless && ipc === 'host' ? [] : [mount('/dev/mqueue', 'mqueue', 'mqueue', safe)]),
    on.rootless && process.network === 'host'
      ? mount('/sys', 'bind', '/sys', ['rbind', 'ro', 'rprivate', ...safe])
      : mount('/sys', 'sysfs', 'sysfs', [...safe, 'ro']),
  ];
}

function specMount(mount: RunMount, scratch: string): SpecMount {
  switch (mount.type) {
    case 'bind':
      return {
        destination: mount.target,
        type: 'bind',
        source: mount.source,
        options: [
          mount.options?.includes('norecurse') === true ? 'bind' : 'rbind',
          mount.propagation ?? 'rprivate',
          mount.readOnly ? 'ro' : 'rw',
          ...(mount.options ?? []).filter((option) => option !== 'norecurse'),
        ],
      };
    case 'tmpfs':
      return {
        destination: mount.target,
        type: 'tmpfs',
        source: 'tmpfs',
        options: [
          'nosuid',
          'nodev',
          mount.readOnly === true ? 'ro' : 'rw',
          `mode=${(mount.mode ?? 0o1777).toString(8)}`,
          ...(mount.sizeBytes === undefined ? [] : [`size=${mount.sizeBytes}`]),
        ],
      };
    case 'overlay':
      // Mounted beforehand: runtimes differ in what they let an overlay's options be.
      return {
        destination: mount.target,
        type: 'bind',
        source: `${scratch}/merged`,
        options: ['rbind', 'rprivate', 'rw'],
      };
    default:
      return mount satisfies never;
  }
}

function hooksOf({ hooks = [] }: ProcessSpec): object {
  if (hooks.length === 0) return {};
  const stages = [...new Set(hooks.map(({ stage }) => stage))];
  const inStage = (wanted: string) =>
    hooks.filter(({ stage }) => stage === wanted).map(({ stage: _, ...hook }) => hook);
  return { hooks: Object.fromEntries(stages.map((stage) => [stage, inStage(stage)])) };
}

/** Shown, not made: the same with and without the right to make device nodes. */
function deviceMount(device: { readonly source: string; readonly target: string }): SpecMount {
  return { destination: device.target, type: 'bind', source: device.source, options: ['bind', 'rprivate', 'nosuid'] };
}

function deviceRules(process: ProcessSpec): object[] {
  const open = (process.devices ?? []).length > 0;
  return [{ allow: open, access: 'rwm' }];
}
