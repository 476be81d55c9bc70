/** Trees for the copy tests: made from a description, read back whole. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { type CopyInOptions, type CopyResult, copyIn } from '../../../src/container/copy-in.ts';
import { type ResolveOptions, resolveSources } from '../../../src/container/copy-source.ts';
import { readXattrs } from '../../../src/rootfs/copy-xattr.ts';
import {
  AT_FDCWD,
  lchownat,
  linkat,
  lstatat,
  lutimensat,
  O_PATH,
  openat,
  readlinkat,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from '../../../src/sys/libc.ts';
import { listDirectory, RootDirectory } from '../../../src/sys/root-directory.ts';

export const isRoot = process.geteuid?.() === 0;
/** Who may own files here: an ordinary user can give them only to himself. */
export const OWNER = isRoot ? {} : { chown: `${process.geteuid?.()}:${process.getegid?.()}` };
export const needsRoot = isRoot ? {} : { skip: 'needs root' };

/** `text`: a file; `-> x`: a link; `= x`: a hard link to x; a name ending in `/`: a directory. */
export type Description = Readonly<
  Record<string, string | { text?: string; mode?: number; mtime?: number; uid?: number }>
>;

export function makeTree(top: string, description: Description): void {
  mkdirSync(top, { recursive: true });
  const times: [string, number][] = [];
  for (const [name, value] of Object.entries(description)) {
    const path = join(top, name);
    const o = typeof value === 'string' ? { text: value } : value;
    mkdirSync(name.endsWith('/') ? path : dirname(path), { recursive: true });
    if (o.text?.startsWith('-> ')) symlinkSync(o.text.slice(3), path);
    else if (o.text?.startsWith('= ')) linkat(AT_FDCWD, join(top, o.text.slice(2)), AT_FDCWD, path);
    else if (!name.endsWith('/')) writeFileSync(path, o.text ?? '');
    if (o.uid !== undefined) lchownat(AT_FDCWD, path, o.uid, o.uid);
    if (o.mode !== undefined) chmodSync(path, o.mode);
    if (o.mtime !== undefined) times.push([path, o.mtime]);
  }
  for (const [path, mtime] of times) setTime(path, mtime);
}

export function setTime(path: string, seconds: number, nanoseconds = 0): void {
  lutimensat(AT_FDCWD, path, { seconds, nanoseconds });
}

/** One line per entry: `name type mode uid:gid [content]`; `=N` marks names of one file. */
export function listTree(top: string, o: { times?: boolean } = {}): string[] {
  const lines: string[] = [];
  const inodes = new Map<string, string>();
  const visit = (fd: number, prefix: string): void => {
    for (const name of listDirectory(fd)) {
      const stat = lstatat(fd, name);
      const path = prefix + name.toString('latin1');
      const mode = (stat.mode & 0o7777).toString(8);
      const type = stat.mode & S_IFMT;
      let what = `node${(type >> 12).toString()}:${stat.rdevMajor}:${stat.rdevMinor}`;
      if (type === S_IFDIR) what = 'dir';
      else if (type === S_IFIFO) what = 'fifo';
      else if (type === S_IFLNK) what = `-> ${readlinkat(fd, name).toString('latin1')}`;
      else if (type === S_IFREG) {
        const first = inodes.get(stat.ino);
        if (stat.nlink > 1 && first === undefined) inodes.set(stat.ino, path);
        const content = openSync(Buffer.concat([Buffer.from(`/proc/self/fd/${fd}/`), name]), 'r');
        what = first === undefined ? JSON.stringify(readFileSync(content, 'latin1').slice(0, 40)) : `= ${first}`;
        closeSync(content);
      }
      const xattrs = type === S_IFLNK ? undefined : readXattrs(fd, name);
      const extra =
        xattrs === undefined ? '' : ` ${[...xattrs].map(([k, v]) => `${k}=${v.toString('hex')}`).join(',')}`;
      const time = o.times === true ? ` @${stat.mtime.seconds}.${stat.mtime.nanoseconds}` : '';
      lines.push(`${path} ${type === S_IFLNK ? '' : `${mode} `}${stat.uid}:${stat.gid} ${what}${extra}${time}`);
      if (type !== S_IFDIR) continue;
      const child = openat(fd, name, O_PATH);
      visit(child, `${path}/`);
      closeSync(child);
    }
  };
  const fd = openat(AT_FDCWD, top, O_PATH);
  visit(fd, '');
  closeSync(fd);
  return lines;
}

export class Fixture {
  readonly directory: string;
  readonly context: string;
  readonly rootfs: string;
  readonly canary: string;

  constructor(t: TestContext, context: Description, rootfs: Description = {}) {
    this.directory = mkdtempSync(join(tmpdir(), 'copy-'));
    this.context = join(this.directory, 'context');
    this.rootfs = join(this.directory, 'rootfs');
    this.canary = join(this.directory, 'canary');
    makeTree(this.context, context);
    makeTree(this.rootfs, rootfs);
    makeTree(this.canary, { f: { text: 'untouched', mtime: 1000 } });
    // Not rmSync: it overflows the stack on very deep trees.
    t.after(() => execFileSync('rm', ['-rf', this.directory]));
  }

  /** Resolves and copies; a string source is a pattern. Owners are those of `OWNER`. */
  async copy(
    patterns: string | readonly string[],
    destination: string,
    o: Partial<CopyInOptions> & { readonly resolve?: Partial<ResolveOptions> } = {},
  ): Promise<CopyResult> {
    using context = new RootDirectory(this.context);
    using root = new RootDirectory(this.rootfs);
    const list = typeof patterns === 'string' ? [patterns] : patterns;
    const sources = await resolveSources({ root: context, patterns: list, ...o.resolve });
    return await copyIn({ sources, root, destination, ...OWNER, ...o });
  }

  /** Names below the root filesystem with type, mode and content; owners left out when they are the tester's. */
  tree(o: { times?: boolean } = {}): string[] {
    const me = `${process.geteuid!()}:${process.getegid!()}`;
    return listTree(this.rootfs, o).map((line) => line.replace(` ${me} `, ' '));
  }
}
