/**
 * The extended attributes that travel with a file: `user.*` and `security.capability`. Labels and ACLs belong to the
 * machine, and overlay's own markers (`user.overlay.*`) must never be planted in a tree that overlay will read.
 */
import { BuilderError } from '../report/builder-error.ts';
import { errnoOf, lgetxattr, llistxattr, lsetxattr } from '../sys/libc.ts';
import { procPath } from '../sys/root-directory.ts';

export type Xattrs = ReadonlyMap<string, Buffer>;

export function isKeptXattr(name: string): boolean {
  return name === 'security.capability' || (name.startsWith('user.') && !name.startsWith('user.overlay.'));
}

/** Kept attributes of `name` in the directory open as `dirFd`, in order of name; undefined when there are none. */
export function readXattrs(dirFd: number, name: Buffer): Xattrs | undefined {
  const path = procPath(dirFd, name);
  const names = llistxattr(path);
  if (names.length === 0) return undefined;
  const kept = new Map<string, Buffer>();
  for (const attribute of names.filter(isKeptXattr).sort()) {
    const value = lgetxattr(path, attribute);
    if (value !== undefined) kept.set(attribute, value);
  }
  return kept.size === 0 ? undefined : kept;
}

/**
 * Sets attributes; `user.*` that the file system cannot hold are left out, as copying tools do.
 * @throws `copy.invalid` when a file capability cannot be kept: a program without it would fail much later
 */
export function writeXattrs(dirFd: number, name: Buffer, xattrs: Xattrs): void {
  const path = procPath(dirFd, name);
  for (const [attribute, value] of xattrs) {
    try {
      lsetxattr(path, attribute, value);
    } catch (cause) {
      const errno = errnoOf(cause);
      const unsupported = errno === 'EOPNOTSUPP' || errno === 'ENOTSUP' || errno === 'EPERM';
      if (unsupported && attribute.startsWith('user.')) continue;
      throw new BuilderError(
        'copy.invalid',
        `cannot keep attribute ${attribute} of ${JSON.stringify(name.toString())}: the file system refuses it`,
        { cause },
      );
    }
  }
}
