/** Capability names, and the set a build step gets unless told otherwise. */
import { readFileSync } from 'node:fs';
import { BuilderError } from '../report/builder-error.ts';

/** Position is the kernel's number. @see linux/capability.h */
const NAMES = (
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE ' +
  'NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN ' +
  'SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE ' +
  'MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE'
).split(' ');

/** Every capability name, without `CAP_`. */
export const ALL_CAPABILITIES: readonly string[] = [...NAMES].sort();

/** What Buildah gives a RUN. @see containers.conf(5) default_capabilities */
export const DEFAULT_CAPABILITIES: readonly string[] = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
];

/** `cap_net_raw`, `NET_RAW` and `CAP_NET_RAW` are one. @throws `usage.invalid` for a name no kernel knows */
export function capabilityName(text: string): string {
  const name = text.toUpperCase().replace(/^CAP_/, '');
  if (NAMES.includes(name)) return name;
  throw new BuilderError('usage.invalid', `unknown capability ${JSON.stringify(text)}`);
}

/** The default set, or another, with some added and dropped; `all` stands for every one, additions win over a dropped `all`. */
export function adjustCapabilities(
  add: readonly string[],
  drop: readonly string[],
  usual: readonly string[] = DEFAULT_CAPABILITIES,
): readonly string[] {
  const isAll = (text: string): boolean => text.toUpperCase() === 'ALL';
  const base = add.some(isAll) ? ALL_CAPABILITIES : drop.some(isAll) ? [] : usual;
  const set = new Set(base);
  for (const text of add) if (!isAll(text)) set.add(capabilityName(text));
  for (const text of drop) if (!isAll(text)) set.delete(capabilityName(text));
  return [...set].sort();
}

/** Every capability this process could give to another; in a user namespace they count inside it only. */
export function ownCapabilities(): readonly string[] {
  const status = readFileSync('/proc/self/status', 'utf8');
  const bits = BigInt(`0x${/^CapPrm:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
  return NAMES.filter((_, number) => ((bits >> BigInt(number)) & 1n) === 1n).sort();
}

/** Kernel numbers of capability names. */
export function capabilityNumbers(names: readonly string[]): ReadonlySet<number> {
  return new Set(names.map((name) => NAMES.indexOf(name)).filter((number) => number >= 0));
}
