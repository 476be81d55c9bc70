/**
 * The scenery of a container, built on the launch pad's thread in its own mount namespace: root, /proc, /sys, a minimal
 * /dev, the mounts asked for, and what is hidden or read-only. Targets are resolved inside the root and mounted on by
 * descriptor; sources arrive as mount trees that were opened before, so no path is looked up twice.
 *
 * @see runtime-spec "config-linux", default filesystems and devices
 */
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import {
  AT_FDCWD,
  errnoOf,
  MNT_DETACH,
  MS,
  mountCall,
  O_PATH,
  openat,
  S_IFDIR,
  S_IFMT,
  umountCall,
} from '../sys/libc.ts';
import { addMountAttributes, attachMountTree, cloneMountTree, descriptorPath, MOUNT_ATTR } from '../sys/mount-tree.ts';
import { listDirectory, RootDirectory } from '../sys/root-directory.ts';
import type { LaunchPlan, PlannedMount } from './launch-plan.ts';

const SAFE = MS.NOSUID | MS.NODEV | MS.NOEXEC;
const SAFE_READ_ONLY = MOUNT_ATTR.RDONLY | MOUNT_ATTR.NOSUID | MOUNT_ATTR.NODEV | MOUNT_ATTR.NOEXEC;

/** Runs `body` with a descriptor and closes it. */
function withFd<T>(fd: number, body: (fd: number) => T): T {
  try {
    return body(fd);
  } finally {
    closeSync(fd);
  }
}

const openPath = (path: string): number => openat(AT_FDCWD, path, O_PATH);

/** Where things are in the workshop once it is the root directory of the pad. */
const WORKSHOP = { root: '/root', proc: '/fresh-proc', dev: '/dev', scratch: '/scratch' } as const;

/**
 * Prepares what every container needs, on a private file system that covers the directory `workshop`. The host's /proc
 * stays visible as the workshop's, so that descriptors have paths.
 * @returns the directory on which a fresh proc file system must be mounted next
 */
export function openWorkshop(workshop: string, ttyGroup: number | undefined): string {
  mountCall('slipway', workshop, 'tmpfs', MS.NOSUID | MS.NODEV | MS.NOEXEC, 'mode=0700');
  for (const directory of [...Object.values(WORKSHOP), '/proc']) mkdirSync(workshop + directory);
  withFd(cloneMountTree('/proc', false), (tree) =>
    withFd(openPath(`${workshop}/proc`), (fd) => attachMountTree(tree, fd)),
  );
  makeDev(workshop + WORKSHOP.dev, ttyGroup);
  return workshop + WORKSHOP.proc;
}

/** Hides and protects in the fresh /proc what every plan wants hidden, ahead of need. The workshop must be the root. */
export function hideKernelFiles(hidden: HiddenPaths): void {
  using root = new RootDirectory('/');
  const fresh = (path: string): string => path.replace(/^\/proc/, WORKSHOP.proc);
  for (const path of hidden.readOnlyPaths) makeReadOnly(root, fresh(path));
  for (const path of hidden.maskPaths) mask(root, fresh(path));
}

/** What is, or is to be, hidden and read-only. */
export interface HiddenPaths {
  readonly maskPaths: readonly string[];
  readonly readOnlyPaths: readonly string[];
}

/**
 * Builds everything below the workshop's root directory, which by now is the pad's, and returns the path that is ready
 * to become the next one.
 * @param hostSys the caller's /sys, in case none can be mounted; left open
 * @param done what `hideKernelFiles` did
 * @param onStep is told what is about to be done, for error messages
 */
export function buildScenery(
  plan: LaunchPlan,
  hostSys: number,
  done: HiddenPaths,
  onStep: (step: string) => void,
): string {
  onStep('attach the root filesystem');
  attachPrivate(plan.rootFd, openPath(WORKSHOP.root));
  using root = new RootDirectory(WORKSHOP.root);
  onStep('mount /proc');
  moveInto(root, WORKSHOP.proc, 'proc');
  onStep('mount /sys');
  mountSys(root, hostSys);
  onStep('mount /dev');
  mountCall('shm', `${WORKSHOP.dev}/shm`, 'tmpfs', SAFE, `mode=1777,size=${plan.shmSizeBytes}`);
  moveInto(root, WORKSHOP.dev, 'dev');
  if (plan.scratchFd !== undefined) attachPrivate(plan.scratchFd, openPath(WORKSHOP.scratch));
  for (const [index, mount] of plan.mounts.entries()) {
    onStep(`mount on ${mount.target}`);
    mountOne(root, mount, `${WORKSHOP.scratch}/${index}`);
  }
  for (const device of plan.devices) {
    onStep(`show the device ${device.target}`);
    attachPrivate(device.treeFd, openTarget(root, device.target, false));
  }
  onStep('hide host details');
  for (const path of without(done.readOnlyPaths, plan.readOnlyPaths)) uncover(root, path);
  for (const path of without(done.maskPaths, plan.maskPaths)) uncover(root, path);
  for (const path of without(plan.readOnlyPaths, done.readOnlyPaths)) makeReadOnly(root, path);
  for (const path of without(plan.maskPaths, done.maskPaths)) for (const match of expand(root, path)) mask(root, match);
  if (plan.readOnlyRoot) withFd(root.open('.', O_PATH), (fd) => addMountAttributes(fd, MOUNT_ATTR.RDONLY, false));
  return WORKSHOP.root;
}

