/**
 * The door to the C library. Each function here is one libc or kernel call with typed arguments; failures throw
 * `BuilderError` `sys.call-failed` with errno name, operation and path. Paths are `Buffer`s or strings without NUL;
 * strings are taken as UTF-8. A call costs about 1.5 µs and runs on the calling thread, so per-thread state (working
 * directory after unshare(CLONE_FS), root, credentials) is that of the caller.
 *
 * @see man 2 pages of each call; errno(3)
 */
import { createRequire } from 'node:module';
import { constants as osConstants } from 'node:os';
import { BuilderError } from '../report/builder-error.ts';
import type { Timestamp } from '../spec/timestamp.ts';

type Koffi = typeof import('koffi');
type Foreign = (...args: unknown[]) => number;

/** A file name: bytes, or a string meaning its UTF-8 bytes. */
export type PathLike = string | Buffer;

const require = createRequire(import.meta.url);
let koffi: Koffi | undefined;
let library: ReturnType<Koffi['load']> | undefined;

function load(): ReturnType<Koffi['load']> {
  if (library !== undefined) return library;
  try {
    koffi = require('koffi') as Koffi;
    library = koffi.load(null);
  } catch (cause) {
    throw new BuilderError('sys.call-failed', 'cannot load the kernel call library (koffi) for this platform', {
      cause,
      hint: `slipway needs the koffi package built for ${process.platform}-${process.arch}; reinstall with optional dependencies`,
    });
  }
  return library;
}

/** Declares a C function on first use. For the other files of this folder; outside it calls have typed wrappers. */
export function lazy(prototype: string): Foreign {
  let bound: Foreign | undefined;
  return (...args) => {
    bound ??= load().func(prototype) as unknown as Foreign;
    return bound(...args);
  };
}

const ERRNO_NAMES = new Map(Object.entries(osConstants.errno).map(([name, value]) => [value as number, name]));

/** errno of the last failed call on this thread, as a name such as `ENOENT`. */
export function lastErrno(): string {
  const value = koffi?.errno() ?? 0;
  return ERRNO_NAMES.get(value) ?? `errno ${value}`;
}

const ERRNO_WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EPERM: 'operation not permitted',
  EACCES: 'permission denied',
  EEXIST: 'file exists',
  ENOTDIR: 'not a directory',
  EISDIR: 'is a directory',
  ENOSPC: 'no space left on device',
  EDQUOT: 'disk quota exceeded',
  EINVAL: 'invalid argument',
  ENAMETOOLONG: 'file name too long',
  ELOOP: 'too many levels of symbolic links',
  EXDEV: 'crosses file systems or leaves the root',
  ENOTEMPTY: 'directory not empty',
  EROFS: 'read-only file system',
  EBUSY: 'device or resource busy',
  ENODATA: 'no such attribute',
  ENOTSUP: 'not supported',
  EOPNOTSUPP: 'not supported',
  EMFILE: 'too many open files',
  EIO: 'input/output error',
  ENOSYS: 'not implemented by this kernel',
};

/** A `BuilderError` for a failed kernel call; `facts.errno` holds the name. */
export function callError(operation: string, path: PathLike | undefined, errno: string): BuilderError {
  const subject = path === undefined ? '' : ` ${JSON.stringify(path.toString())}`;
  const words = ERRNO_WORDS[errno];
  return new BuilderError(
    'sys.call-failed',
    `${operation}${subject}: ${words === undefined ? '' : `${words} `}(${errno})`,
    {
      facts: { errno, operation },
      ...(errno === 'ENOSPC' || errno === 'EDQUOT' ? { hint: 'free some space or choose another --root' } : {}),
    },
  );
}

/** errno name of a failed kernel call, whether it went through this module or through node:fs. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof BuilderError) return error.facts['errno'] as string | undefined;
  const { code, errno } = (error ?? {}) as { code?: unknown; errno?: unknown };
  if (typeof code !== 'string') return undefined;
  // node knows fewer errors than the kernel has: EDQUOT comes as "Unknown system error -122".
  return code.startsWith('Unknown') && typeof errno === 'number' ? (ERRNO_NAMES.get(-errno) ?? code) : code;
}

/** NUL-terminated bytes of a path. @throws `sys.call-failed` EINVAL for a name with a NUL inside */
export function cString(path: PathLike): Buffer {
  const bytes = typeof path === 'string' ? Buffer.from(path) : path;
  if (bytes.includes(0)) throw callError('use the name', path, 'EINVAL');
  const out = Buffer.allocUnsafe(bytes.length + 1);
  bytes.copy(out);
  out[bytes.length] = 0;
  return out;
}

