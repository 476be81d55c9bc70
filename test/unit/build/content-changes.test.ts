import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { contentChanges, readList } from '../../../src/build/content-changes.ts';
import { type CopyRecord, TreeDigest } from '../../../src/rootfs/copy-record.ts';
import { ContentLists } from '../../../src/store/content-lists.ts';

const file = (path: string, change: Partial<CopyRecord> = {}): CopyRecord => ({
  kind: 'file',
  path,
  mode: 0o100644,
  uid: 0,
  gid: 0,
  content: 'a'.repeat(64),
  sizeBytes: 3,
  ...change,
});

/** Through the store and back, as a build does. */
async function listOf(records: readonly CopyRecord[], sources: readonly string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-lists-'));
  try {
    const tree = new TreeDigest({ keep: true });
    for (const record of records) tree.add(record);
    const digest = tree.digest();
    const lists = new ContentLists(folder);
    await lists.put(digest, tree.records!);
    return readList(lists.get(digest)!, sources);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('what differs between two copies', () => {
  it('is said file by file, beginning with the path of the source', async () => {
    const before = await listOf(
      [
        { ...file('0'), kind: 'directory', content: '', sizeBytes: 0 },
        file('0/app.ts'),
        file('0/gone'),
        file('0/run.sh'),
        file('0/own'),
        file('0/kind'),
        file('0/xattr'),
        file('0/new\nline'),
        file('1/only.txt'),
      ],
      ['src', 'doc/only.txt'],
    );
    const after = await listOf(
      [
        { ...file('0'), kind: 'directory', content: '', sizeBytes: 0 },
        file('0/app.ts', { content: 'b'.repeat(64) }),
        file('0/run.sh', { mode: 0o100755 }),
        file('0/own', { uid: 7, gid: 8 }),
        file('0/kind', { kind: 'symlink', content: 'x', sizeBytes: 0 }),
        file('0/xattr', { xattrs: new Map([['user.a', Buffer.from('1')]]) as never }),
        file('0/new\nline'),
        file('0/n\xc3\xa9w'),
        file('1/only.txt', { sizeBytes: 4 }),
      ],
      ['src', 'doc/only.txt'],
    );
    assert.deepEqual(
      contentChanges(before, after).map(({ text }) => text),
      [
        'src/app.ts changed',
        'mode of src/run.sh: 0644 → 0755',
        'owner of src/own: 0:0 → 7:8',
        'src/kind was a file and is a symlink',
        'extended attributes of src/xattr changed',
        'src/néw is new',
        'doc/only.txt changed',
        'src/gone is gone',
      ],
    );
    assert.deepEqual(contentChanges(after, after), []);
  });
});
