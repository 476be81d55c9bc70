/** From settings of the machine's configuration to what one process gets. */
import { readFileSync } from 'node:fs';
import { BuilderError } from '../report/builder-error.ts';
import { readImageFile } from '../run/user.ts';
import type { ProcessSpec } from '../spec/process-spec.ts';
import { RootDirectory } from '../sys/root-directory.ts';

/** Whether a container's name can be a host name too. */
export function isHostName(name: string): boolean {
  return /^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/i.test(name);
}

/** Text that /etc/hosts begins with; `none` for nothing. @throws `usage.invalid` for a file that cannot be read */
export function baseHostsOf(place: string, rootPath: string): string {
  if (place === 'none') return place;
  if (place === 'image') {
    using root = new RootDirectory(rootPath);
    return readImageFile(root, '/etc/hosts');
  }
  try {
    return readFileSync(place, 'utf8');
  } catch (cause) {
    throw new BuilderError('usage.invalid', `cannot read base_hosts_file ${place} of containers.conf`, { cause });
  }
}

/** Lines of /etc/hosts for the host itself. */
export function hostNames(address: string | undefined): readonly string[] {
  return address === undefined || address === 'none'
    ? []
    : [`host.containers.internal;host.docker.internal:${address}`];
}

/** Those of the network are the caller's own, and not a step's to set, while it shares the network. */
export function sysctlsFor(all: readonly string[], network: ProcessSpec['network']): Readonly<Record<string, string>> {
  const pairs = all.map((entry): [string, string] => {
    const at = entry.indexOf('=');
    return [entry.slice(0, at), entry.slice(at + 1)];
  });
  return Object.fromEntries(pairs.filter(([name]) => network !== 'host' || !name.startsWith('net.')));
}