/** Passes a result through; a negative one becomes the error of the calling thread's errno. */
export function check(result: number, operation: string, path?: PathLike): number {
  if (result >= 0) return result;
  throw callError(operation, path, lastErrno());
}

export const AT_FDCWD = -100;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_REMOVEDIR = 0x200;
export const AT_EMPTY_PATH = 0x1000;

/** open(2) flags that node:fs lacks or that are the same on x86-64 and arm64 through node's own constants. */
export const O_PATH = 0o10000000;
export const O_CLOEXEC = 0o2000000;

const cOpenat = lazy('int openat(int, const uint8_t*, int, uint32_t)');
const cMkdirat = lazy('int mkdirat(int, const uint8_t*, uint32_t)');
const cMknodat = lazy('int mknodat(int, const uint8_t*, uint32_t, uint64_t)');
const cSymlinkat = lazy('int symlinkat(const uint8_t*, int, const uint8_t*)');
const cLinkat = lazy('int linkat(int, const uint8_t*, int, const uint8_t*, int)');
const cUnlinkat = lazy('int unlinkat(int, const uint8_t*, int)');
const cRenameat = lazy('int renameat(int, const uint8_t*, int, const uint8_t*)');
const cRenameat2 = lazy('int renameat2(int, const uint8_t*, int, const uint8_t*, uint32_t)');
const cReadlinkat = lazy('int64_t readlinkat(int, const uint8_t*, uint8_t*, size_t)');
const cFchownat = lazy('int fchownat(int, const uint8_t*, uint32_t, uint32_t, int)');
const cFchmodat = lazy('int fchmodat(int, const uint8_t*, uint32_t, int)');
const cUtimensat = lazy('int utimensat(int, const uint8_t*, const uint8_t*, int)');
const cStatx = lazy('int statx(int, const uint8_t*, int, uint32_t, uint8_t*)');
const cFlock = lazy('int flock(int, int)');
const cMount = lazy('int mount(const uint8_t*, const uint8_t*, const uint8_t*, uint64_t, const uint8_t*)');
const cUmount2 = lazy('int umount2(const uint8_t*, int)');
const cUnshare = lazy('int unshare(int)');
const cSetns = lazy('int setns(int, int)');
const cChroot = lazy('int chroot(const uint8_t*)');
const cChdir = lazy('int chdir(const uint8_t*)');
const cPrctl = lazy('int prctl(int, uint64_t, uint64_t, uint64_t, uint64_t)');
const cPrctlPointer = lazy('int prctl(int, uint64_t, const uint8_t*, uint64_t, uint64_t)');
const cSethostname = lazy('int sethostname(const uint8_t*, size_t)');
const cLgetxattr = lazy('int64_t lgetxattr(const uint8_t*, const uint8_t*, uint8_t*, size_t)');
const cLsetxattr = lazy('int lsetxattr(const uint8_t*, const uint8_t*, const uint8_t*, size_t, int)');
const cLlistxattr = lazy('int64_t llistxattr(const uint8_t*, uint8_t*, size_t)');
const cLremovexattr = lazy('int lremovexattr(const uint8_t*, const uint8_t*)');
const cSyncfs = lazy('int syncfs(int)');
const cFallocate = lazy('int64_t lseek(int, int64_t, int)');
const cCopyFileRange = lazy('int64_t copy_file_range(int, void*, int, void*, size_t, uint32_t)');
const cIoctl = lazy('int ioctl(int, uint64_t, int)');
const cSyscall = lazy('int64_t syscall(int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t)');

