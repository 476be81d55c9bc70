/** From the flags of `build`, `from` and `run` to the library's `RunDefaults`. */
import type { Isolation, NetworkMode, ResourceLimit, RunDefaults } from '../index.ts';
import type { CommandContext } from './command.ts';
import { parseSize } from './duration.ts';
import { resourceOptions } from './resource-options.ts';
import { UsageError, unsupportedFlag } from './usage-error.ts';

const ISOLATIONS: readonly Isolation[] = ['oci', 'rootless', 'chroot'];

/** Flags that `run` has; `remembered` adds those of `build` and `from`. */
export function runDefaults(c: CommandContext, command: 'build' | 'from' | 'run'): RunDefaults {
  const { flags } = c;
  if (command !== 'run') requireHostUsers(c);
  const addCapabilities = flags.strings('cap-add');
  const dropCapabilities = flags.strings('cap-drop');
  const volumes = flags.strings('volume');
  const devices = flags.strings('device');
  const cdiDirectories = flags.strings('cdi-config-dir');
  return {
    ...isolation(c),
    ...network(c),
    ...(addCapabilities === undefined ? {} : { addCapabilities }),
    ...(dropCapabilities === undefined ? {} : { dropCapabilities }),
    ...(volumes === undefined ? {} : { volumes }),
    ...(devices === undefined ? {} : { devices }),
    ...(cdiDirectories === undefined ? {} : { cdiDirectories }),
    ...namespaces(c),
    ...cgroupManager(c),
    ...(command === 'from' ? {} : runtime(c)),
    ...(command === 'run' && flags.on('no-pivot') ? { noPivot: true } : {}),
    ...(command === 'run' ? {} : remembered(c)),
  };
}

/** Every file of the store belongs to one map of ids, and so a process has that of the store. */
function requireHostUsers(c: CommandContext): void {
  const mode = c.flags.string('userns');
  if (mode === undefined || mode === '' || mode === 'host') return;
  throw unsupportedFlag(
    `--userns=${mode}`,
    c.command.name,
    'files belong to the ids that the store was opened with; host is what there is, an ordinary user being in a namespace of its own anyway',
  );
}

function isolation(c: CommandContext): Pick<RunDefaults, 'isolation'> {
  const text = c.flags.string('isolation');
  if (text === undefined) return {};
  const found = ISOLATIONS.find((name) => name === text);
  if (found !== undefined) return { isolation: found };
  throw new UsageError(`unrecognized isolation type "${text}"`, {
    near: { word: text, candidates: ISOLATIONS, prefix: '' },
  });
}

function network(c: CommandContext): { network?: NetworkMode } {
  const text = c.flags.string('network');
  switch (text) {
    case undefined:
    case 'default':
      return {};
    case 'host':
    case 'none':
    case 'private':
    case 'pasta':
    case 'slirp4netns':
      return { network: text };
    default:
      if (text.startsWith('ns:/')) return { network: text as `ns:${string}` };
      throw unsupportedFlag(
        `--network=${text}`,
        c.command.name,
        'host, none, private, pasta, slirp4netns or ns:/PATH can be had',
      );
  }
}

function namespaces({ flags }: CommandContext): Pick<RunDefaults, 'namespaces'> {
  const asked = {
    cgroup: flags.string('cgroupns'),
    ipc: flags.string('ipc'),
    pid: flags.string('pid'),
    uts: flags.string('uts'),
  };
  const given = Object.entries(asked).filter(([, mode]) => mode !== undefined && mode !== 'private');
  return given.length === 0 ? {} : { namespaces: Object.fromEntries(given) };
}

function cgroupManager({ flags }: CommandContext): Pick<RunDefaults, 'cgroupManager'> {
  const name = flags.string('cgroup-manager');
  if (name === undefined) return {};
  if (name === 'cgroupfs' || name === 'systemd') return { cgroupManager: name };
  throw new UsageError(`unknown cgroup manager "${name}": it is cgroupfs or systemd`);
}

function runtime({ flags }: CommandContext): RunDefaults {
  const path = flags.string('runtime');
  const runtimeFlags = flags.strings('runtime-flag');
  const noHosts = flags.bool('no-hosts');
  const noHostname = flags.bool('no-hostname');
  return {
    ...(path === undefined ? {} : { runtime: path }),
    ...(runtimeFlags === undefined ? {} : { runtimeFlags }),
    ...(noHosts === undefined ? {} : { noHosts }),
    ...(noHostname === undefined ? {} : { noHostname }),
  };
}

function remembered(c: CommandContext): RunDefaults {
  const { flags } = c;
  const addHosts = flags.strings('add-host');
  const dns = flags.strings('dns');
  const dnsSearch = flags.strings('dns-search');
  const dnsOptions = flags.strings('dns-option');
  const httpProxy = flags.bool('http-proxy');
  const securityOptions = flags.strings('security-opt');
  const shmSize = flags.string('shm-size');
  const limits = flags.strings('ulimit')?.map(parseLimit);
  const addGroups = flags.strings('group-add');
  const hooksDirectories = c.command.name === 'build' ? flags.strings('hooks-dir') : undefined;
  if (c.command.name === 'build' && addHosts !== undefined && flags.on('no-hosts')) {
    throw new UsageError('--no-hosts and --add-host conflict, can not be used together');
  }
  if (dns !== undefined && flags.string('network') === 'none') {
    throw new UsageError('the --dns option cannot be used with --network=none');
  }
  return {
    ...(addHosts === undefined ? {} : { addHosts }),
    ...(dns === undefined ? {} : { dns }),
    ...(dnsSearch === undefined ? {} : { dnsSearch }),
    ...(dnsOptions === undefined ? {} : { dnsOptions }),
    ...(httpProxy === undefined ? {} : { httpProxy }),
    ...(securityOptions === undefined ? {} : { securityOptions }),
    ...(shmSize === undefined ? {} : { shmSizeBytes: parseSize(shmSize, '--shm-size') }),
    ...(limits === undefined ? {} : { limits }),
    ...(addGroups === undefined ? {} : { addGroups }),
    ...(hooksDirectories === undefined ? {} : { hooksDirectories }),
    ...resourceOptions(flags),
  };
}

/** `nofile=1024`, `nofile=1024:2048`, `core=-1`. */
function parseLimit(text: string): ResourceLimit {
  const match = /^([a-z]+)=(-1|\d+)(?::(-1|\d+))?$/.exec(text);
  if (match === null) throw new UsageError(`invalid --ulimit "${text}": expected NAME=SOFT[:HARD]`);
  const soft = Number(match[2]);
  const hard = match[3] === undefined ? soft : Number(match[3]);
  if (hard !== -1 && (soft === -1 || soft > hard)) {
    throw new UsageError(`invalid --ulimit "${text}": the soft limit exceeds the hard one`);
  }
  return { name: match[1]!, soft, hard };
}
