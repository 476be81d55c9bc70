/** What a directory holds, as values that can be compared: one entry a path, everything a layer can carry. */
import { createHash } from 'node:crypto';
import { closeSync, constants, lstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import { lgetxattr, llistxattr } from '../../src/sys/libc.ts';

export interface TreeEntry {
  /** Relative, bytes read as latin1 so that every name survives; '.' is the directory itself. */
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'char' | 'block';
  /** Permission bits in octal, setuid, setgid and sticky included. */
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  /** Seconds and nanoseconds: `1700000000.000000000`. */
  readonly mtime: string;
  readonly size?: number;
  readonly sha256?: string;
  readonly target?: string;
  readonly device?: string;
  /** Path of the first name of the same file, when it has several names. */
  readonly linkedTo?: string;
  readonly xattrs?: Readonly<Record<string, string>>;
}

const TYPES = {
  [constants.S_IFREG]: 'file',
  [constants.S_IFDIR]: 'directory',
  [constants.S_IFLNK]: 'symlink',
  [constants.S_IFIFO]: 'fifo',
  [constants.S_IFSOCK]: 'socket',
  [constants.S_IFCHR]: 'char',
  [constants.S_IFBLK]: 'block',
} as const;

/** Lists a directory, sorted by path. Names beneath /dev, /proc and /sys are listed like any other. */
export function listTree(root: string): TreeEntry[] {
  const entries: TreeEntry[] = [];
  const names = new Map<string, string>();
  visit(Buffer.from(root), '.', names, entries);
  return entries.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function visit(absolute: Buffer, path: string, names: Map<string, string>, entries: TreeEntry[]): void {
  const stat = lstatSync(absolute, { bigint: true });
  const type = TYPES[Number(stat.mode) & constants.S_IFMT];
  if (type === undefined) throw new Error(`unknown file type of ${path}`);
  const identity = `${stat.dev}:${stat.ino}`;
  const linkedTo = type !== 'directory' && stat.nlink > 1n ? names.get(identity) : undefined;
  if (linkedTo === undefined) names.set(identity, path);
  const xattrs = attributesOf(absolute);
  entries.push({
    path,
    type,
    mode: (Number(stat.mode) & 0o7777).toString(8).padStart(4, '0'),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    mtime: `${stat.mtimeNs / 1_000_000_000n}.${String(stat.mtimeNs % 1_000_000_000n).padStart(9, '0')}`,
    ...(type === 'file' ? { size: Number(stat.size), sha256: hashOf(absolute) } : {}),
    ...(type === 'symlink' ? { target: readlinkSync(absolute, 'buffer').toString('latin1') } : {}),
    ...(type === 'char' || type === 'block' ? { device: String(stat.rdev) } : {}),
    ...(linkedTo === undefined ? {} : { linkedTo }),
    ...(xattrs === undefined ? {} : { xattrs }),
  });
  if (type !== 'directory') return;
  for (const name of readdirSync(absolute, 'buffer').sort(Buffer.compare)) {
    const below = name.toString('latin1');
    visit(Buffer.concat([absolute, Buffer.from('/'), name]), path === '.' ? below : `${path}/${below}`, names, entries);
  }
}

function attributesOf(path: Buffer): Record<string, string> | undefined {
  // Overlay's and SELinux's own attributes belong to the mount, not to the tree.
  const names = llistxattr(path).filter((name) => !/^(trusted|user)\.overlay\.|^security\.selinux$/.test(name));
  if (names.length === 0) return undefined;
  return Object.fromEntries(names.sort().map((name) => [name, lgetxattr(path, name)?.toString('hex') ?? '']));
}

function hashOf(path: Buffer): string {
  const hash = createHash('sha256');
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  const buffer = Buffer.allocUnsafe(1 << 20);
  try {
    for (let read = readSync(fd, buffer); read > 0; read = readSync(fd, buffer)) hash.update(buffer.subarray(0, read));
  } finally {
    closeSync(fd);
  }
  return hash.digest('hex');
}

/** Lines that tell how two trees differ, at most `limit`; empty when they are the same. */
export function treeDifferences(left: readonly TreeEntry[], right: readonly TreeEntry[], limit = 40): string[] {
  const differences: string[] = [];
  const others = new Map(right.map((entry) => [entry.path, entry]));
  for (const entry of left) {
    const other = others.get(entry.path);
    others.delete(entry.path);
    if (other === undefined) differences.push(`only left: ${entry.path} (${entry.type})`);
    else differences.push(...entryDifferences(entry, other));
  }
  for (const entry of others.values()) differences.push(`only right: ${entry.path} (${entry.type})`);
  const rest = differences.length - limit;
  return rest > 0 ? [...differences.slice(0, limit), `… and ${rest} more`] : differences;
}

function entryDifferences(left: TreeEntry, right: TreeEntry): string[] {
  const keys = [...new Set([...Object.keys(left), ...Object.keys(right)])] as (keyof TreeEntry)[];
  return keys
    .filter((key) => JSON.stringify(left[key]) !== JSON.stringify(right[key]))
    .map((key) => `${left.path}: ${key} ${JSON.stringify(left[key])} ≠ ${JSON.stringify(right[key])}`);
}
