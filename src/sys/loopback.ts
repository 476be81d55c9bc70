/** Switching on the loopback interface of a new network namespace. @see netdevice(7) */
import { closeSync } from 'node:fs';
import { check, lazy, O_CLOEXEC } from './libc.ts';

const cSocket = lazy('int socket(int, int, int)');
const cIoctl = lazy('int ioctl(int, uint64_t, uint8_t*)');
const AF_INET = 2;
const SOCK_DGRAM = 2;
const SIOCSIFFLAGS = 0x8914;
const IFF_UP = 1;
const IFF_RUNNING = 0x40;
/** struct ifreq: 16 bytes of name, then a union whose first member here is a short of flags. */
const IFREQ_BYTES = 40;

/** In the network namespace of the calling thread. @throws `sys.call-failed` */
export function bringLoopbackUp(): void {
  const socket = check(cSocket(AF_INET, SOCK_DGRAM | O_CLOEXEC, 0), 'open a socket');
  try {
    const request = Buffer.alloc(IFREQ_BYTES);
    request.write('lo');
    request.writeInt16LE(IFF_UP | IFF_RUNNING, 16);
    check(cIoctl(socket, SIOCSIFFLAGS, request), 'switch on the interface lo');
  } finally {
    closeSync(socket);
  }
}
