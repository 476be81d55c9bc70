/**
 * The one way a process runs in a root filesystem: RUN and `run` both end here. What the image, the container and the
 * call say becomes one process specification; the strongest isolation that works runs it.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname as hostName } from 'node:os';
import { BuilderError } from '../report/builder-error.ts';
import { makeBindFiles } from '../run/bind-files.ts';
import { adjustCapabilities } from '../run/capabilities.ts';
import {
  CDI_DIRECTORIES,
  type DeviceEdits,
  deviceEdits,
  findCdiDevices,
  noCdiDevice,
  readCdiDevices,
} from '../run/cdi.ts';
import { proxiesOf, runEnvironment } from '../run/environment.ts';
import type { ProcessIo } from '../run/executor.ts';
import { readHooks } from '../run/hooks.ts';
import { warmLaunchPad } from '../run/launch-pad.ts';
import { wantsHostAddress } from '../run/network.ts';
import { openNetwork } from '../run/open-network.ts';
import { chooseExecutor } from '../run/probe.ts';
import { resolveGroups, resolveUser } from '../run/user.ts';
import type {
  ExitStatus,
  NamespaceKind,
  NetworkMode,
  ProcessSpec,
  ResourceLimit,
  RunMount,
  SharedNamespaces,
} from '../spec/process-spec.ts';
import { VERSION } from '../spec/version.ts';
import { lchownat } from '../sys/libc.ts';
import { RootDirectory } from '../sys/root-directory.ts';
import { openDefaultMounts } from './default-mounts.ts';
import { discardWrites } from './discarded-volumes.ts';
import type { Engine } from './engine.ts';
import { openVolumes } from './open-volumes.ts';
import { baseHostsOf, hostNames, isHostName, sysctlsFor } from './run-settings.ts';
import { securityOptions } from './security-options.ts';
import type { RunDefaults } from './working-container.ts';

export interface ProcessRequest {
  /** Of the mounted root filesystem. */
  readonly rootPath: string;
  readonly args: readonly string[];
  /** `K=V` of the image and the build. */
  readonly env: readonly string[];
  /** `K=V` of this run: wins. */
  readonly extraEnv: readonly string[];
  readonly cwd: string;
  /** `user[:group]`; '' is root. */
  readonly user: string;
  readonly defaults: RunDefaults;
  readonly network?: NetworkMode;
  readonly hostname?: string;
  readonly mounts: readonly RunMount[];
  readonly terminal: boolean;
  readonly io: ProcessIo;
  /** Declared volumes: files of ours are not put below them. */
  readonly volumes?: readonly string[];
  /** Directories in which nothing that is written is kept; see `discardWrites`. */
  readonly discardedVolumes?: readonly string[];
  /** What CDI devices add beside those of `defaults`. */
  readonly deviceEdits?: DeviceEdits;
  /** Another process is going to run soon: what can be prepared for it is. */
  readonly expectsMore?: boolean;
  /** The working container, for /run/.containerenv. */
  readonly identity?: { readonly id: string; readonly name: string; readonly image: string; readonly imageId: string };
}

const DEFAULT_SHM_BYTES = 65536 * 1024;

