/** Kernel files that a container has no business with. Taken from what runc, Docker and Podman agree on. */
import type { ProcessSpec } from '../spec/process-spec.ts';

/** The part of a process that has a say in this. */
export type HidingRequest = Pick<ProcessSpec, 'maskPaths' | 'unmaskPaths'>;

/** Covered by something empty. `*` stands within one component. */
const MASKED = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/firmware',
  '/sys/fs/selinux',
  '/sys/devices/virtual/powercap',
  '/sys/devices/system/cpu/cpu*/thermal_throttle',
];

/** Readable, not writable: /proc/sys changes the host, sysrq-trigger reboots it. */
const READ_ONLY = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** `ALL` in `unmaskPaths` lifts everything. */
function isLifted(process: HidingRequest, path: string): boolean {
  return process.unmaskPaths?.some((lifted) => lifted === 'ALL' || lifted === path) === true;
}

/** Paths (and patterns) to hide from the process. */
export function maskedPaths(process: HidingRequest): readonly string[] {
  return [...MASKED, ...(process.maskPaths ?? [])].filter((path) => !isLifted(process, path));
}

/** Paths to make read-only for the process. */
export function readOnlyPaths(process: HidingRequest): readonly string[] {
  return READ_ONLY.filter((path) => !isLifted(process, path));
}
