/** A file in place of both streams. Writes keep their order; the first failure comes out of `flush`. */
import type { FileHandle } from 'node:fs/promises';
import type { Output } from './output.ts';

export function logFileOutput(file: FileHandle): Output {
  let last: Promise<unknown> = Promise.resolve();
  return {
    write: (data) => {
      // The caller may use its buffer again before the file has taken it.
      const bytes = Buffer.from(data as Uint8Array);
      last = last.then(() => file.write(bytes));
      last.catch(() => {});
    },
    flush: async () => {
      await last;
    },
    isTty: false,
    columns: 80,
    rows: 24,
  };
}
