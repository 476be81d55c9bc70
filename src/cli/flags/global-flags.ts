/** Flags of every command, before or after its name. */
import { option } from '../option.ts';
import { NO_ID_MAPS } from './run-flags.ts';

export const GLOBAL_FLAGS = [
  option('--root str DIR', 'where images and containers are kept', { complete: 'directory' }),
  option('--runroot str DIR', 'where state that a reboot may lose is kept', { complete: 'directory' }),
  option('--imagestore str DIR', 'where images are kept instead, shared by all who name it', {
    tier: 'P1',
    complete: 'directory',
  }),
  option('--transient-store bool', 'keep containers below --runroot, which a reboot empties', { tier: 'P2' }),
  option('--storage-driver str NAME', 'overlay or vfs', { env: 'STORAGE_DRIVER', choices: ['overlay', 'vfs'] }),
  option('--log-level str LEVEL', 'trace, debug, info, warn, error, fatal or panic', {
    default: 'warn',
    choices: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'panic'],
  }),
  option('--registries-conf str FILE', 'another registries.conf', { tier: 'P1', complete: 'file' }),
  option('--registries-conf-dir str DIR', 'another registries.conf.d', { tier: 'P1', complete: 'directory' }),
  option('--short-name-alias-conf str FILE', 'another file of aliases chosen by hand', {
    tier: 'P2',
    complete: 'file',
  }),
  option('--color str WHEN', 'always, never or auto', { default: 'auto', choices: ['always', 'never', 'auto'] }),
  option('-h,--help bool', 'show help'),
  option('--debug bool', 'same as --log-level=debug', { hidden: true, tier: 'P2' }),
  option('--cpu-profile str FILE', "write where the time went, for browsers' developer tools", {
    tier: 'P2',
    hidden: true,
    complete: 'file',
  }),
  option('--memory-profile str FILE', "write where the memory went, for browsers' developer tools", {
    tier: 'P2',
    hidden: true,
    complete: 'file',
  }),
  option('--storage-opt csv KEY=VALUE', 'an option of the storage driver, such as overlay.mountopt=nodev', {
    tier: 'P1',
    env: 'STORAGE_OPTS',
  }),
  option('--cgroup-manager str NAME', 'who makes cgroups: cgroupfs or systemd', {
    tier: 'P2',
    choices: ['cgroupfs', 'systemd'],
  }),
  option('--default-mounts-file str FILE', 'another mounts.conf', { tier: 'P2', hidden: true, complete: 'file' }),
  ...NO_ID_MAPS,
] as const;

/** Flags of the program itself. */
export const PROGRAM_FLAGS = [option('-v,--version bool', 'show the version')] as const;