export function openat(dirFd: number, path: PathLike, flags: number, mode = 0): number {
  return check(cOpenat(dirFd, cString(path), flags | O_CLOEXEC, mode), 'open', path);
}
export function mkdirat(dirFd: number, path: PathLike, mode: number): void {
  check(cMkdirat(dirFd, cString(path), mode), 'create directory', path);
}
/** Creates a device node, FIFO or socket. `mode` holds the file type. @see mknod(2) */
export function mknodat(dirFd: number, path: PathLike, mode: number, major = 0, minor = 0): void {
  check(cMknodat(dirFd, cString(path), mode, makeDevice(major, minor)), 'create node', path);
}
export function symlinkat(target: PathLike, dirFd: number, path: PathLike): void {
  check(cSymlinkat(cString(target), dirFd, cString(path)), 'create symbolic link', path);
}
/** Never follows a symbolic link in the last component of `from`. */
export function linkat(fromFd: number, from: PathLike, toFd: number, to: PathLike): void {
  check(cLinkat(fromFd, cString(from), toFd, cString(to), 0), 'create hard link', to);
}
export function unlinkat(dirFd: number, path: PathLike, flags = 0): void {
  check(cUnlinkat(dirFd, cString(path), flags), flags === AT_REMOVEDIR ? 'remove directory' : 'remove', path);
}
export function renameat(fromFd: number, from: PathLike, toFd: number, to: PathLike): void {
  check(cRenameat(fromFd, cString(from), toFd, cString(to)), 'rename', from);
}
const RENAME_EXCHANGE = 2;
/** Two names of one file system get each other's content at once. @see renameat2(2) */
export function exchange(one: PathLike, other: PathLike): void {
  check(cRenameat2(AT_FDCWD, cString(one), AT_FDCWD, cString(other), RENAME_EXCHANGE), 'exchange', one);
}
export function readlinkat(dirFd: number, path: PathLike): Buffer {
  const out = Buffer.allocUnsafe(4097);
  const length = check(cReadlinkat(dirFd, cString(path), out, out.length), 'read symbolic link', path);
  return Buffer.from(out.subarray(0, length));
}
/** Changes the owner without following a link. The kernel clears setuid and setgid: chmod must come after. */
export function lchownat(dirFd: number, path: PathLike, uid: number, gid: number): void {
  check(cFchownat(dirFd, cString(path), uid, gid, AT_SYMLINK_NOFOLLOW), 'change owner of', path);
}
/** Follows symbolic links (chmod has no other form): never call it on one. */
export function fchmodat(dirFd: number, path: PathLike, mode: number): void {
  check(cFchmodat(dirFd, cString(path), mode, 0), 'change mode of', path);
}

const TIMES = Buffer.alloc(32);
/** UTIME_OMIT: leaves that time as it is. @see utimensat(2) */
const UTIME_OMIT = 0x3ffffffe;

/** Sets mtime, and atime to the same value when `withAtime`, without following a link. */
export function lutimensat(dirFd: number, path: PathLike, mtime: Timestamp, withAtime = false): void {
  TIMES.writeBigInt64LE(withAtime ? BigInt(mtime.seconds) : 0n, 0);
  TIMES.writeBigInt64LE(withAtime ? BigInt(mtime.nanoseconds) : BigInt(UTIME_OMIT), 8);
  TIMES.writeBigInt64LE(BigInt(mtime.seconds), 16);
  TIMES.writeBigInt64LE(BigInt(mtime.nanoseconds), 24);
  check(cUtimensat(dirFd, cString(path), TIMES, AT_SYMLINK_NOFOLLOW), 'set times of', path);
}

export const S_IFMT = 0o170000;
export const S_IFSOCK = 0o140000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFBLK = 0o060000;
export const S_IFDIR = 0o040000;
export const S_IFCHR = 0o020000;
export const S_IFIFO = 0o010000;

/** What statx(2) tells of a file, with nanosecond times and owners as this user namespace sees them. */
export interface FileStat {
  /** type and permission bits */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly nlink: number;
  /** inode number; exact up to 2^53, as text beyond */
  readonly ino: string;
  /** `major:minor` of the file system holding it */
  readonly dev: string;
  readonly mtime: Timestamp;
  readonly ctime: Timestamp;
  readonly rdevMajor: number;
  readonly rdevMinor: number;
  /** 512-byte blocks */
  readonly blocks: number;
}

const STATX = Buffer.alloc(256);
const STATX_BASIC_STATS = 0x7ff;

/** lstat to the nanosecond. With an empty path it stats `dirFd` itself. */
export function lstatat(dirFd: number, path: PathLike): FileStat {
  const flags = AT_SYMLINK_NOFOLLOW | (path.length === 0 ? AT_EMPTY_PATH : 0);
  check(cStatx(dirFd, cString(path), flags, STATX_BASIC_STATS, STATX), 'stat', path);
  const timestamp = (offset: number): Timestamp => ({
    seconds: Number(STATX.readBigInt64LE(offset)),
    nanoseconds: STATX.readUInt32LE(offset + 8),
  });
  return {
    nlink: STATX.readUInt32LE(16),
    uid: STATX.readUInt32LE(20),
    gid: STATX.readUInt32LE(24),
    mode: STATX.readUInt16LE(28),
    ino: STATX.readBigUInt64LE(32).toString(),
    size: Number(STATX.readBigUInt64LE(40)),
    blocks: Number(STATX.readBigUInt64LE(48)),
    ctime: timestamp(96),
    mtime: timestamp(112),
    rdevMajor: STATX.readUInt32LE(128),
    rdevMinor: STATX.readUInt32LE(132),
    dev: `${STATX.readUInt32LE(136)}:${STATX.readUInt32LE(140)}`,
  };
}

