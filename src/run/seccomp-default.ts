/**
 * The built-in seccomp profile, for systems that bring none: every call this release knows is allowed, except those
 * that need a capability the process lacks and those that only reach into the kernel. Calls newer than this release are
 * answered ENOSYS, so that programs fall back to what they used before.
 */
import type { ProfileRule, SeccompProfile } from './seccomp-rule.ts';
import { type SyscallTable, syscallNumbers } from './syscall-numbers.ts';

/** Capability → calls it opens. A call under several capabilities is open to each. */
const BY_CAPABILITY: Readonly<Record<string, string>> = {
  BPF: 'bpf',
  DAC_READ_SEARCH: 'open_by_handle_at',
  PERFMON: 'perf_event_open',
  SYS_ADMIN:
    'bpf fanotify_init fsconfig fsmount fsopen fspick listmount lookup_dcookie mount mount_setattr move_mount ' +
    'open_tree open_tree_attr perf_event_open pivot_root quotactl quotactl_fd setdomainname sethostname setns ' +
    'statmount swapoff swapon syslog umount umount2',
  SYS_BOOT: 'kexec_file_load kexec_load reboot',
  SYS_CHROOT: 'chroot',
  SYS_MODULE: 'create_module delete_module finit_module init_module query_module',
  SYS_NICE: 'get_mempolicy mbind migrate_pages move_pages set_mempolicy set_mempolicy_home_node',
  SYS_PACCT: 'acct',
  SYS_PTRACE: 'kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev',
  SYS_RAWIO: 'ioperm iopl',
  SYS_TIME: 'clock_settime clock_settime64 settimeofday stime',
  SYS_TTY_CONFIG: 'vhangup',
  SYSLOG: 'syslog',
};

/** Open to nobody: obsolete, or an attack surface without use in a build. */
const CLOSED =
  '_sysctl afs_syscall bdflush get_kernel_syms getpmsg nfsservctl putpmsg security sysfs tuxcall uselib ustat ' +
  'userfaultfd vmsplice vserver io_uring_setup io_uring_enter io_uring_register add_key keyctl request_key ' +
  'map_shadow_stack';

const HERE: Readonly<Record<string, readonly SyscallTable[]>> = { x64: ['X86_64', 'X86'], arm64: ['AARCH64', 'ARM'] };
const EPERM = 1;
const ENOSYS = 38;

/** In the same form as a file. */
export function builtInProfile(): SeccompProfile {
  const guarded = new Set(Object.values(BY_CAPABILITY).flatMap((names) => names.split(' ')));
  const closed = new Set(CLOSED.split(' '));
  const known = new Set((HERE[process.arch] ?? []).flatMap((table) => [...syscallNumbers(table).keys()]));
  known.delete('personality');
  const open = [...known].filter((name) => !guarded.has(name) && !closed.has(name));
  const syscalls: ProfileRule[] = [
    { names: open, action: 'SCMP_ACT_ALLOW' },
    ...Object.entries(BY_CAPABILITY).map(
      ([capability, names]): ProfileRule => ({
        names: names.split(' '),
        action: 'SCMP_ACT_ALLOW',
        includes: { caps: [capability] },
      }),
    ),
    ...PERSONALITIES.map(
      (value): ProfileRule => ({
        names: ['personality'],
        action: 'SCMP_ACT_ALLOW',
        args: [{ index: 0, value, op: 'SCMP_CMP_EQ' }],
      }),
    ),
    ...[...guarded].map(
      (name): ProfileRule => ({
        names: [name],
        action: 'SCMP_ACT_ERRNO',
        errnoRet: EPERM,
        excludes: { caps: Object.keys(BY_CAPABILITY).filter((key) => BY_CAPABILITY[key]!.split(' ').includes(name)) },
      }),
    ),
    { names: [...closed], action: 'SCMP_ACT_ERRNO', errnoRet: EPERM },
  ];
  return { defaultAction: 'SCMP_ACT_ERRNO', defaultErrnoRet: ENOSYS, syscalls };
}

/** PER_LINUX, PER_LINUX32, UNAME26 with either, and the question. @see personality(2) */
const PERSONALITIES = [0, 8, 0x20000, 0x20008, 0xffffffff];
