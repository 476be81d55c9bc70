/**
 * Writes changes as a tar, in full chunks: entries of small files are gathered, large files are read ahead on the
 * thread pool while the consumer works on the chunk before.
 */
import { closeSync, read, readSync } from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { TarEntry } from '../archive/tar-entry.ts';
import { END_OF_ARCHIVE, encodeEntry, encodeEntryInto, padding } from '../archive/tar-writer.ts';
import { BuilderError } from '../report/builder-error.ts';
import type { Cancellable } from '../spec/target.ts';
import { sameTime } from '../spec/timestamp.ts';
import { type FileStat, lstatat, S_IFREG } from '../sys/libc.ts';
import { splitPath } from '../sys/root-directory.ts';
import { typeOf } from './change-walk.ts';
import { type ByteString, byteString, displayName } from './copy-walk.ts';
import { type LayerChange, LayerChanges, openForReading, type TimeRule } from './layer-change.ts';
import { layerEntry } from './layer-entry.ts';
import type { ChangeSource } from './snapshotter.ts';

export interface DiffOptions extends TimeRule, Cancellable {
  /**
   * Paths relative to the root that are left out with all below, changed or removed.
   * A string stands for its UTF-8 bytes.
   */
  readonly exclude?: readonly (string | Buffer)[] | undefined;
}

/** What a difference has come to so far. */
export interface DiffCounts {
  /** Members of the archive. */
  entries: number;
  /** Names looked at. */
  visited: number;
  /** Bytes of content read, for the archive or to compare. */
  bytesRead: number;
}

type FileChange = Extract<LayerChange, { kind: 'entry' }>;

const CHUNK = 1024 * 1024;
/** Names looked at between two looks at the signal and at other work of this thread. */
const VISITS_PER_TURN = 2000;

const readAsync = promisify(read);

export function excludedPaths({ exclude = [] }: DiffOptions): ReadonlySet<ByteString> {
  return new Set(exclude.map((path) => splitPath(path).map(byteString).join('/')));
}

/** Steps through the changes, giving other work of this thread its turn. */
export async function* stepsOf(changes: LayerChanges, { signal }: Cancellable): AsyncGenerator<LayerChange> {
  let rested = 0;
  for (let step = changes.step(); step !== undefined; step = changes.step()) {
    if (changes.visited - rested >= VISITS_PER_TURN) {
      rested = changes.visited;
      await breathe();
      signal?.throwIfAborted();
    }
    if (step !== 'same') yield step;
  }
}

/** One writing of one difference. */
export class LayerWriter implements AsyncIterable<Buffer> {
  readonly #source: ChangeSource;
  readonly #options: DiffOptions;
  readonly #check: (counts: DiffCounts, nextFileSize: number) => void;
  readonly counts: DiffCounts = { entries: 0, visited: 0, bytesRead: 0 };
  #filling = Buffer.allocUnsafeSlow(CHUNK);
  #spare = Buffer.allocUnsafeSlow(CHUNK);
  #at = 0;
  /** Bytes of content written. */
  #written = 0;