/** Attaches and takes it out of any peer group: a mount made inside must not appear outside. Closes `targetFd`. */
function attachPrivate(tree: number, targetFd: number, propagation: number = MS.REC | MS.PRIVATE): void {
  withFd(targetFd, (fd) => attachMountTree(tree, fd));
  mountCall(undefined, descriptorPath(tree), undefined, propagation);
}

function moveInto(root: RootDirectory, from: string, target: string): void {
  withFd(root.openDirectory(target), (fd) => mountCall(from, descriptorPath(fd), undefined, MS.MOVE));
}

/**
 * A user namespace may mount sysfs only of a network of its own, and only over one that is visible already: failing
 * that, the caller's is shown.
 */
function mountSys(root: RootDirectory, hostSys: number): void {
  if (mountSysAnew(root)) return;
  addMountAttributes(hostSys, SAFE_READ_ONLY, true);
  withFd(root.openDirectory('sys'), (fd) => attachMountTree(hostSys, fd));
  mountSysAnew(root);
}

function mountSysAnew(root: RootDirectory): boolean {
  return withFd(root.openDirectory('sys'), (fd) => {
    try {
      mountCall('sysfs', descriptorPath(fd), 'sysfs', SAFE | MS.RDONLY);
      return true;
    } catch (error) {
      if (errnoOf(error) === 'EPERM') return false;
      throw error;
    }
  });
}

/** Device nodes every program may count on: name, major, minor. @see Documentation/admin-guide/devices.txt */
const DEVICES: readonly (readonly [string, number, number])[] = [
  ['null', 1, 3],
  ['zero', 1, 5],
  ['full', 1, 7],
  ['random', 1, 8],
  ['urandom', 1, 9],
  ['tty', 5, 0],
];

/** `st_rdev` as node reports it. @see makedev(3) */
function deviceNumber(major: number, minor: number): number {
  return (minor & 0xff) | (major << 8);
}

/** The host's nodes are shown rather than made: a user namespace may not make any. */
function makeDev(dev: string, ttyGroup: number | undefined): void {
  mountCall('tmpfs', dev, 'tmpfs', MS.NOSUID | MS.NOEXEC | MS.STRICTATIME, 'mode=0755,size=65536k');
  for (const [name, major, minor] of DEVICES) {
    withFd(cloneMountTree(`/dev/${name}`, false), (tree) => {
      const stat = fstatSync(tree);
      // A null device that is really a file would collect, or feed, what it must not.
      if (!stat.isCharacterDevice() || stat.rdev !== deviceNumber(major, minor)) {
        throw new Error(`the host's /dev/${name} is not the device of that name`);
      }
      closeSync(openSync(`${dev}/${name}`, 'wx', 0o666));
      withFd(openPath(`${dev}/${name}`), (target) => attachMountTree(tree, target));
    });
  }
  for (const name of ['pts', 'shm', 'mqueue']) mkdirSync(`${dev}/${name}`);
  const group = ttyGroup === undefined ? '' : `,gid=${ttyGroup}`;
  mountCall('devpts', `${dev}/pts`, 'devpts', MS.NOSUID | MS.NOEXEC, `newinstance,ptmxmode=0666,mode=0620${group}`);
  try {
    mountCall('mqueue', `${dev}/mqueue`, 'mqueue', SAFE);
  } catch (error) {
    // Not built into every kernel; and not a user's to mount while the IPC namespace is the system's.
    const errno = errnoOf(error);
    if (errno !== 'ENODEV' && errno !== 'EPERM') throw error;
  }
  symlinkSync('pts/ptmx', `${dev}/ptmx`);
  symlinkSync('/proc/self/fd', `${dev}/fd`);
  ['stdin', 'stdout', 'stderr'].forEach((name, number) => {
    symlinkSync(`/proc/self/fd/${number}`, `${dev}/${name}`);
  });
}

