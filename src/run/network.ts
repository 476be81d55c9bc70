/**
 * How a network namespace is connected to the world: the programs that do it, their arguments, and what is where once
 * they have. Pure; `private-network.ts` starts them.
 *
 * - `host`: the caller's own network.
 * - `none`: a new namespace with the loopback interface only.
 * - `private`: a new namespace connected by a helper in user space, so that it needs no rights over the host's network.
 * - `ns:PATH`: a namespace somebody else has made.
 *
 * @see pasta(1), slirp4netns(1)
 */
import type { NetworkMode } from '../spec/process-spec.ts';

export type NetworkHelper = 'pasta' | 'slirp4netns';

/** pasta first, which copies less and speaks IPv6. */
export const NETWORK_HELPERS: readonly NetworkHelper[] = ['pasta', 'slirp4netns'];

/** The first whose data can be trusted. @see orderedHelpers */
const MATURE_PASTA = 20240101;

/**
 * In the order to be tried. Early releases of pasta repeat or lose data once a client has shut down its sending side
 * (seen with that of March 2023, which Debian 12 has); they come second. A release's version is its date, and the early
 * ones as packaged do not know theirs.
 * @param pastaVersion what `pasta --version` says
 */
export function orderedHelpers(pastaVersion: string): readonly NetworkHelper[] {
  const date = /(20\d\d)[_-]?(\d\d)[_-]?(\d\d)/.exec(pastaVersion)?.slice(1).join('') ?? '0';
  return Number(date) >= MATURE_PASTA ? NETWORK_HELPERS : [...NETWORK_HELPERS].reverse();
}

/** The Debian package of each. */
export const HELPER_PACKAGES: Readonly<Record<NetworkHelper, string>> = { pasta: 'passt', slirp4netns: 'slirp4netns' };

/** Those of `ordered` that will do for a mode; host, none and namespaces of others need none. */
export function helpersFor(mode: NetworkMode, ordered: readonly NetworkHelper[]): readonly NetworkHelper[] {
  if (mode === 'private') return ordered;
  return mode === 'pasta' || mode === 'slirp4netns' ? [mode] : [];
}

/** Where a resolver answers in the namespace: the helper forwards to the host's, even to one on its loopback. */
export const RESOLVERS: Readonly<Record<NetworkHelper, string>> = {
  // A link-local address nobody has; Podman made it customary.
  pasta: '169.254.1.1',
  slirp4netns: '10.0.2.3',
};

/** Ethernet frames of 64 KiB, less a header: what both take at most, and with what they are fastest. */
const MTU = 65520;

/**
 * Arguments that connect the namespace whose file is `namespace`. slirp4netns says on descriptor 3 that it is ready,
 * pasta by going into the background.
 * @param hostLoopback lets the gateway's address lead to what listens on the host's loopback
 */
export function helperArguments(helper: NetworkHelper, namespace: string, hostLoopback: boolean): readonly string[] {
  if (helper === 'slirp4netns') {
    const loopback = hostLoopback ? [] : ['--disable-host-loopback'];
    const confined = ['--enable-sandbox', '--enable-seccomp'];
    const how = ['--configure', `--mtu=${MTU}`, '--ready-fd=3', '--netns-type=path'];
    return [...how, ...confined, ...loopback, namespace, 'tap0'];
  }
  // Ports of host and namespace stay apart: by default pasta makes each side's listeners known to the other.
  const ports = ['-t', 'none', '-u', 'none', '-T', 'none', '-U', 'none'];
  const loopback = hostLoopback ? [] : ['--no-map-gw'];
  // Changing to "nobody", its default for root, would keep it out of the namespace.
  const identity = ['--runas', '0:0'];
  return ['--quiet', '--config-net', ...identity, ...ports, ...loopback, '--dns-forward', RESOLVERS.pasta].concat(
    '--netns',
    namespace,
  );
}

/** Address of the first default route in a table of /proc/…/net/route, or undefined. @see proc(5) */
export function gatewayOf(routes: string): string | undefined {
  for (const line of routes.split('\n').slice(1)) {
    const [, destination, gateway = '', , , , , mask] = line.split(/\s+/);
    if (destination !== '00000000' || mask !== '00000000' || !/^[0-9A-F]{8}$/.test(gateway)) continue;
    if (gateway === '00000000') continue;
    // Network byte order, printed as a little-endian number.
    return [6, 4, 2, 0].map((at) => Number.parseInt(gateway.slice(at, at + 2), 16)).join('.');
  }
  return undefined;
}

/** Whether some extra host is the host itself, which then has to be reachable. */
export function wantsHostAddress(addHosts: readonly string[]): boolean {
  return addHosts.some((entry) => /[:=]host-gateway$/.test(entry));
}

/** What a helper said about its failure, without its chatter about a missing syslog. */
export function complaintOf(stderr: string): string {
  const lines = stderr
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^Failed to send \d+ bytes to syslog|^WARNING: Support for seccomp/.test(line));
  return lines.at(-1) ?? 'it gives no reason';
}