  /** @param check called with the counts for every name, before a file of the given size is read; it may throw */
  constructor(
    source: ChangeSource,
    options: DiffOptions,
    check: (counts: DiffCounts, nextFileSize: number) => void = () => {},
  ) {
    this.#source = source;
    this.#options = options;
    this.#check = check;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    using changes = new LayerChanges(this.#source, this.#options, excludedPaths(this.#options));
    let rested = 0;
    for (let step = changes.step(); step !== undefined; step = changes.step()) {
      this.counts.visited = changes.visited;
      this.counts.bytesRead = this.#written + changes.compared;
      if (changes.visited - rested >= VISITS_PER_TURN) {
        rested = changes.visited;
        await breathe();
        this.#options.signal?.throwIfAborted();
      }
      if (step === 'same') {
        this.#check(this.counts, 0);
        continue;
      }
      const rest = this.#put(step);
      if (rest !== undefined) yield* rest;
    }
    if (this.#at + END_OF_ARCHIVE.length > CHUNK) yield this.#take();
    this.#at += END_OF_ARCHIVE.copy(this.#filling, this.#at);
    yield this.#take();
  }

  /** What is filled so far. It is the consumer's until the next pull; filling goes on in the other buffer. */
  #take(): Buffer {
    const chunk = this.#filling.subarray(0, this.#at);
    [this.#filling, this.#spare] = [this.#spare, this.#filling];
    this.#at = 0;
    return chunk;
  }

  #putHeader(entry: TarEntry): boolean {
    const length = encodeEntryInto(this.#filling, this.#at, entry);
    this.#at += length;
    return length > 0;
  }

  /** Writes what fits into the chunk; what does not is for the returned generator. (One per entry would be dear.) */
  #put(change: LayerChange): AsyncGenerator<Buffer> | undefined {
    let fd = isFile(change) ? openForReading(change.at.dirFd, change.name) : undefined;
    try {
      const entry = layerEntry(change, this.#options, fd);
      this.#check(this.counts, entry.size);
      this.counts.entries += 1;
      const hasHeader = this.#putHeader(entry);
      if (fd === undefined) return hasHeader ? undefined : this.#flushThenHeader(entry);
      if (hasHeader && this.#putSmallFile(fd, change, entry.size)) return undefined;
      const rest = this.#putLarge(fd, change as FileChange, entry, hasHeader);
      fd = undefined;
      return rest;
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  }

  async *#flushThenHeader(entry: TarEntry): AsyncGenerator<Buffer> {
    if (this.#at > 0) yield this.#take();
    if (this.#putHeader(entry)) return;
    // Attributes can make a header longer than a chunk.
    yield encodeEntry(entry);
  }

  /** False when it does not fit into the chunk. */
  #putSmallFile(fd: number, { path }: LayerChange, size: number): boolean {
    const gap = padding(size);
    if (this.#at + size + gap.length >= CHUNK) return false;
    // One byte more than expected tells in the same call whether the file has grown.
    let length = readSync(fd, this.#filling, this.#at, size + 1, null);
    while (length < size) {
      const more = readSync(fd, this.#filling, this.#at + length, size + 1 - length, null);
      if (more === 0) break;
      length += more;
    }
    if (length !== size) throw changedWhileRead(path);
    this.#at += size;
    this.#at += gap.copy(this.#filling, this.#at);
    this.#written += size;
    return true;
  }

  async *#putLarge(fd: number, change: FileChange, entry: TarEntry, hasHeader: boolean): AsyncGenerator<Buffer> {
    try {
      if (!hasHeader) yield* this.#flushThenHeader(entry);
      let left = entry.size;
      while (left > 0 || this.#at === CHUNK) {
        if (this.#at === CHUNK) {
          left -= yield* this.#takeWhileReading(fd, left, change.path);
          this.#options.signal?.throwIfAborted();
          continue;
        }
        const { bytesRead } = await readAsync(fd, this.#filling, this.#at, Math.min(left, CHUNK - this.#at), null);
        if (bytesRead === 0) throw changedWhileRead(change.path);
        left -= bytesRead;
        this.#at += bytesRead;
        this.#written += bytesRead;
      }
      requireUnchanged(fd, change.at.stat, change.path);
    } finally {
      closeSync(fd);
    }
    const gap = padding(entry.size);
    if (this.#at + gap.length > CHUNK) yield this.#take();
    this.#at += gap.copy(this.#filling, this.#at);
  }

  /** Hands out the full chunk while the next one is read; gives the number of bytes read. */
  async *#takeWhileReading(fd: number, left: number, path: ByteString): AsyncGenerator<Buffer, number> {
    const full = this.#take();
    if (left === 0) {
      yield full;
      return 0;
    }
    const reading = readAsync(fd, this.#filling, 0, Math.min(left, CHUNK), null);
    let taken = false;
    try {
      yield full;
      taken = true;
    } finally {
      // Should the consumer stop here, the descriptor must not be closed under the read.
      if (!taken) await reading.catch(() => {});
    }
    const { bytesRead } = await reading;
    if (bytesRead === 0) throw changedWhileRead(path);
    this.#at = bytesRead;
    this.#written += bytesRead;
    return bytesRead;
  }
}

const isFile = (change: LayerChange): change is FileChange =>
  change.kind === 'entry' && typeOf(change.at.stat) === S_IFREG;

function requireUnchanged(fd: number, before: FileStat, path: ByteString): void {
  const after = lstatat(fd, '');
  if (after.size !== before.size || !sameTime(after.mtime, before.mtime) || !sameTime(after.ctime, before.ctime)) {
    throw changedWhileRead(path);
  }
}

function changedWhileRead(path: ByteString): BuilderError {
  const shown = displayName(path);
  return new BuilderError(
    'layer.diff-failed',
    `cannot write the layer: ${JSON.stringify(shown)} changed while it was read`,
    { hint: 'stop what writes to it, then commit again', facts: { path: shown } },
  );
}
