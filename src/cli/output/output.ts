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
 * Wraps one of the process's own streams.
 * @param closed called once when the reader has gone away; later writes vanish
 */
export function streamOutput(stream: NodeJS.WriteStream, closed: () => void): Output {
  let gone = false;
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (gone) return;
    gone = true;
    if (error.code !== 'EPIPE') process.exitCode = 125;
    closed();
  });
  return {
    write: (data) => {
      if (!gone) stream.write(data);
    },
    flush: () => (gone ? Promise.resolve() : new Promise((resolve) => stream.write('', () => resolve()))),
    get isTty() {
      return stream.isTTY === true;
    },
    get columns() {
      return stream.columns ?? 80;
    },
    get rows() {
      return stream.rows ?? 24;
    },
  };
}

/** Collects what is written, for tests and log files. */
export class TextOutput implements Output {
  readonly isTty: boolean;
  readonly columns: number;
  readonly rows = 24;
  readonly #chunks: Buffer[] = [];

  constructor(o: { isTty?: boolean; columns?: number } = {}) {
    this.isTty = o.isTty ?? false;
    this.columns = o.columns ?? 80;
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
