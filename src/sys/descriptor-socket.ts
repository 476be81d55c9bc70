/** A Unix socket that somebody hands an open file over by. @see unix(7), cmsg(3) */
import { closeSync, constants, openSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { addressOf, callError, check, lastErrno, lazy } from './libc.ts';

const cSocket = lazy('int socket(int, int, int)');
const cBind = lazy('int bind(int, const uint8_t*, uint32_t)');
const cListen = lazy('int listen(int, int)');
const cAccept4 = lazy('int accept4(int, void*, void*, int)');
const cRecvmsg = lazy('int64_t recvmsg(int, uint8_t*, int)');

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0x800;
const SOCK_CLOEXEC = 0x80000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_CMSG_CLOEXEC = 0x40000000;

/** `sun_path` with its NUL. */
const MAX_PATH_BYTES = 108;

export class DescriptorSocket implements Disposable {
  readonly #listener: number;
  #peer: number | undefined;

  /** Listens at a path where nothing is yet; who may reach it is up to the directory. @throws `sys.call-failed` */
  constructor(path: string) {
    this.#listener = check(cSocket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), 'make a socket');
    try {
      // Through the directory's descriptor, so that no path is too long.
      const folder = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
      try {
        const address = socketAddress(`/proc/self/fd/${folder}/${basename(path)}`);
        check(cBind(this.#listener, address, address.length), 'make the socket', path);
      } finally {
        closeSync(folder);
      }
      check(cListen(this.#listener, 1), 'listen at', path);
    } catch (error) {
      closeSync(this.#listener);
      throw error;
    }
  }

  /**
   * The descriptor, if it has come; the caller closes it. Never waits.
   * @throws `sys.call-failed`, with EBADMSG for a message without a descriptor
   */
  take(): number | undefined {
    this.#peer ??= orLater(cAccept4(this.#listener, null, null, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (this.#peer === undefined) return undefined;
    const content = Buffer.alloc(64);
    const vector = Buffer.alloc(16);
    vector.writeBigUInt64LE(addressOf(content), 0);
    vector.writeBigUInt64LE(BigInt(content.length), 8);
    // A header of 16 bytes and one descriptor, aligned to 8.
    const control = Buffer.alloc(24);
    const message = Buffer.alloc(56);
    message.writeBigUInt64LE(addressOf(vector), 16);
    message.writeBigUInt64LE(1n, 24);
    message.writeBigUInt64LE(addressOf(control), 32);
    message.writeBigUInt64LE(BigInt(control.length), 40);
    if (orLater(cRecvmsg(this.#peer, message, MSG_CMSG_CLOEXEC)) === undefined) return undefined;
    const isDescriptor =
      message.readBigUInt64LE(40) >= 20n &&
      control.readInt32LE(8) === SOL_SOCKET &&
      control.readInt32LE(12) === SCM_RIGHTS;
    if (!isDescriptor) throw callError('take a descriptor', undefined, 'EBADMSG');
    return control.readInt32LE(16);
  }

  [Symbol.dispose](): void {
    if (this.#peer !== undefined) closeSync(this.#peer);
    closeSync(this.#listener);
  }
}

/** Undefined where there is nothing yet. */
function orLater(result: number): number | undefined {
  if (result >= 0) return Number(result);
  const errno = lastErrno();
  if (errno === 'EAGAIN' || errno === 'EWOULDBLOCK') return undefined;
  throw callError('take a descriptor', undefined, errno);
}

function socketAddress(path: string): Buffer {
  const bytes = Buffer.from(path);
  if (bytes.length >= MAX_PATH_BYTES) throw callError('make the socket', path, 'ENAMETOOLONG');
  const address = Buffer.alloc(2 + bytes.length + 1);
  address.writeUInt16LE(AF_UNIX, 0);
  bytes.copy(address, 2);
  return address;
}
