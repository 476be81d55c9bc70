/**
 * Mounting overlay file systems.
 *
 * @see Documentation/filesystems/overlayfs.rst in the kernel's sources
 */
import { randomBytes } from 'node:crypto';
import { closeSync, constants, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFile } from '../sys/file-write.ts';
import {
  AT_FDCWD,
  chdirCall,
  errnoOf,
  lstatatIfAny,
  MS,
  mountCall,
  O_PATH,
  openat,
  S_IFCHR,
  S_IFMT,
  unlinkat,
} from '../sys/libc.ts';
import { makeDirectories } from '../sys/make-directories.ts';
import { unmount } from '../sys/mount.ts';
import { type MountOptions, NO_MOUNT_OPTIONS } from './mount-options.ts';
import { removeTree } from './remove-tree.ts';

/** Paths of layers and work directories are relative to `base`. */
export interface OverlayMount {
  readonly base: string;
  /** Topmost first. */
  readonly lowers: readonly string[];
  /** Absent for a read-only mount. */
  readonly writable?: { readonly upper: string; readonly work: string };
  /** Absolute path to mount on. */
  readonly target: string;
  readonly options?: MountOptions;
}

/** The kernel takes one page of options, its final NUL included. */
const OPTIONS_LIMIT = 4095;
/** These mean something in an option string. */
const SPECIAL = /[,:\\"]/;

let userNamespace: boolean | undefined;
/** Whether this process lives in a user namespace other than the first, where trusted attributes are out of reach. */
export function inUserNamespace(): boolean {
  userNamespace ??= !/^\s*0\s+0\s+4294967295\s*$/.test(readFileSync('/proc/self/uid_map', 'utf8'));
  return userNamespace;
}

/** Kernels before 5.10 do not know `volatile`. */
let volatileKnown = true;

/** @throws `sys.call-failed` */
export function mountOverlay(mount: OverlayMount): void {
  if (volatileKnown && mount.writable !== undefined && mount.options?.isDurable !== true) {
    try {
      tryMount(mount, true);
      return;
    } catch (error) {
      if (errnoOf(error) !== 'EINVAL') throw error;
      tryMount(mount, false);
      volatileKnown = false;
      return;
    }
  }
  tryMount(mount, false);
}

function tryMount(mount: OverlayMount, isVolatile: boolean): void {
  const { flags } = mount.options ?? NO_MOUNT_OPTIONS;
  const flagsOfMount = (flags & (MS.RELATIME | MS.STRICTATIME)) === 0 ? flags | MS.NOATIME : flags;
  const absolute = optionsOf(mount, (path) => join(mount.base, path), isVolatile);
  if (absolute.length <= OPTIONS_LIMIT && !SPECIAL.test(mount.base)) {
    mountCall('overlay', mount.target, 'overlay', flagsOfMount, absolute);
    return;
  }
  // Short relative paths fit hundreds of layers and need no quoting. The working directory belongs to the whole
  // process, but nothing else of it runs JavaScript in this synchronous stretch, and paths are absolute everywhere.
  const back = openat(AT_FDCWD, '.', O_PATH | constants.O_DIRECTORY);
  try {
    chdirCall(mount.base);
    mountCall(
      'overlay',
      mount.target,
      'overlay',
      flagsOfMount,
      optionsOf(mount, (path) => path, isVolatile),
    );
  } finally {
    chdirCall(`/proc/self/fd/${back}`);
    closeSync(back);
  }
}

/**
 * `volatile`: a build's upper directory is thrown away after a crash anyway, so no fsync inside it is worth waiting
 * for, unless storage.conf says so (`disable-volatile`). No index, redirects or metacopy: an upper directory must mean
 * the same without its mount, and redirects planted in a layer must not be followed. In a user namespace these are off
 * by themselves and may not be named.
 */
function optionsOf(mount: OverlayMount, place: (path: string) => string, isVolatile: boolean): string {
  const options = [`lowerdir=${mount.lowers.map(place).join(':')}`];
  if (mount.writable !== undefined) {
    options.push(`upperdir=${place(mount.writable.upper)}`, `workdir=${place(mount.writable.work)}`);
    if (isVolatile) options.push('volatile');
    if (!inUserNamespace()) options.push('index=off');
  }
  if (inUserNamespace()) options.push('userxattr');
  else options.push('metacopy=off', 'redirect_dir=nofollow');
  options.push(...(mount.options?.overlay ?? []));
  return options.join(',');
}

/**
 * Why overlay cannot be used with a store at `root`, or undefined if it can: makes a real mount below it and removes
 * a file in it, which needs a working whiteout.
 */
export function overlaySupported(root: string): string | undefined {
  const base = join(root, `probe-${randomBytes(6).toString('hex')}`);
  const target = join(base, 'm');
  let isMounted = false;
  try {
    for (const name of ['', 'a', 'b', 'u', 'w', 'm']) makeDirectories(join(base, name), 0o700);
    writeFile(join(base, 'a', 'file'), '');
    mountOverlay({ base, lowers: ['b', 'a'], writable: { upper: 'u', work: 'w' }, target });
    isMounted = true;
    unlinkat(AT_FDCWD, join(target, 'file'));
    const whiteout = lstatatIfAny(AT_FDCWD, join(base, 'u', 'file'));
    if (whiteout === undefined || (whiteout.mode & S_IFMT) !== S_IFCHR)
      return 'the kernel makes no whiteout files here';
    return undefined;
  } catch (error) {
    return (error as Error).message;
  } finally {
    if (isMounted) unmount(target);
    if (existsSync(base)) removeTree(base);
  }
}
