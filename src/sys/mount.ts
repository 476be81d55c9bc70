/** Mounts and their undoing, in this process's own mount namespace. */
import { readFileSync } from 'node:fs';
import { errnoOf, MNT_DETACH, MS, mountCall, type PathLike, UMOUNT_NOFOLLOW, umountCall } from './libc.ts';

/** Mounts `source` on `target` with everything below it; `readOnly` makes the top mount read-only. */
export function bindMount(
  source: PathLike,
  target: PathLike,
  options: { readOnly?: boolean; recursive?: boolean } = {},
): void {
  const recursive = options.recursive === true ? MS.REC : 0;
  mountCall(source, target, undefined, MS.BIND | recursive);
  if (options.readOnly === true) remountReadOnly(target);
}

/** Flags the kernel locks on mounts from another user namespace; a remount has to repeat them. @see mount_namespaces(7) */
const LOCKED: readonly (readonly [string, number])[] = [
  ['nosuid', MS.NOSUID],
  ['nodev', MS.NODEV],
  ['noexec', MS.NOEXEC],
];

export function remountReadOnly(target: PathLike, extra = 0): void {
  restrictMount(target, MS.RDONLY | extra);
}

/** Gives a mount that is there further flags (MS_ bits), as a property of this mount alone. */
export function restrictMount(target: PathLike, extra: number): void {
  const flags = MS.BIND | MS.REMOUNT | extra;
  try {
    mountCall(undefined, target, undefined, flags);
  } catch (error) {
    if (errnoOf(error) !== 'EPERM') throw error;
    const options = mountOptionsOf(target.toString());
    mountCall(
      undefined,
      target,
      undefined,
      LOCKED.reduce((all, [name, bit]) => (options.includes(name) ? all | bit : all), flags),
    );
  }
}

/** One line of /proc/self/mountinfo. @see proc(5) */
export interface MountInfo {
  readonly id: number;
  readonly parent: number;
  readonly device: string;
  readonly root: string;
  readonly target: string;
  readonly options: readonly string[];
  readonly type: string;
  readonly source: string;
}

const OCTAL = /\\([0-7]{3})/g;
const unquote = (text: string): string =>
  text.replace(OCTAL, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

export function listMounts(): MountInfo[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [left = '', right = ''] = line.split(' - ');
      const [id, parent, device, root, target, options] = left.split(' ');
      const [type, source] = right.split(' ');
      return {
        id: Number(id),
        parent: Number(parent),
        device: device ?? '',
        root: unquote(root ?? ''),
        target: unquote(target ?? ''),
        options: (options ?? '').split(','),
        type: type ?? '',
        source: unquote(source ?? ''),
      };
    });
}

function mountOptionsOf(target: string): readonly string[] {
  let best: MountInfo | undefined;
  for (const mount of listMounts()) {
    const inside = target === mount.target || target.startsWith(mount.target === '/' ? '/' : `${mount.target}/`);
    if (inside && mount.target.length >= (best?.target.length ?? 0)) best = mount;
  }
  return best?.options ?? [];
}

/** Unmounts; something busy is detached and goes away with its last user. Not being mounted is success. */
export function unmount(target: PathLike): void {
  try {
    umountCall(target, UMOUNT_NOFOLLOW);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'EINVAL' || errno === 'ENOENT') return;
    if (errno !== 'EBUSY') throw error;
    umountCall(target, MNT_DETACH | UMOUNT_NOFOLLOW);
  }
}
