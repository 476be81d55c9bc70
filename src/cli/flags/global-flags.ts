/** Flags of every command, before or after its name. */
import { ignored, option, unsupported } from '../option.ts';

export const GLOBAL_FLAGS = [
  option('--root str DIR', 'where images and containers are kept', { complete: 'directory' }),
  option('--runroot str DIR', 'where state that a reboot may lose is kept', { complete: 'directory' }),
  option('--storage-driver str NAME', 'overlay or vfs', { env: 'STORAGE_DRIVER', choices: ['overlay', 'vfs'] }),
  option('--log-level str LEVEL', 'trace, debug, info, warn, error, fatal or panic', {
    default: 'warn',
    choices: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'panic'],
  }),
  option('--registries-conf str FILE', 'another registries.conf', { tier: 'P1', complete: 'file' }),
  option('--registries-conf-dir str DIR', 'another registries.conf.d', { tier: 'P1', complete: 'directory' }),
  option('--color str WHEN', 'always, never or auto', { default: 'auto', choices: ['always', 'never', 'auto'] }),
  option('-h,--help bool', 'show help'),
  option('--debug bool', 'same as --log-level=debug', { hidden: true, tier: 'P2' }),
  ...ignored('--cpu-profile str', '--memory-profile str'),
  ...unsupported(
    '--storage-opt csv',
    '--cgroup-manager str',
    '--default-mounts-file str',
    '--imagestore str',
    '--short-name-alias-conf str',
    '--transient-store bool',
    '--userns-gid-map csv',
    '--userns-uid-map csv',
  ),
] as const;

/** Flags of the program itself. */
export const PROGRAM_FLAGS = [option('-v,--version bool', 'show the version')] as const;
