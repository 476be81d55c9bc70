/**
 * Snapshots as whole copies in plain directories. Slower than overlay and hungrier for space (unless the file system
 * shares blocks), but it needs no mount and works everywhere.
 */
import { closeSync, openSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cancellable } from '../spec/target.ts';
import { type FileStat, lstatat } from '../sys/libc.ts';
import { cloneTree } from './clone-tree.ts';
import { bound, layersAbove, unmounted, withDirectories } from './overlay.ts';
import type { SnapshotRef } from './snapshot-directory.ts';
import type { ChangeSource, MountedRootfs, SnapshotId, Snapshotter } from './snapshotter.ts';
import { StoredSnapshots } from './stored-snapshots.ts';

const INDEX_FILE = 'inodes';
/** Two ticks of the slowest kernel clock: a file changed this soon after it was copied may keep its ctime. */
const CLOCK_GRAIN_NS = 20_000_000n;

export class VfsSnapshotter extends StoredSnapshots implements Snapshotter {
  readonly driver = 'vfs';

  async prepare(key: string, parent: SnapshotId | undefined, o: Cancellable = {}): Promise<void> {
    o.signal?.throwIfAborted();
    using draft = this.directory.draft({ version: 1, key, ...(parent === undefined ? {} : { parent }) });
    if (parent !== undefined) {
      const index = new InodeIndex();
      await withDirectories(this.directory.fsOf({ id: parent }), draft.fs, (from, to) =>
        cloneTree(from, to, { signal: o.signal, copied: (stat, fd, name) => index.add(stat, lstatat(fd, name)) }),
      );
      index.save(join(draft.path, INDEX_FILE));
    }
    this.directory.publishActive(draft, key);
  }

  async mount(key: string, at?: string): Promise<MountedRootfs> {
    const fs = this.directory.fsOf({ key });
    return at === undefined ? unmounted(fs) : bound(fs, at);
  }

  async view(id: SnapshotId | undefined): Promise<MountedRootfs> {
    return unmounted(id === undefined ? this.directory.empty : this.directory.fsOf({ id }));
  }

  async seal(key: string, o: { copy?: boolean } = {}): Promise<SnapshotId> {
    if (o.copy !== true) return this.directory.sealActive(key);
    using draft = this.directory.draft(this.directory.record({ key }));
    await withDirectories(this.directory.fsOf({ key }), draft.fs, (from, to) => cloneTree(from, to));
    return this.directory.publishSealed(draft);
  }

  override async replace(id: SnapshotId, key: string): Promise<void> {
    // What children remember of inodes is of those that go now.
    const { sealed, active } = await this.list();
    for (const [child, parent] of sealed) if (parent === id) this.#forgetInodes({ id: child });
    for (const [child, parent] of active) if (parent === id) this.#forgetInodes({ key: child });
    await super.replace(id, key);
  }

  #forgetInodes(snapshot: SnapshotRef): void {
    rmSync(this.directory.fileOf(snapshot, INDEX_FILE), { force: true });
  }

  async changes(snapshot: SnapshotRef, base?: SnapshotId | null): Promise<ChangeSource & AsyncDisposable> {
    const above = layersAbove(this.directory, snapshot, base);
    // The index knows what was copied from the parent, so it serves no other comparison.
    const unchangedInodes =
      above.layers.length === 1 ? readIndex(this.directory.fileOf(snapshot, INDEX_FILE)) : undefined;
    return {
      lower: above.base === undefined ? undefined : this.directory.fsOf({ id: above.base }),
      merged: this.directory.fsOf(snapshot),
      ...(unchangedInodes === undefined ? {} : { unchangedInodes }),
      async [Symbol.asyncDispose]() {},
    };
  }
}

/** Which inode was copied from which, and the ctime the copy had then. */
class InodeIndex {
  readonly #copies = new Map<string, { readonly original: string; readonly ctime: bigint }>();

  add(original: FileStat, copy: FileStat): void {
    // A further name of the same file changes its ctime: the last one counts.
    this.#copies.set(copy.ino, { original: original.ino, ctime: nanoseconds(copy.ctime) });
  }

  /** One line per file; leaves out files so young that a change right now might not show in their ctime. */
  save(path: string): void {
    const probe = openSync(path, 'wx', 0o600);
    try {
      const now = nanoseconds(lstatat(probe, '').ctime);
      const lines: string[] = [];
      for (const [ino, { original, ctime }] of this.#copies) {
        if (ctime < now - CLOCK_GRAIN_NS) lines.push(`${ino} ${original} ${ctime}`);
      }
      if (lines.length === 0) unlinkSync(path);
      else writeFileSync(probe, lines.join('\n'));
    } finally {
      closeSync(probe);
    }
  }
}

const nanoseconds = (time: { seconds: number; nanoseconds: number }): bigint =>
  BigInt(time.seconds) * 1_000_000_000n + BigInt(time.nanoseconds);

function readIndex(path: string): Map<string, string> | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'latin1');
  } catch {
    // The index only saves time.
    return undefined;
  }
  const index = new Map<string, string>();
  for (const line of text.split('\n')) {
    const end = line.indexOf(' ');
    index.set(line.slice(0, end), line.slice(end + 1));
  }
  return index;
}