/** Opens the place to mount on. What is missing is made: that happens only below other mounts, the rest is prepared. */
function openTarget(root: RootDirectory, target: string, isDirectory: boolean): number {
  if (root.stat(target, true) === undefined) {
    if (isDirectory) root.makeDirectories(target);
    else {
      root.makeDirectories(target.replace(/\/[^/]*$/, ''));
      closeSync(root.open(target, constants.O_CREAT | constants.O_WRONLY | constants.O_NONBLOCK, 0o644));
    }
  }
  return root.open(target, O_PATH);
}

function mountOne(root: RootDirectory, mount: PlannedMount, scratch: string): void {
  switch (mount.type) {
    case 'tree':
      if (mount.attributes !== 0) addMountAttributes(mount.treeFd, mount.attributes, true);
      attachPrivate(mount.treeFd, openTarget(root, mount.target, mount.isDirectory), mount.propagation);
      return;
    case 'tmpfs': {
      const flags = MS.NOSUID | MS.NODEV | (mount.readOnly ? MS.RDONLY : 0);
      withFd(openTarget(root, mount.target, true), (fd) =>
        mountCall('tmpfs', descriptorPath(fd), 'tmpfs', flags, mount.options),
      );
      return;
    }
    case 'overlay':
      mountThrowaway(root, mount, scratch);
      return;
    default:
      mount satisfies never;
  }
}

/** Writes land in `scratch`, which is gone after the run. */
function mountThrowaway(root: RootDirectory, mount: PlannedMount & { type: 'overlay' }, scratch: string): void {
  for (const name of ['', '/lower', '/upper', '/work']) mkdirSync(scratch + name);
  attachPrivate(mount.treeFd, openPath(`${scratch}/lower`));
  // The merged directory shows owner and mode of the upper one.
  const { uid, gid, mode } = statSync(`${scratch}/lower`);
  chownSync(`${scratch}/upper`, uid, gid);
  chmodSync(`${scratch}/upper`, mode & 0o7777);
  const options = `lowerdir=${scratch}/lower,upperdir=${scratch}/upper,workdir=${scratch}/work`;
  withFd(openTarget(root, mount.target, true), (fd) => {
    try {
      mountCall('overlay', descriptorPath(fd), 'overlay', 0, options);
    } catch (error) {
      if (errnoOf(error) !== 'EPERM') throw error;
      mountCall('overlay', descriptorPath(fd), 'overlay', 0, `${options},userxattr`);
    }
  });
}

/** Paths that a `*` within one component stands for. */
function expand(root: RootDirectory, pattern: string): string[] {
  const star = /^(.*)\/([^/]*)\*([^/]*)(.*)$/.exec(pattern);
  if (star === null) return [pattern];
  const [, parent = '', before = '', after = '', rest = ''] = star;
  if (root.stat(parent, true) === undefined) return [];
  const names = withFd(root.open(parent, constants.O_RDONLY | constants.O_DIRECTORY), listDirectory);
  return names
    .map((name) => name.toString())
    .filter((name) => name.startsWith(before) && name.endsWith(after))
    .map((name) => `${parent}/${name}${rest}`);
}

/** Opens a path for covering, or undefined when the kernel here has no such file. */
function openIfAny(
  root: RootDirectory,
  path: string,
): { readonly fd: number; readonly isDirectory: boolean } | undefined {
  const stat = root.stat(path, true);
  if (stat === undefined) return undefined;
  return { fd: root.open(path, O_PATH), isDirectory: (stat.mode & S_IFMT) === S_IFDIR };
}

function without(paths: readonly string[], removed: readonly string[]): string[] {
  return paths.filter((path) => !removed.includes(path));
}

/** Takes away what `mask` or `makeReadOnly` put on a path, when there was something to cover. */
function uncover(root: RootDirectory, path: string): void {
  const found = openIfAny(root, path);
  if (found === undefined) return;
  withFd(found.fd, (fd) => umountCall(descriptorPath(fd), MNT_DETACH));
}

function mask(root: RootDirectory, path: string): void {
  const found = openIfAny(root, path);
  if (found === undefined) return;
  withFd(found.fd, (fd) => {
    if (found.isDirectory) mountCall('tmpfs', descriptorPath(fd), 'tmpfs', SAFE | MS.RDONLY, 'size=0,mode=0755');
    else
      withFd(root.open('dev/null', O_PATH), (from) =>
        mountCall(descriptorPath(from), descriptorPath(fd), undefined, MS.BIND),
      );
  });
}

function makeReadOnly(root: RootDirectory, path: string): void {
  const found = openIfAny(root, path);
  if (found === undefined) return;
  withFd(found.fd, (fd) => {
    withFd(cloneMountTree(descriptorPath(fd), true), (tree) => {
      addMountAttributes(tree, SAFE_READ_ONLY, true);
      attachMountTree(tree, fd);
    });
  });
}
