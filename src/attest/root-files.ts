/**
 * The files of a root filesystem as the catalogers see them: regular files alone, opened below the root's descriptor,
 * read up to a limit. Nothing outside the root is ever opened, whatever links the root holds.
 */
import { closeSync, constants, fstatSync } from 'node:fs';
import { BuilderError, isBuilderError } from '../report/builder-error.ts';
import { RootDirectory } from '../sys/root-directory.ts';
import { type ByteSource, fileSource, readExactly } from './byte-source.ts';

/** A file that is open while a cataloger reads it. */
export interface RootFile {
  /** In the root, beginning with `/`; bytes that are no UTF-8 are shown as the replacement character. */
  readonly path: string;
  readonly source: ByteSource;
  /** The whole content. @throws RangeError when it is larger than the cataloger takes */
  readonly bytes: () => Buffer;
  /** The whole content as UTF-8, without a byte order mark. */
  readonly text: () => string;
}

export class RootFiles implements Disposable {
  readonly #root: RootDirectory;

  /** @throws `sys.call-failed` when `path` is not a directory */
  constructor(path: string) {
    this.#root = new RootDirectory(path);
  }

  /** Descriptor of the root itself. */
  get fd(): number {
    return this.#root.fd;
  }

  /**
   * Opens a regular file, hands it to `use` and closes it; undefined when there is no such regular file.
   * @param path relative to the root; links within it are followed inside the root
   * @param maxBytes what `bytes` and `text` give at most
   */
  with<T>(path: Buffer | string, maxBytes: number, use: (file: RootFile) => T): T | undefined {
    const fd = this.#open(path);
    if (fd === undefined) return undefined;
    try {
      const stat = fstatSync(fd);
      if (!stat.isFile()) return undefined;
      const source = fileSource(fd, stat.size);
      const bytes = (): Buffer => {
        if (stat.size > maxBytes) throw new RangeError(`its ${stat.size} bytes are more than the limit of ${maxBytes}`);
        return readExactly(source, 0, stat.size);
      };
      return use({
        path: `/${path.toString()}`,
        source,
        bytes,
        text: () => new TextDecoder().decode(bytes()),
      });
    } finally {
      closeSync(fd);
    }
  }

  /** The text of a file, or undefined when there is none, it is too large or cannot be read. */
  textIfAny(path: string, maxBytes: number): string | undefined {
    try {
      return this.with(path, maxBytes, (file) => file.text());
    } catch {
      return undefined;
    }
  }

  #open(path: Buffer | string): number | undefined {
    try {
      // Without O_NONBLOCK the open of a pipe waits for a writer.
      return this.#root.open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    } catch (error) {
      if (isBuilderError(error) && ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'].includes(String(error.facts['errno']))) {
        return undefined;
      }
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#root.close();
  }
}

/** A reason for a warning, from whatever was thrown. */
export function reasonOf(error: unknown): string {
  if (error instanceof BuilderError || error instanceof Error) return error.message;
  return String(error);
}