/** The same, or undefined when nothing of that name exists. */
export function lstatatIfAny(dirFd: number, path: PathLike): FileStat | undefined {
  try {
    return lstatat(dirFd, path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** glibc's makedev(3): 12 + 20 bits of major, 8 + 24 bits of minor, interleaved. */
function makeDevice(major: number, minor: number): bigint {
  const ma = BigInt(major);
  const mi = BigInt(minor);
  return ((ma & 0xfffff000n) << 32n) | ((ma & 0xfffn) << 8n) | ((mi & 0xffffff00n) << 12n) | (mi & 0xffn);
}

export const LOCK_SH = 1;
export const LOCK_EX = 2;
export const LOCK_NB = 4;

/** Tries a kernel lock on an open file; false when somebody else holds it. @see flock(2) */
export function tryFlock(fd: number, operation: number): boolean {
  if (cFlock(fd, operation | LOCK_NB) === 0) return true;
  const errno = lastErrno();
  if (errno === 'EAGAIN' || errno === 'EWOULDBLOCK') return false;
  throw callError('lock', undefined, errno);
}

export const MS = {
  RDONLY: 1,
  NOSUID: 2,
  NODEV: 4,
  NOEXEC: 8,
  REMOUNT: 32,
  NOATIME: 1024,
  BIND: 4096,
  MOVE: 8192,
  REC: 16384,
  UNBINDABLE: 1 << 17,
  PRIVATE: 1 << 18,
  SLAVE: 1 << 19,
  SHARED: 1 << 20,
  RELATIME: 1 << 21,
  STRICTATIME: 1 << 24,
} as const;
export const MNT_DETACH = 2;
export const UMOUNT_NOFOLLOW = 8;

/** mount(2); `source`, `type` and `options` may be absent. */
export function mountCall(
  source: PathLike | undefined,
  target: PathLike,
  type: string | undefined,
  flags: number,
  options?: string,
): void {
  const text = (value: PathLike | undefined): Buffer | null => (value === undefined ? null : cString(value));
  check(
    cMount(text(source), cString(target), text(type), flags, text(options)),
    `mount ${type ?? (flags & MS.BIND ? 'bind' : 'change')} on`,
    target,
  );
}
export function umountCall(target: PathLike, flags = 0): void {
  check(cUmount2(cString(target), flags), 'unmount', target);
}

export const CLONE = {
  FS: 0x200,
  FILES: 0x400,
  NEWNS: 0x20000,
  NEWCGROUP: 0x2000000,
  NEWUTS: 0x4000000,
  NEWIPC: 0x8000000,
  NEWUSER: 0x10000000,
  NEWPID: 0x20000000,
  NEWNET: 0x40000000,
} as const;

/** Per-thread except for NEWUSER, which a program with several threads cannot do. @see unshare(2) */
export function unshareCall(flags: number): void {
  check(cUnshare(flags), 'unshare namespaces');
}
/** Moves the calling thread into the namespace open as `fd`, which must be of `type`, one of `CLONE`. @see setns(2) */
export function setnsCall(fd: number, type: number): void {
  check(cSetns(fd, type), 'enter a namespace');
}
export function chrootCall(path: PathLike): void {
  check(cChroot(cString(path)), 'change root to', path);
}
/** Changes the directory of this thread's file system context (of the whole process unless CLONE_FS was unshared). */
export function chdirCall(path: PathLike): void {
  check(cChdir(cString(path)), 'change directory to', path);
}
export function prctl(option: number, a = 0, b = 0, c = 0, d = 0): number {
  return check(cPrctl(option, a, b, c, d), `prctl ${option}`);
}
/** prctl whose third argument is a structure, such as a seccomp program. */
export function prctlPointer(option: number, a: number, structure: Buffer): number {
  return check(cPrctlPointer(option, a, structure, 0, 0), `prctl ${option}`);
}
export function setHostName(name: string): void {
  check(cSethostname(Buffer.from(name), Buffer.byteLength(name)), 'set host name');
}
/** A raw system call with integer arguments; numbers differ between architectures. */
export function rawSyscall(number: number, ...args: number[]): number {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = args;
  return check(cSyscall(number, a, b, c, d, e, f), `system call ${number}`);
}

const XATTR_VALUE = Buffer.allocUnsafeSlow(65536);

/** Extended attribute of the file itself (links are not followed), or undefined. @see xattr(7) */
export function lgetxattr(path: PathLike, name: string): Buffer | undefined {
  const length = cLgetxattr(cString(path), cString(name), XATTR_VALUE, XATTR_VALUE.length);
  if (length >= 0) return Buffer.from(XATTR_VALUE.subarray(0, Number(length)));
  const errno = lastErrno();
  if (errno === 'ENODATA' || errno === 'EOPNOTSUPP' || errno === 'ENOTSUP') return undefined;
  throw callError(`read attribute ${name} of`, path, errno);
}
/** Names of all extended attributes visible here; empty where the file system has none. */
export function llistxattr(path: PathLike): string[] {
  const length = cLlistxattr(cString(path), XATTR_VALUE, XATTR_VALUE.length);
  if (length < 0) {
    const errno = lastErrno();
    if (errno === 'EOPNOTSUPP' || errno === 'ENOTSUP') return [];
    throw callError('list attributes of', path, errno);
  }
  if (length === 0) return [];
  return XATTR_VALUE.toString('utf8', 0, Number(length) - 1).split('\0');
}
export function lsetxattr(path: PathLike, name: string, value: Buffer): void {
  check(cLsetxattr(cString(path), cString(name), value, value.length, 0), `set attribute ${name} of`, path);
}
export function lremovexattr(path: PathLike, name: string): void {
  check(cLremovexattr(cString(path), cString(name)), `remove attribute ${name} of`, path);
}

/** Flushes the file system holding `fd`. @see syncfs(2) */
export function syncfs(fd: number): void {
  check(cSyncfs(fd), 'flush file system');
}

/** Offset of the next data or hole at or after `offset`; undefined past the last. @see lseek(2) SEEK_DATA, SEEK_HOLE */
export function seekSparse(fd: number, offset: number, what: 'data' | 'hole'): number | undefined {
  const result = Number(cFallocate(fd, offset, what === 'data' ? 3 : 4));
  if (result >= 0) return result;
  const errno = lastErrno();
  if (errno === 'ENXIO') return undefined;
  throw callError(`seek ${what}`, undefined, errno);
}

const FICLONE = 0x40049409;

/** Shares the blocks of `from` with `to` where the file system can; false where it cannot. @see ioctl_ficlone(2) */
export function tryReflink(from: number, to: number): boolean {
  return cIoctl(to, FICLONE, from) === 0;
}
/** Copies up to `length` bytes inside the kernel at the files' positions; returns the bytes copied, 0 at the end. */
export function copyFileRange(from: number, to: number, length: number): number {
  return Number(check(cCopyFileRange(from, null, to, null, length, 0), 'copy file range'));
}

const cOpenat2 = lazy('int64_t syscall(int64_t, int64_t, const uint8_t*, const uint8_t*, int64_t, int64_t, int64_t)');
const SYS_OPENAT2 = 437;
export const RESOLVE_NO_MAGICLINKS = 0x02;
export const RESOLVE_IN_ROOT = 0x10;

/** How often the kernel is asked again; more would mean that something renames without end. */
const RESOLVE_ATTEMPTS = 1000;

/** openat2(2), the same number on every architecture; throws ENOSYS on kernels before 5.6 and under some sandboxes. */
export function openat2(dirFd: number, path: PathLike, flags: number, mode: number, resolve: number): number {
  const how = Buffer.alloc(24);
  how.writeBigUInt64LE(BigInt((flags | O_CLOEXEC) >>> 0), 0);
  how.writeBigUInt64LE(BigInt(mode), 8);
  how.writeBigUInt64LE(BigInt(resolve), 16);
  const name = cString(path);
  for (let attempt = 1; ; attempt += 1) {
    const fd = cOpenat2(SYS_OPENAT2, dirFd, name, how, how.length, 0, 0);
    // A rename or mount anywhere on the machine while `..` or a link is followed: the kernel cannot be sure, ask again.
    const isRace = fd < 0 && (lastErrno() === 'EAGAIN' || lastErrno() === 'EWOULDBLOCK');
    if (!isRace || attempt === RESOLVE_ATTEMPTS) return Number(check(fd, 'open', path));
  }
}

/** Address of a buffer's first byte, for structures that hold pointers. Valid as long as the buffer is referenced. */
export function addressOf(buffer: Buffer): bigint {
  load();
  return koffi!.address(buffer);
}
