/**
 * Building a tree of mounts and making it the root: what containers need beyond mount(2). Works on descriptors, so a
 * path inside an image is resolved once, confined, and never looked up again.
 *
 * @see open_tree(2), mount_setattr(2), pivot_root(2)
 */
import { readFileSync } from 'node:fs';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  callError,
  chdirCall,
  check,
  chrootCall,
  cString,
  errnoOf,
  lazy,
  MNT_DETACH,
  MS,
  mountCall,
  O_CLOEXEC,
  type PathLike,
  umountCall,
} from './libc.ts';
import { callNumber } from './privilege.ts';

const cMountSetattr = lazy('int64_t syscall(int64_t, int64_t, const uint8_t*, uint64_t, const uint8_t*, uint64_t)');
const cPivotRoot = lazy('int64_t syscall(int64_t, const uint8_t*, const uint8_t*)');

const cMoveMount = lazy('int64_t syscall(int64_t, int64_t, const uint8_t*, int64_t, const uint8_t*, uint64_t)');
const cOpenTree = lazy('int64_t syscall(int64_t, int64_t, const uint8_t*, uint64_t)');

/** These numbers are the same on every architecture. */
const SYS_OPEN_TREE = 428;
const SYS_MOVE_MOUNT = 429;
const SYS_MOUNT_SETATTR = 442;
const AT_RECURSIVE = 0x8000;
const OPEN_TREE_CLONE = 1;
const MOVE_MOUNT_F_EMPTY_PATH = 0x04;
const MOVE_MOUNT_T_EMPTY_PATH = 0x40;

/** Attributes of mount_setattr(2); they are added to those the mount has. */
export const MOUNT_ATTR = { RDONLY: 1, NOSUID: 2, NODEV: 4, NOEXEC: 8 } as const;

/**
 * A private copy of the mount at `path` (with everything below it when `recursive`), attached nowhere: a descriptor
 * that any thread of this program can attach in its own namespace. The last component is followed, so `path` may be
 * `/proc/self/fd/N`. The caller closes it. Linux 5.2.
 */
export function cloneMountTree(path: PathLike, recursive: boolean): number {
  const flags = OPEN_TREE_CLONE | O_CLOEXEC | (recursive ? AT_RECURSIVE : 0);
  return check(Number(cOpenTree(SYS_OPEN_TREE, AT_FDCWD, cString(path), flags)), 'copy the mount at', path);
}

/** Attaches a tree from `cloneMountTree` on the file or directory open as `targetFd`. */
export function attachMountTree(treeFd: number, targetFd: number): void {
  const empty = cString('');
  const flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  check(Number(cMoveMount(SYS_MOVE_MOUNT, treeFd, empty, targetFd, empty, flags)), 'attach a mount');
}

/** A path that leads to the file open as `fd`, whatever is mounted or renamed meanwhile. */
export function descriptorPath(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

/**
 * Adds attributes to the mount open as `fd` (its root must be open), with `recursive` to everything below it too.
 * Kernels before 5.12 do the top mount by remounting, and with `recursive` every mount below by its path.
 */
export function addMountAttributes(fd: number, attributes: number, recursive: boolean): void {
  const how = Buffer.alloc(32);
  how.writeBigUInt64LE(BigInt(attributes), 0);
  const flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
  const result = Number(cMountSetattr(SYS_MOUNT_SETATTR, fd, cString(''), flags, how, how.length));
  if (result === 0) return;
  try {
    check(result, 'change attributes of a mount');
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== 'ENOSYS' && errno !== 'EPERM') throw error;
    remountEach(fd, attributes, recursive);
  }
}

interface ThreadMount {
  readonly id: string;
  readonly target: string;
  readonly options: string;
}

/** Mounts of this thread's namespace; /proc/self would show those of the main thread. */
function threadMounts(): ThreadMount[] {
  return readFileSync('/proc/thread-self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [id = '', , , , target = '', options = ''] = line.split(' ');
      return { id, target, options };
    });
}

/** mount(2) spells these attributes with the same bits as mount_setattr(2), and forgets those not repeated. */
function remount(mount: ThreadMount, path: string, attributes: number): void {
  const names = mount.options.split(',');
  const kept =
    (names.includes('ro') ? MS.RDONLY : 0) |
    (names.includes('nosuid') ? MS.NOSUID : 0) |
    (names.includes('nodev') ? MS.NODEV : 0) |
    (names.includes('noexec') ? MS.NOEXEC : 0) |
    (names.includes('noatime') ? MS.NOATIME : 0);
  mountCall(undefined, path, undefined, MS.BIND | MS.REMOUNT | kept | attributes);
}

function remountEach(fd: number, attributes: number, recursive: boolean): void {
  const id = /^mnt_id:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1];
  const mounts = threadMounts();
  const top = mounts.find((mount) => mount.id === id);
  if (top === undefined) throw callError('change attributes of a mount', undefined, 'EINVAL');
  remount(top, descriptorPath(fd), attributes);
  if (!recursive) return;
  for (const mount of mounts) {
    if (mount.target.startsWith(`${top.target}/`)) remount(mount, mount.target, attributes);
  }
}

/**
 * Makes the mount at `path` the root of this mount namespace and lets go of the old one, for good. With `noPivot`, or
 * where the kernel cannot pivot (the old root is the boot ramdisk), the mount is moved over the root instead.
 */
export function enterRoot(path: string, noPivot = false): void {
  chdirCall(path);
  if (!noPivot) {
    const here = cString('.');
    const result = Number(cPivotRoot(callNumber('pivot_root'), here, here));
    if (result === 0) {
      // Both roots are stacked on "/" now, the old one on top.
      umountCall('.', MNT_DETACH);
      chdirCall('/');
      return;
    }
  }
  mountCall('.', '/', undefined, MS.MOVE);
  chrootCall('.');
  chdirCall('/');
}
