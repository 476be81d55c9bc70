/** Pseudo-terminals. @see pty(7), ioctl_tty(2) */
import { constants, openSync } from 'node:fs';
import { check, lazy } from './libc.ts';

const cIoctl = lazy('int ioctl(int, uint64_t, uint8_t*)');
const TIOCGPTN = 0x80045430;
const TIOCSPTLCK = 0x40045431;
const TIOCSWINSZ = 0x5414;

/** The program's end of a new terminal and the number N of its `/dev/pts/N`. The caller closes the descriptor. */
export function openTerminal(multiplexer: string): { readonly fd: number; readonly number: number } {
  const fd = openSync(multiplexer, constants.O_RDWR | constants.O_NOCTTY);
  const word = Buffer.alloc(4);
  check(cIoctl(fd, TIOCSPTLCK, word), 'unlock a terminal');
  check(cIoctl(fd, TIOCGPTN, word), 'number a terminal');
  return { fd, number: word.readUInt32LE(0) };
}

/** Tells the terminal its size; programs in it get SIGWINCH. */
export function setTerminalSize(fd: number, rows: number, columns: number): void {
  const size = Buffer.alloc(8);
  size.writeUInt16LE(rows, 0);
  size.writeUInt16LE(columns, 2);
  check(cIoctl(fd, TIOCSWINSZ, size), 'set the size of a terminal');
}
