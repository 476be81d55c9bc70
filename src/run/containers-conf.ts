/**
 * containers.conf: what an operator sets for every container of a machine or user. Only keys that builds can honour are
 * read; docs/configuration.md lists them, and says of the others why they mean nothing here.
 * @see containers.conf(5)
 */
import type { NamespaceKind, NetworkMode, ResourceLimit } from '../spec/process-spec.ts';
import { readToml, type TomlTable } from '../spec/toml-table.ts';
import { findConfigFiles, readConfigFile } from '../sys/config-files.ts';
import { capabilityName, DEFAULT_CAPABILITIES } from './capabilities.ts';

/** Absent members set nothing. */
export interface ContainersConf {
  /** A path, `image` or `none`. */
  readonly baseHostsFile?: string;
  readonly containerNameAsHostname?: boolean;
  /** Without CAP_, sorted; absent when it is the usual set. */
  readonly capabilities?: readonly string[];
  /** `name=value` */
  readonly sysctls?: readonly string[];
  readonly limits?: readonly ResourceLimit[];
  readonly devices?: readonly string[];
  readonly volumes?: readonly string[];
  readonly dnsServers?: readonly string[];
  readonly dnsOptions?: readonly string[];
  readonly dnsSearches?: readonly string[];
  readonly hostAddress?: string;
  readonly namespaces?: Readonly<Partial<Record<NamespaceKind, string>>>;
  readonly network?: NetworkMode;
  readonly shmSizeBytes?: number;
  readonly runtime?: string;
  /** Paths of runtimes by their names; the first that exists counts. */
  readonly runtimes?: Readonly<Record<string, readonly string[]>>;
  readonly cgroupManager?: 'cgroupfs' | 'systemd';
  readonly cdiDirectories?: readonly string[];
  readonly hooksDirectories?: readonly string[];
  readonly compressionFormat?: 'gzip' | 'zstd' | 'zstd:chunked';
  readonly compressionLevel?: number;
  readonly parallelCopies?: number;
  readonly retries?: number;
  readonly retryDelayMs?: number;
  /** Variables of the program itself. */
  readonly env?: Readonly<Record<string, string>>;
  /** What connects networks. */
  readonly networkHelper?: 'pasta' | 'slirp4netns';
}

const WHAT = 'container configuration';

/** Reads the files of this machine and user. @throws `usage.invalid` naming file, line and key */
export function loadContainersConf(env: Readonly<Record<string, string | undefined>>, uid: number): ContainersConf {
  const reader = new Reader();
  for (const path of findConfigFiles('containers.conf', { env, uid })) reader.add(readConfigFile(path, WHAT), path);
  return reader.result();
}

