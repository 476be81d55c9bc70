/** Everything that makes a tree, as comparable text. */
import { closeSync, constants, openSync, readdirSync, readFileSync } from 'node:fs';
import { digestOf } from '../../src/spec/digest.ts';
import {
  AT_FDCWD,
  lgetxattr,
  llistxattr,
  lstatat,
  openat,
  readlinkat,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from '../../src/sys/libc.ts';

export interface DescriptionOptions {
  /** Leave the root directory itself out. */
  readonly withoutRoot?: boolean;
}

/** Path → type, mode, owner, mtime, attributes, content, and the first name of the same file. */
export function describeTree(root: string, options: DescriptionOptions = {}): Record<string, string> {
  const found: Record<string, string> = {};
  // nlink also counts names that are hidden, so groups are made of what is seen.
  const groups = new Map<string, string[]>();
  const visit = (dirFd: number, name: Buffer, path: string, absolute: Buffer): void => {
    const stat = lstatat(dirFd, name);
    const type = stat.mode & S_IFMT;
    const parts = [stat.mode.toString(8), `${stat.uid}:${stat.gid}`, `${stat.mtime.seconds}.${stat.mtime.nanoseconds}`];
    for (const attribute of llistxattr(absolute).sort()) {
      if (/^(user\.(?!overlay)|security\.capability)/.test(attribute)) {
        parts.push(`${attribute}=${lgetxattr(absolute, attribute)?.toString('hex')}`);
      }
    }
    if (type === S_IFLNK) parts.push(readlinkat(dirFd, name).toString('latin1'));
    if (type === S_IFREG) parts.push(String(stat.size), digestOf(readFileSync(absolute)).slice(7, 19));
    if (type === S_IFCHR || type === S_IFBLK) parts.push(`${stat.rdevMajor},${stat.rdevMinor}`);
    if (type !== S_IFDIR && stat.nlink > 1) {
      const group = groups.get(stat.ino) ?? [];
      groups.set(stat.ino, group);
      group.push(path);
    }
    if (path !== '' || options.withoutRoot !== true) found[path] = parts.join(' ');
    if (type !== S_IFDIR) return;
    const fd = openat(dirFd, name, constants.O_RDONLY | constants.O_DIRECTORY);
    for (const child of readdirSync(absolute, { encoding: 'buffer' }).sort(Buffer.compare)) {
      const childPath = path === '' ? child.toString('latin1') : `${path}/${child.toString('latin1')}`;
      visit(fd, child, childPath, Buffer.concat([absolute, Buffer.from('/'), child]));
    }
    closeSync(fd);
  };
  const fd = openSync(root, 'r');
  visit(AT_FDCWD, Buffer.from(root), '', Buffer.from(root));
  closeSync(fd);
  for (const group of groups.values()) {
    if (group.length > 1) for (const path of group) found[path] += ` = ${group[0]}`;
  }
  return found;
}
