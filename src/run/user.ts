/**
 * Who a process runs as, from the USER of an image and the passwd and group files in its root filesystem. Those files
 * are an image's and so anybody's: they are opened inside the root without waiting (a FIFO would hang us), must be
 * regular files of a sane size, and ids that do not fit the kernel are refused instead of wrapping around to root.
 *
 * @see Dockerfile reference "USER"; runc libcontainer/user
 */
import { closeSync, constants, fstatSync, readSync } from 'node:fs';
import { BuilderError } from '../report/builder-error.ts';
import type { ProcessUser } from '../spec/process-spec.ts';
import { errnoOf } from '../sys/libc.ts';
import { RootDirectory } from '../sys/root-directory.ts';

/** Larger than the passwd of any image; read into memory whole. */
const LARGEST_FILE = 10 * 1024 * 1024;
/** 2^31 - 1: what every file system, tool and format agrees to be an id. */
const LARGEST_ID = 2147483647;
const DIGITS = /^\d+$/;

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/** A process's user with the home directory passwd gives it (`/` without one). */
export type ResolvedUser = ProcessUser & { readonly home: string };

/**
 * Resolves `user`, `user:group`, `uid`, `uid:gid` in the root filesystem at `rootPath`; nothing means root.
 * Numbers are ids even when a user has that name. Supplementary groups come only with a passwd entry and no group given.
 * @throws `usage.invalid` for an unknown name or an id out of range, `run.start-failed` for files that cannot be trusted
 */
export function resolveUser(rootPath: string, user: string | undefined): ResolvedUser {
  const [userPart = '', groupPart] = splitUser(user === undefined || user === '' ? '0' : user);
  using root = new RootDirectory(rootPath);
  const passwd = readPasswd(root);
  const uid = DIGITS.test(userPart) ? parseId(userPart, user) : undefined;
  const entry = passwd.find((candidate) => (uid === undefined ? candidate.name === userPart : candidate.uid === uid));
  if (uid === undefined && entry === undefined) {
    throw new BuilderError('usage.invalid', `unknown user ${JSON.stringify(userPart)}: not in the image's /etc/passwd`);
  }
  const base = { uid: uid ?? entry?.uid ?? 0, home: entry?.home ?? '/' };
  if (groupPart !== undefined && groupPart !== '')
    return { ...base, gid: resolveGroup(root, groupPart, user), groups: [] };
  const gid = entry?.gid ?? 0;
  return { ...base, gid, groups: entry === undefined ? [] : supplementaryGroups(root, entry, gid) };
}

/** What the word asks for, in the place of names: the caller's own groups stay. */
const KEEP_GROUPS = 'keep-groups';

/**
 * Ids of groups by name or number, as the root filesystem's /etc/group has them.
 * @throws `usage.invalid` for an unknown name, and for `keep-groups` among others
 */
export function resolveGroups(
  rootPath: string,
  groups: readonly string[],
): { readonly ids: readonly number[]; readonly keep: boolean } {
  if (groups.includes(KEEP_GROUPS)) {
    if (groups.length === 1) return { ids: [], keep: true };
    throw new BuilderError('usage.invalid', `${KEEP_GROUPS} stands alone: no further groups can be added`);
  }
  if (groups.length === 0) return { ids: [], keep: false };
  using root = new RootDirectory(rootPath);
  return { ids: groups.map((group) => resolveGroup(root, group, group)), keep: false };
}

function splitUser(user: string): readonly string[] {
  const parts = user.split(':');
  if (parts.length > 2 || parts[0] === '') {
    throw new BuilderError('usage.invalid', `${JSON.stringify(user)} is not a user: expected user[:group]`);
  }
  return parts;
}

function parseId(text: string, whole: string | undefined): number {
  const id = Number(text);
  if (text.length <= 10 && id <= LARGEST_ID) return id;
  throw new BuilderError('usage.invalid', `the id ${text} in ${JSON.stringify(whole)} is out of range 0-${LARGEST_ID}`);
}

function resolveGroup(root: RootDirectory, group: string, whole: string | undefined): number {
  if (DIGITS.test(group)) return parseId(group, whole);
  const entry = readGroups(root).find(({ name }) => name === group);
  if (entry !== undefined) return entry.gid;
  throw new BuilderError('usage.invalid', `unknown group ${JSON.stringify(group)}: not in the image's /etc/group`);
}

function supplementaryGroups(root: RootDirectory, user: PasswdEntry, gid: number): readonly number[] {
  const ids = readGroups(root)
    .filter(({ members }) => members.includes(user.name))
    .map((group) => group.gid)
    .filter((id) => id !== gid);
  return [...new Set(ids)];
}

/** Fields of the lines that have ids a kernel takes; others are skipped as every other reader of these files does. */
function readPasswd(root: RootDirectory): PasswdEntry[] {
  return readLines(root, 'etc/passwd').flatMap(([name = '', , uid = '', gid = '', , home = '']) =>
    name !== '' && isId(uid) && isId(gid)
      ? [{ name, uid: Number(uid), gid: Number(gid), home: home === '' ? '/' : home }]
      : [],
  );
}

function readGroups(root: RootDirectory): GroupEntry[] {
  return readLines(root, 'etc/group').flatMap(([name = '', , gid = '', members = '']) =>
    name !== '' && isId(gid) ? [{ name, gid: Number(gid), members: members.split(',').filter((m) => m !== '') }] : [],
  );
}

function isId(text: string): boolean {
  return DIGITS.test(text) && text.length <= 10 && Number(text) <= LARGEST_ID;
}

function readLines(root: RootDirectory, path: string): string[][] {
  return readImageFile(root, path)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));
}

/**
 * Text of a small regular file inside the root, empty when there is none.
 * @throws `run.start-failed` when it is something else or too large
 */
export function readImageFile(root: RootDirectory, path: string): string {
  let fd: number;
  try {
    fd = root.open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return '';
    throw new BuilderError('run.start-failed', `cannot read the image's /${path}`, { cause });
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new BuilderError('run.start-failed', `the image's /${path} is not a regular file`);
    if (stat.size > LARGEST_FILE) {
      throw new BuilderError('run.start-failed', `the image's /${path} is larger than ${LARGEST_FILE} bytes`);
    }
    const bytes = Buffer.alloc(stat.size);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read) {
      read = readSync(fd, bytes, length, bytes.length - length, length);
    }
    return bytes.toString('utf8', 0, length);
  } finally {
    closeSync(fd);
  }
}
