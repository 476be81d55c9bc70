/**
 * What this machine allows and lacks, for `slipway doctor`: facts as data, each with the one command that mends it.
 */
import { accessSync, constants, existsSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { BuilderError } from '../report/builder-error.ts';
import { findProgram } from '../sys/host.ts';
import { llistxattr } from '../sys/libc.ts';
import { runHelper } from '../sys/spawn.ts';
import { currentNamespace, mayMount } from '../sys/user-namespace.ts';
import { NETWORK_HELPERS } from './network.ts';
import { installedHelpers, installHint, openPrivateNetwork } from './private-network.ts';
import { chooseExecutor, RUNTIMES } from './probe.ts';
import { runtimeDanger } from './runtime-version.ts';

export interface HostCheck {
  /** Stable for programs: `user-namespaces`, `subordinate-ids`, … */
  readonly name: string;
  /** `note`: fine without, better with. */
  readonly state: 'ok' | 'note' | 'missing';
  /** What was found. */
  readonly found: string;
  /** One command, or one setting, that mends it. */
  readonly remedy?: string;
}

export interface HostReport {
  readonly checks: readonly HostCheck[];
  /** The isolation that follows, or why there is none. */
  readonly isolation: string;
  readonly why: string;
  /** The storage driver that follows. */
  readonly driver: 'overlay' | 'vfs';
}

/** @param root where the store is or will be */
export async function hostReport(root: string, env: Readonly<Record<string, string | undefined>>): Promise<HostReport> {
  const overlay = overlayCheck();
  const checks = [
    userNamespaceCheck(),
    appArmorCheck(),
    mappingToolCheck(),
    subordinateIdCheck(),
    overlay,
    ...RUNTIMES.map(runtimeCheck),
    await privateNetworkCheck(),
    cgroupCheck(),
    diskCheck(root),
  ];
  const driver = overlay.state === 'ok' ? 'overlay' : 'vfs';
  try {
    const { executor, why } = await chooseExecutor({ env });
    return { checks, isolation: executor.isolation, why, driver };
  } catch (error) {
    if (!(error instanceof BuilderError)) throw error;
    return { checks, isolation: 'none', why: error.message, driver };
  }
}

function setting(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}

function userNamespaceCheck(): HostCheck {
  const name = 'user-namespaces';
  if (setting('/proc/sys/user/max_user_namespaces') === '0') {
    return { name, state: 'missing', found: 'none allowed', remedy: 'sudo sysctl -w user.max_user_namespaces=15000' };
  }
  if (setting('/proc/sys/kernel/unprivileged_userns_clone') === '0') {
    const remedy = 'sudo sysctl -w kernel.unprivileged_userns_clone=1';
    return { name, state: 'missing', found: 'closed to ordinary users', remedy };
  }
  if (mayMount()) {
    const { isInitial } = currentNamespace();
    return { name, state: 'ok', found: isInitial ? 'not needed: running as root' : 'in one' };
  }
  return {
    name,
    state: 'missing',
    found: 'none could be entered',
    remedy: 'start the program as "slipway" (bin/slipway)',
  };
}

function appArmorCheck(): HostCheck {
  const restricted = setting('/proc/sys/kernel/apparmor_restrict_unprivileged_userns') === '1';
  const name = 'apparmor';
  if (!restricted) return { name, state: 'ok', found: 'does not restrict user namespaces' };
  if (mayMount()) return { name, state: 'ok', found: 'restricts user namespaces, but not this program' };
  const remedy = 'sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0';
  return { name, state: 'missing', found: 'keeps ordinary users from mounting in a user namespace', remedy };
}

const SETUID = 0o4000;

function mappingToolCheck(): HostCheck {
  const name = 'newuidmap';
  const remedy = 'sudo apt-get install uidmap   (shadow-utils on Fedora)';
  for (const tool of ['newuidmap', 'newgidmap']) {
    const path = findProgram(tool);
    if (path === undefined) return { name, state: 'missing', found: `${tool} is not installed`, remedy };
    const privileged = (statSync(path).mode & SETUID) !== 0 || llistxattr(path).includes('security.capability');
    if (!privileged) {
      return {
        name,
        state: 'missing',
        found: `${path} has neither setuid nor capabilities`,
        remedy: `sudo chmod u+s ${path}`,
      };
    }
  }
  return { name, state: 'ok', found: 'installed with the rights it needs' };
}

/** Fewer and most images do not fit. */
const ENOUGH_IDS = 65536;

function subordinateIdCheck(): HostCheck {
  const name = 'subordinate-ids';
  const { uidMap, rootlessUid } = currentNamespace();
  const mapped = uidMap.reduce((sum, { length }) => sum + length, 0);
  if (mapped >= ENOUGH_IDS) return { name, state: 'ok', found: `${mapped} ids mapped` };
  const remedy = 'sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER';
  return {
    name,
    state: 'missing',
    found: `${mapped} ids mapped for user ${rootlessUid ?? process.getuid?.()}`,
    remedy,
  };
}

function overlayCheck(): HostCheck {
  const name = 'overlay';
  const known = /\toverlay$/m.test(setting('/proc/filesystems') ?? '');
  if (!known) return { name, state: 'missing', found: 'not in the kernel', remedy: 'sudo modprobe overlay' };
  if (!mayMount()) return { name, state: 'note', found: 'in the kernel, but nothing may be mounted here' };
  return { name, state: 'ok', found: 'in the kernel' };
}

function runtimeCheck(name: string): HostCheck {
  const path = findProgram(name);
  if (path === undefined) {
    return { name, state: 'note', found: 'not installed', remedy: `sudo apt-get install ${name}` };
  }
  const text = runHelper(path, ['--version']).stdout;
  const found = `${path} (${text.split('\n')[0]?.trim() ?? ''})`;
  const danger = runtimeDanger(text);
  if (danger === undefined) return { name, state: 'ok', found };
  const remedy = `sudo apt-get install --only-upgrade ${name}`;
  return { name, state: 'note', found: `${found}: ${danger}`, remedy };
}

const TUN = '/dev/net/tun';

/** Tried, since much can be in the way: an old program, a confinement, a missing device. */
async function privateNetworkCheck(): Promise<HostCheck> {
  const name = 'private-network';
  const installed = installedHelpers();
  if (installed.length === 0) {
    const found = `no helper for --network private: neither ${NETWORK_HELPERS.join(' nor ')} is installed`;
    return { name, state: 'note', found, remedy: installHint(NETWORK_HELPERS) };
  }
  if (!existsSync(TUN)) return { name, state: 'note', found: `there is no ${TUN}`, remedy: 'sudo modprobe tun' };
  try {
    accessSync(TUN, constants.R_OK | constants.W_OK);
  } catch {
    return { name, state: 'note', found: `${TUN} may not be opened`, remedy: `sudo chmod 0666 ${TUN}` };
  }
  if (!mayMount()) return { name, state: 'note', found: `${installed[0]} is installed, but no namespace may be made` };
  try {
    await using network = await openPrivateNetwork('private');
    return { name, state: 'ok', found: `${network.helper} connects one (${findProgram(network.helper)})` };
  } catch (error) {
    if (!(error instanceof BuilderError)) throw error;
    return { name, state: 'note', found: error.message };
  }
}

/** statfs magic of cgroup2. @see cgroups(7) */
const CGROUP2_MAGIC = 0x63677270;

function cgroupCheck(): HostCheck {
  const name = 'cgroups';
  try {
    if (statfsSync('/sys/fs/cgroup').type === CGROUP2_MAGIC) return { name, state: 'ok', found: 'version 2' };
  } catch {
    return { name, state: 'note', found: 'not mounted: steps run without limits of their own' };
  }
  const found = existsSync('/sys/fs/cgroup/unified') ? 'versions 1 and 2 mixed: crun refuses that' : 'version 1';
  return { name, state: 'note', found, remedy: 'boot with systemd.unified_cgroup_hierarchy=1' };
}

/** Below this a build of ordinary size fails. */
const LITTLE_SPACE_BYTES = 2 * 1024 ** 3;

function diskCheck(root: string): HostCheck {
  const name = 'disk';
  let place = root;
  while (!existsSync(place)) place = place.replace(/\/[^/]*$/, '') || '/';
  const { bavail, bsize } = statfsSync(place);
  const found = `${((bavail * bsize) / 1024 ** 3).toFixed(1)} GiB free at ${place}`;
  if (bavail * bsize >= LITTLE_SPACE_BYTES) return { name, state: 'ok', found };
  return { name, state: 'missing', found, remedy: 'slipway prune --all   (or another --root)' };
}
