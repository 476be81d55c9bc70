/** Extended attributes as layers carry them: `user.*` and file capabilities, independent of the user namespace. */

import { getAttribute, listAttributes } from '../sys/file-calls.ts';
import { isKeptXattr, readXattrs, type Xattrs } from './copy-xattr.ts';

export { isKeptXattr, type Xattrs };

export const NO_XATTRS: Xattrs = new Map();
const CAPABILITY = 'security.capability';
/** Sizes and revisions of vfs_cap_data. @see linux/capability.h */
const V2_SIZE = 20;
const V3_SIZE = 24;
const REVISION_2 = 0x02;
const REVISION_3 = 0x03;

/**
 * The attributes of `name` that belong in a layer, in byte order of their names.
 * Revision 3 capabilities name the namespace they were set in; a layer carries revision 2, which holds anywhere.
 */
export function layerXattrs(dirFd: number, name: Buffer): Xattrs {
  return portable(readXattrs(dirFd, name));
}

/** The same of an open file. */
export function openFileXattrs(fd: number): Xattrs {
  const names = listAttributes(fd);
  if (names.length === 0) return NO_XATTRS;
  const kept = new Map<string, Buffer>();
  for (const name of names.filter(isKeptXattr).sort()) {
    const value = getAttribute(fd, name);
    if (value !== undefined) kept.set(name, value);
  }
  return portable(kept);
}

function portable(xattrs: Xattrs | undefined): Xattrs {
  if (xattrs === undefined) return NO_XATTRS;
  const capability = xattrs.get(CAPABILITY);
  if (capability === undefined || capability.length !== V3_SIZE || capability[3] !== REVISION_3) return xattrs;
  const revised = Buffer.from(capability.subarray(0, V2_SIZE));
  revised[3] = REVISION_2;
  return new Map(xattrs).set(CAPABILITY, revised);
}

export function sameXattrs(a: Xattrs, b: Xattrs): boolean {
  if (a.size !== b.size) return false;
  for (const [name, value] of a) {
    const other = b.get(name);
    if (other === undefined || !value.equals(other)) return false;
  }
  return true;
}
