/** From a process to the plan for its launch pad: opens every source as a mount tree, decides every option. */
import { closeSync, constants, mkdtempSync, openSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import type { ProcessSpec, RunMount } from '../spec/process-spec.ts';
import type { CleanupStack } from '../sys/dispose.ts';
import { errnoOf, MS } from '../sys/libc.ts';
import { cloneMountTree, MOUNT_ATTR } from '../sys/mount-tree.ts';
import { hasLimit } from '../sys/resource-limit.ts';
import { capabilityNumbers } from './capabilities.ts';
import { maskedPaths, readOnlyPaths } from './hidden-paths.ts';
import type { LaunchPlan, PlannedMount } from './launch-plan.ts';
import { seccompProgram } from './seccomp.ts';

/** @param fds what becomes 0, 1 and 2; descriptors and directories opened for the plan are put on `cleanup` */
export function planLaunch(
  root: string,
  process: ProcessSpec,
  fds: readonly number[],
  o: { readonly noPivot?: boolean; readonly temporary?: string | undefined },
  cleanup: CleanupStack,
): LaunchPlan {
  const clone = (path: string, recursive: boolean): number => {
    const fd = openSource(path, recursive);
    cleanup.defer(() => closeSync(fd));
    return fd;
  };
  const needsScratch = process.mounts.some((mount) => mount.type === 'overlay');
  return {
    rootFd: clone(root, false),
    scratchFd: needsScratch ? clone(makeScratch(o.temporary ?? tmpdir(), cleanup), false) : undefined,
    args: process.args,
    env: process.env,
    cwd: process.cwd,
    uid: process.user.uid,
    gid: process.user.gid,
    groups: [...new Set([process.user.gid, ...process.user.groups])],
    hostname: process.namespaces?.uts === undefined ? process.hostname : undefined,
    enter: SHARABLE.flatMap((kind) => {
      const shared = process.namespaces?.[kind];
      return shared === undefined || shared === 'host' ? [] : [{ kind, fd: openNamespace(kind, shared.path, cleanup) }];
    }),
    mounts: process.mounts.map((mount) => planMount(mount, clone)),
    devices: (process.devices ?? []).map(({ source, target }) => ({ treeFd: clone(source, false), target })),
    newNetwork: process.network === 'none',
    networkFd:
      typeof process.network === 'string' ? undefined : openNamespace('network', process.network.namespace, cleanup),
    shmSizeBytes: process.shmSizeBytes,
    maskPaths: maskedPaths(process),
    readOnlyPaths: readOnlyPaths(process),
    readOnlyRoot: process.readOnlyRoot === true,
    capabilities: [...capabilityNumbers(process.capabilities)],
    seccomp: seccompProgram(process),
    noNewPrivileges: process.noNewPrivileges,
    noPivot: o.noPivot === true,
    fds,
    terminal: process.terminal,
    holdForLimits: process.limits.some(({ name, soft, hard }) => !hasLimit(name, soft, hard)),
  };
}

const SHARABLE = ['cgroup', 'ipc', 'uts'] as const;

/** @throws `run.network-unavailable`, for other kinds `run.start-failed` */
function openNamespace(kind: 'network' | (typeof SHARABLE)[number], path: string, cleanup: CleanupStack): number {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    cleanup.defer(() => closeSync(fd));
    return fd;
  } catch (cause) {
    const code = kind === 'network' ? 'run.network-unavailable' : 'run.start-failed';
    throw new BuilderError(code, `cannot open the ${kind} namespace ${JSON.stringify(path)}`, { cause });
  }
}

function openSource(path: string, recursive: boolean): number {
  try {
    return cloneMountTree(path, recursive);
  } catch (cause) {
    if (errnoOf(cause) === 'ENOSYS') {
      throw new BuilderError('run.isolation-unavailable', 'isolation chroot needs Linux 5.2 or newer', {
        cause,
        hint: 'use --isolation oci with runc or crun',
      });
    }
    throw new BuilderError('run.start-failed', `cannot use ${JSON.stringify(path)} as the source of a mount`, {
      cause,
    });
  }
}

/** Upper layers of throwaway mounts go to disk, since they may be as large as what is copied up. */
function makeScratch(parent: string, cleanup: CleanupStack): string {
  const directory = mkdtempSync(join(parent, 'slipway-run-'));
  cleanup.defer(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function planMount(mount: RunMount, clone: (path: string, recursive: boolean) => number): PlannedMount {
  switch (mount.type) {
    case 'bind':
      return {
        type: 'tree',
        treeFd: clone(mount.source, mount.options?.includes('norecurse') !== true),
        isDirectory: statSync(mount.source).isDirectory(),
        target: mount.target,
        attributes: attributesOf(mount),
        propagation: propagationFlags(mount.propagation ?? 'rprivate'),
      };
    case 'tmpfs':
      return { type: 'tmpfs', target: mount.target, readOnly: mount.readOnly === true, options: tmpfsOptions(mount) };
    case 'overlay':
      if (!statSync(mount.source).isDirectory()) {
        throw new BuilderError(
          'run.start-failed',
          `a throwaway mount needs a directory: ${JSON.stringify(mount.source)}`,
        );
      }
      return { type: 'overlay', target: mount.target, treeFd: clone(mount.source, false) };
    default:
      return mount satisfies never;
  }
}

function attributesOf(mount: RunMount & { type: 'bind' }): number {
  const has = (option: 'nosuid' | 'nodev' | 'noexec'): boolean => mount.options?.includes(option) === true;
  return (
    (mount.readOnly ? MOUNT_ATTR.RDONLY : 0) |
    (has('nosuid') ? MOUNT_ATTR.NOSUID : 0) |
    (has('nodev') ? MOUNT_ATTR.NODEV : 0) |
    (has('noexec') ? MOUNT_ATTR.NOEXEC : 0)
  );
}

const PROPAGATION: Readonly<Record<string, number>> = {
  private: MS.PRIVATE,
  rprivate: MS.PRIVATE | MS.REC,
  slave: MS.SLAVE,
  rslave: MS.SLAVE | MS.REC,
  shared: MS.SHARED,
  rshared: MS.SHARED | MS.REC,
  unbindable: MS.UNBINDABLE,
  runbindable: MS.UNBINDABLE | MS.REC,
};

/** MS_* flags of a propagation's name. @throws `usage.invalid` for anything else, mount options included */
function propagationFlags(name: string): number {
  const flags = Object.hasOwn(PROPAGATION, name) ? PROPAGATION[name] : undefined;
  if (flags === undefined) throw new BuilderError('usage.invalid', `unknown mount propagation ${JSON.stringify(name)}`);
  return flags;
}

function tmpfsOptions(mount: RunMount & { type: 'tmpfs' }): string {
  const mode = `mode=${(mount.mode ?? 0o1777).toString(8)}`;
  return mount.sizeBytes === undefined ? mode : `${mode},size=${mount.sizeBytes}`;
}