/** Runs the process and waits. @throws `run.start-failed`, `run.isolation-unavailable`, `sys.cancelled` */
export async function runProcess(engine: Engine, r: ProcessRequest): Promise<ExitStatus> {
  const { defaults } = r;
  const { executor } = await chooseExecutor({
    isolation: defaults.isolation,
    runtime: defaults.runtime,
    ...(defaults.runtimePaths === undefined ? {} : { runtimePaths: defaults.runtimePaths }),
    ...(defaults.runtimeFlags === undefined ? {} : { runtimeFlags: defaults.runtimeFlags }),
    noPivot: defaults.noPivot,
    cgroupManager: defaults.cgroupManager,
    keepWarm: r.expectsMore === true,
    env: engine.env,
    temporary: engine.store.scratch.path,
  });
  const addHosts = defaults.addHosts ?? [];
  await using network = await openNetwork(r.network ?? defaults.network ?? 'host', {
    hostLoopback: wantsHostAddress(addHosts),
    signal: engine.signal,
  });
  const identity = r.identity ?? { id: randomBytes(32).toString('hex'), name: '', image: '', imageId: '' };
  const namespaces = sharedNamespaces(defaults.namespaces ?? {});
  const usual =
    defaults.nameAsHostname === true && isHostName(identity.name) ? identity.name : identity.id.slice(0, 12);
  const hostname = namespaces.uts === 'host' ? hostName() : (r.hostname ?? usual);
  const user = resolveUser(r.rootPath, r.user);
  const groups = resolveGroups(r.rootPath, defaults.addGroups ?? []);
  makeWorkingDirectory(r.rootPath, r.cwd, user);
  await using discarded = await discardWrites(engine, r.rootPath, r.discardedVolumes ?? []);
  using files = makeBindFiles({
    ...network.files,
    hostname,
    addHosts: [...addHosts, ...hostNames(defaults.hostAddress)],
    ...(defaults.baseHosts === undefined ? {} : { baseHosts: baseHostsOf(defaults.baseHosts, r.rootPath) }),
    noHosts: defaults.noHosts === true,
    noHostname: defaults.noHostname === true,
    ...(defaults.dns === undefined ? {} : { dnsServers: defaults.dns }),
    ...(defaults.dnsOptions === undefined ? {} : { dnsOptions: defaults.dnsOptions }),
    ...(defaults.dnsSearch === undefined ? {} : { dnsSearch: defaults.dnsSearch }),
    container: { engine: `slipway-${VERSION}`, rootless: engine.callerUid !== 0, ...identity },
    volumes: r.volumes ?? [],
    temporary: engine.store.scratch.path,
  });
  await using volumes = await openVolumes(engine, defaults.volumes ?? [], user);
  using defaultMounts = openDefaultMounts(engine);
  const security = securityOptions(defaults.securityOptions ?? []);
  const [paths, names] = partition(defaults.devices ?? [], (device) => device.startsWith('/'));
  const edits = mergeEdits(await namedDevices(names, defaults.cdiDirectories ?? CDI_DIRECTORIES), r.deviceEdits);
  const spec: ProcessSpec = {
    args: r.args,
    env: runEnvironment({
      image: r.env,
      extra: [...edits.env, ...r.extraEnv],
      ...(defaults.httpProxy === false ? {} : { proxies: proxiesOf(engine.env) }),
      home: user.home,
      hostname,
      terminal: r.terminal,
    }),
    cwd: r.cwd === '' ? '/' : r.cwd,
    user: { uid: user.uid, gid: user.gid, groups: [...new Set([...user.groups, ...groups.ids, ...edits.groups])] },
    terminal: r.terminal,
    hostname,
    mounts: [
      ...discarded.mounts,
      ...files.mounts,
      ...defaultMounts.mounts,
      ...edits.mounts,
      ...r.mounts,
      ...volumes.mounts,
    ],
    network: network.process,
    capabilities: adjustCapabilities(
      defaults.addCapabilities ?? [],
      defaults.dropCapabilities ?? [],
      defaults.baseCapabilities,
    ),
    limits: defaults.limits ?? defaultLimits(),
    noNewPrivileges: security.noNewPrivileges,
    ...(security.seccomp === undefined ? {} : { seccomp: security.seccomp }),
    maskPaths: security.mask,
    unmaskPaths: security.unmask,
    shmSizeBytes: defaults.shmSizeBytes ?? DEFAULT_SHM_BYTES,
    devices: [...paths.map(parseDevice), ...edits.devices],
    namespaces,
    ...(defaults.sysctls === undefined ? {} : { sysctls: sysctlsFor(defaults.sysctls, network.process) }),
    ...(groups.keep ? { keepGroups: true } : {}),
    ...(defaults.resources === undefined ? {} : { resources: defaults.resources }),
  };
  const hooks = [...edits.hooks, ...readHooks(defaults.hooksDirectories ?? [], spec)];
  return await executor.run(r.rootPath, hooks.length === 0 ? spec : { ...spec, hooks }, r.io, {
    signal: engine.signal,
  });
}