/** Lays the text of several files over each other, for tests as well. */
export function parseContainersConf(
  ...files: readonly { readonly text: string; readonly file: string }[]
): ContainersConf {
  const reader = new Reader();
  for (const { text, file } of files) reader.add(text, file);
  return reader.result();
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

class Reader {
  readonly #conf: Mutable<ContainersConf> = {};
  /** Lists as they were before anything was made of them, and whether a file said that others continue them. */
  readonly #lists = new Map<string, { readonly values: readonly string[]; readonly append: boolean }>();

  add(text: string, file: string): void {
    const top = readToml(text, file, WHAT);
    this.#containers(top.table('containers'));
    this.#engine(top.table('engine'));
    const network = top.table('network');
    this.#set('networkHelper', network.oneOf('default_rootless_network_cmd', ['pasta', 'slirp4netns']));
  }

  result(): ContainersConf {
    const { capabilities, ...rest } = this.#conf;
    const isUsual = capabilities === undefined || String(capabilities) === String(DEFAULT_CAPABILITIES);
    return isUsual ? rest : { ...rest, capabilities };
  }

  #containers(t: TomlTable): void {
    this.#set('baseHostsFile', t.string('base_hosts_file') || undefined);
    this.#set('containerNameAsHostname', t.boolean('container_name_as_hostname'));
    this.#set('hostAddress', t.string('host_containers_internal_ip') || undefined);
    this.#set('network', networkMode(t));
    this.#set('namespaces', this.#namespaces(t));
    const shm = t.string('shm_size') || undefined;
    this.#set(
      'shmSizeBytes',
      shm === undefined ? undefined : (bytes(shm) ?? t.fail('shm_size', 'expected a form like 64m')),
    );
    const capabilities = this.#list(t, 'default_capabilities')?.map(capability(t)).sort();
    this.#set('capabilities', capabilities);
    this.#set('sysctls', this.#list(t, 'default_sysctls', /^[\w.-]+=/));
    this.#set(
      'limits',
      this.#list(t, 'default_ulimits')?.map(
        (text) => limit(text) ?? t.fail('default_ulimits', `${JSON.stringify(text)} is not NAME=SOFT[:HARD]`),
      ),
    );
    this.#set('devices', this.#list(t, 'devices'));
    this.#set('volumes', this.#list(t, 'volumes'));
    this.#set('dnsServers', this.#list(t, 'dns_servers'));
    this.#set('dnsOptions', this.#list(t, 'dns_options'));
    this.#set('dnsSearches', this.#list(t, 'dns_searches'));
  }

  #engine(t: TomlTable): void {
    this.#set('runtime', t.string('runtime') || undefined);
    this.#set('cgroupManager', t.oneOf('cgroup_manager', ['cgroupfs', 'systemd']));
    this.#set('cdiDirectories', this.#list(t, 'cdi_spec_dirs'));
    this.#set('hooksDirectories', this.#list(t, 'hooks_dir'));
    const format = t.oneOf('compression_format', ['gzip', 'zstd', 'zstd:chunked']);
    this.#set('compressionFormat', format);
    this.#set('compressionLevel', t.count('compression_level'));
    const copies = t.count('image_parallel_copies');
    this.#set('parallelCopies', copies === 0 ? undefined : copies);
    this.#set('retries', t.count('retry'));
    const delay = t.string('retry_delay') || undefined;
    this.#set(
      'retryDelayMs',
      delay === undefined ? undefined : (milliseconds(delay) ?? t.fail('retry_delay', 'expected a form like 2s')),
    );
    const env = this.#list(t, 'env', /^[^=]+=/);
    this.#set('env', env === undefined ? undefined : Object.fromEntries(env.map(pair)));
    const runtimes = t.table('runtimes');
    for (const name of runtimes.keys()) {
      const paths = this.#list(runtimes, name) ?? [];
      this.#conf.runtimes = { ...this.#conf.runtimes, [name]: paths };
    }
  }

  #namespaces(t: TomlTable): ContainersConf['namespaces'] {
    const kinds = { cgroup: 'cgroupns', ipc: 'ipcns', pid: 'pidns', uts: 'utsns' } as const;
    const said = Object.entries(kinds).flatMap(([kind, key]) => {
      const mode = t.string(key) || undefined;
      if (mode === undefined) return [];
      if (mode === 'private' || mode === 'host' || /^(ns:)?\//.test(mode)) return [[kind, mode]];
      // Shareable and none are of Podman's containers, which live on: for a step they are as good as private.
      if (kind === 'ipc' && (mode === 'shareable' || mode === 'none')) return [[kind, 'private']];
      return t.fail(key, 'expected private, host or ns:/PATH');
    });
    return said.length === 0 ? undefined : { ...this.#conf.namespaces, ...Object.fromEntries(said) };
  }

  /** The list as all files so far have it; undefined when this one says nothing of it. */
  #list(t: TomlTable, key: string, form?: RegExp): readonly string[] | undefined {
    const said = t.stringList(key);
    if (said === undefined) return undefined;
    const wrong = form === undefined ? undefined : said.strings.find((text) => !form.test(text));
    if (wrong !== undefined) return t.fail(key, `${JSON.stringify(wrong)} is not NAME=VALUE`);
    const before = this.#lists.get(key);
    const append = said.append ?? before?.append ?? false;
    const values = append ? [...(before?.values ?? []), ...said.strings] : said.strings;
    this.#lists.set(key, { values, append });
    return values;
  }

  #set<K extends keyof ContainersConf>(key: K, value: ContainersConf[K] | undefined): void {
    if (value !== undefined) this.#conf[key] = value as Mutable<ContainersConf>[K];
  }
}

function capability(t: TomlTable): (text: string) => string {
  return (text) => {
    try {
      return capabilityName(text);
    } catch {
      return t.fail('default_capabilities', `${JSON.stringify(text)} is no capability`);
    }
  };
}

function networkMode(t: TomlTable): NetworkMode | undefined {
  const mode = t.string('netns') || undefined;
  switch (mode) {
    case undefined:
    case 'host':
    case 'none':
    case 'private':
    case 'pasta':
    case 'slirp4netns':
      return mode;
    case 'bridge':
      return 'private';
    default:
      if (mode.startsWith('ns:/')) return mode as NetworkMode;
      return t.fail('netns', 'expected host, none, private, bridge, pasta, slirp4netns or ns:/PATH');
  }
}

const UNITS: Readonly<Record<string, number>> = { '': 1, b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

function bytes(text: string): number | undefined {
  const match = /^(\d+)\s*([bkmg]?)(?:i?b)?$/i.exec(text);
  return match === null ? undefined : Number(match[1]) * UNITS[match[2]!.toLowerCase()]!;
}

/** `2s`, `500ms`, `1m30s`. */
function milliseconds(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) return undefined;
  const factors: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * factors[unit!]!, 0);
}

function limit(text: string): ResourceLimit | undefined {
  const match = /^([a-z]+)=(-1|\d+)(?::(-1|\d+))?$/.exec(text);
  if (match === null) return undefined;
  const soft = Number(match[2]);
  return { name: match[1]!, soft, hard: match[3] === undefined ? soft : Number(match[3]) };
}

function pair(text: string): [string, string] {
  const at = text.indexOf('=');
  return [text.slice(0, at), text.slice(at + 1)];
}
