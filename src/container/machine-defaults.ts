/** What the machine's configuration says of containers and transfers, where neither a call nor its container does. */
import { type ContainersConf, loadContainersConf } from '../run/containers-conf.ts';
import type { Engine } from './engine.ts';
import type { RunDefaults } from './working-container.ts';

const loaded = new WeakMap<Engine['store'], ContainersConf>();

/** containers.conf of this machine and user, read once. @throws `usage.invalid` naming file, line and key */
export function containersConf(engine: Engine): ContainersConf {
  let conf = loaded.get(engine.store);
  if (conf === undefined) {
    conf = loadContainersConf(engine.env, engine.callerUid);
    loaded.set(engine.store, conf);
  }
  return conf;
}

/** `asked` goes before the configuration, except that volumes and devices add up. */
export function withMachineDefaults(engine: Engine, asked: RunDefaults = {}): RunDefaults {
  const conf = containersConf(engine);
  const namespaces = { ...conf.namespaces, ...asked.namespaces };
  const volumes = [...(conf.volumes ?? []), ...(asked.volumes ?? [])];
  const devices = [...(conf.devices ?? []), ...(asked.devices ?? [])];
  const network = asked.network ?? conf.network;
  const all: { readonly [K in keyof RunDefaults]: RunDefaults[K] | undefined } = {
    baseHosts: conf.baseHostsFile,
    nameAsHostname: conf.containerNameAsHostname,
    hostAddress: conf.hostAddress,
    baseCapabilities: conf.capabilities,
    sysctls: conf.sysctls,
    limits: conf.limits,
    dns: conf.dnsServers,
    dnsOptions: conf.dnsOptions,
    dnsSearch: conf.dnsSearches,
    shmSizeBytes: conf.shmSizeBytes,
    cgroupManager: conf.cgroupManager,
    cdiDirectories: conf.cdiDirectories,
    hooksDirectories: conf.hooksDirectories,
    ...asked,
    ...runtimeOf(engine, conf, asked),
    // Which helper is the machine's word, whether there is a network of its own the caller's.
    network: network === 'private' ? (conf.networkHelper ?? network) : network,
    volumes: volumes.length === 0 ? undefined : volumes,
    devices: devices.length === 0 ? undefined : devices,
    namespaces: Object.keys(namespaces).length === 0 ? undefined : namespaces,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** A runtime by name may be told where it is. The environment goes before the files. */
function runtimeOf(
  engine: Engine,
  conf: ContainersConf,
  asked: RunDefaults,
): Pick<RunDefaults, 'runtime' | 'runtimePaths'> {
  const runtime = asked.runtime ?? (engine.env['BUILDAH_RUNTIME'] || conf.runtime);
  const paths = runtime === undefined ? undefined : conf.runtimes?.[runtime];
  return {
    ...(runtime === undefined ? {} : { runtime }),
    ...(paths === undefined ? {} : { runtimePaths: paths }),
  };
}
