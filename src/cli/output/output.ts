import { isatty } from 'node:tty';

/** A stream a command writes to. Writes are ordered; `flush` resolves when the kernel has them all. */
export interface Output {
  write(data: string | Uint8Array): void;
  flush(): Promise<void>;
  readonly isTty: boolean;
  /** Columns of the terminal; 80 when it is none. */
  readonly columns: number;
  readonly rows: number;
}

/**
 * Wraps one of the process's own streams, opened at the first write: node takes milliseconds for each.
 * @param fd of the stream, asked whether it is a terminal
 * @param closed called once when nothing can be written any more: the reader has gone away (`EPIPE`), or the disk
 *   behind a file is full; later writes vanish
 */
export function streamOutput(
  open: () => NodeJS.WriteStream,
  fd: number,
  closed: (error: NodeJS.ErrnoException) => void,
): Output {
  let gone = false;
  let opened: NodeJS.WriteStream | undefined;
  const stream = (): NodeJS.WriteStream => {
    if (opened !== undefined) return opened;
    opened = open();
    opened.on('error', (error: NodeJS.ErrnoException) => {
      if (gone) return;
      gone = true;
      closed(error);
    });
    return opened;
  };
  return {
    write: (data) => {
      if (!gone) stream().write(data);
    },
    flush: () =>
      gone || opened === undefined ? Promise.resolve() : new Promise((resolve) => stream().write('', () => resolve())),
    get isTty() {
      return isatty(fd);
    },
    get columns() {
      return isatty(fd) ? (stream().columns ?? 80) : 80;
    },
    get rows() {
      return isatty(fd) ? (stream().rows ?? 24) : 24;
    },
  };
}

/** Collects what is written, for tests and log files. */
export class TextOutput implements Output {
  readonly isTty: boolean;
  readonly columns: number;
  readonly rows: number;
  readonly #chunks: Buffer[] = [];

  constructor(o: { isTty?: boolean; columns?: number; rows?: number } = {}) {
    this.isTty = o.isTty ?? false;
    this.columns = o.columns ?? 80;
    this.rows = o.rows ?? 24;
  }

  write(data: string | Uint8Array): void {
    this.#chunks.push(Buffer.from(data as Uint8Array));
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString();
  }
}
