/** One member of a tar archive as values: what the reader gives and the writer takes. */
import type { Timestamp } from '../spec/timestamp.ts';

/** The kinds of member a layer may hold. Contiguous files (type 7) and sparse files count as `file`. */
export type TarEntryType = 'file' | 'hardlink' | 'symlink' | 'char' | 'block' | 'directory' | 'fifo';

/**
 * A member without its content.
 *
 * `name` holds the path's raw bytes as the archive spells them (not cleaned, possibly absolute or with `..`); only a
 * directory's trailing slashes are gone, so `./` reads as `.`, while a lone `/` stays. `linkName` is empty for anything
 * but links. `size` counts content bytes after the expansion of sparse files and is 0 for everything but files.
 */
export interface TarEntry {
  readonly name: Buffer;
  readonly type: TarEntryType;
  /** The 12 permission bits. */
  readonly mode: number;
  /** 0 … 2³²-2 */
  readonly uid: number;
  /** 0 … 2³²-2 */
  readonly gid: number;
  /** bytes */
  readonly size: number;
  readonly mtime: Timestamp;
  readonly linkName: Buffer;
  readonly devMajor: number;
  readonly devMinor: number;
  /** Attribute name (as `user.x`, without the prefix of its PAX record) → value. */
  readonly xattrs: ReadonlyMap<string, Buffer>;
}