/** @throws `usage.invalid` for what is neither `private`, `host` nor an absolute path */
function sharedNamespaces(asked: NonNullable<RunDefaults['namespaces']>): SharedNamespaces {
  const entries = Object.entries(asked) as [NamespaceKind, string][];
  return Object.fromEntries(
    entries.flatMap(([kind, text]): [NamespaceKind, 'host' | { readonly path: string }][] => {
      if (text === 'private' || text === '') return [];
      if (text === 'host') return [[kind, 'host']];
      const path = text.replace(/^ns:/, '');
      if (path.startsWith('/')) return [[kind, { path }]];
      throw new BuilderError('usage.invalid', `invalid ${kind} namespace ${JSON.stringify(text)}`, {
        hint: 'it is private, host, or the path of a namespace such as /proc/1234/ns/ipc',
      });
    }),
  );
}

/** Starts what the first run of a build needs, beside other work. Nothing is lost when it fails: the run will say so. */
export async function prepareRuns(engine: Engine, defaults: RunDefaults): Promise<void> {
  try {
    const { executor } = await chooseExecutor({
      isolation: defaults.isolation,
      runtime: defaults.runtime,
      ...(defaults.runtimePaths === undefined ? {} : { runtimePaths: defaults.runtimePaths }),
      env: engine.env,
      temporary: engine.store.scratch.path,
    });
    if (executor.isolation === 'chroot') warmLaunchPad();
  } catch {
    // Told when a step needs it.
  }
}

/** Missing parts of the working directory are made, owned by the user of the step. */
function makeWorkingDirectory(
  rootPath: string,
  cwd: string,
  user: { readonly uid: number; readonly gid: number },
): void {
  if (cwd === '' || cwd === '/') return;
  using root = new RootDirectory(rootPath);
  root.makeDirectories(cwd, 0o755, (parent, name) => {
    if (user.uid !== 0 || user.gid !== 0) lchownat(parent, name, user.uid, user.gid);
  });
}

const WANTED_LIMIT = 1048576;

/** As Buildah: many files and processes, but never more than this process may give. @see proc(5) /proc/self/limits */
function defaultLimits(): readonly ResourceLimit[] {
  const text = readFileSync('/proc/self/limits', 'utf8');
  const limit = (name: string, line: string): ResourceLimit => {
    const hard = new RegExp(`^${line}\\s+\\S+\\s+(\\S+)`, 'm').exec(text)?.[1];
    const most = hard === undefined || hard === 'unlimited' ? WANTED_LIMIT : Math.min(WANTED_LIMIT, Number(hard));
    return { name, soft: most, hard: most };
  };
  return [limit('nofile', 'Max open files'), limit('nproc', 'Max processes')];
}

function partition<T>(all: readonly T[], isFirst: (one: T) => boolean): readonly [readonly T[], readonly T[]] {
  return [all.filter(isFirst), all.filter((one) => !isFirst(one))];
}

/** @throws `run.start-failed` for a name nothing is called by */
async function namedDevices(names: readonly string[], directories: readonly string[]): Promise<DeviceEdits> {
  if (names.length === 0) return deviceEdits([]);
  const all = await readCdiDevices(directories);
  const found = names.flatMap((name) => {
    const devices = findCdiDevices(name, all);
    if (devices.length === 0) throw noCdiDevice(name, all, directories);
    return devices;
  });
  return deviceEdits(found);
}

function mergeEdits(a: DeviceEdits, b: DeviceEdits | undefined): DeviceEdits {
  if (b === undefined) return a;
  return {
    env: [...a.env, ...b.env],
    mounts: [...a.mounts, ...b.mounts],
    devices: [...a.devices, ...b.devices],
    groups: [...a.groups, ...b.groups],
    hooks: [...a.hooks, ...b.hooks],
  };
}

/** `host[:container[:rwm]]` with an absolute path. */
function parseDevice(text: string): { readonly source: string; readonly target: string; readonly permissions: string } {
  const [source = '', second, third] = text.split(':');
  const isPermissions = second !== undefined && /^[rwm]{1,3}$/.test(second) && third === undefined;
  return {
    source,
    target: second === undefined || isPermissions ? source : second,
    permissions: third ?? (isPermissions ? second : 'rwm'),
  };
}
