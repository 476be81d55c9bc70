import assert from 'node:assert/strict';
import {
  chmodSync,
  linkSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type ContentSummary, type DigestOptions, digestSources } from '../../../src/container/content-digest.ts';
import { resolveSources } from '../../../src/container/copy-source.ts';
import { FileMemory } from '../../../src/container/file-memory.ts';
import { StatCache } from '../../../src/container/stat-cache.ts';
import { TreeMemory } from '../../../src/container/tree-memory.ts';
import { digestOf } from '../../../src/spec/digest.ts';
import { lsetxattr } from '../../../src/sys/libc.ts';
import { RootDirectory } from '../../../src/sys/root-directory.ts';
import { type Description, Fixture, isRoot, needsRoot, OWNER } from './copy-fixture.ts';

async function digest(
  t: TestContext | Fixture,
  context: Description,
  o: DigestOptions = {},
  pattern = 'd',
): Promise<string> {
  return (await summary(t instanceof Fixture ? t : new Fixture(t, context), o, pattern)).digest;
}

async function summary(fixture: Fixture, o: DigestOptions = {}, ...patterns: string[]): Promise<ContentSummary> {
  using root = new RootDirectory(fixture.context);
  return await digestSources(await resolveSources({ root, patterns }), o);
}

const BASE: Description = { 'd/a': 'A', 'd/b': 'B', 'd/s/c': 'C', 'd/l': '-> a' };

test('the same tree has the same digest, whenever and in whatever order it was made', async (t) => {
  const later: Description = {
    'd/l': '-> a',
    'd/s/c': { text: 'C', mtime: 5 },
    'd/b': 'B',
    'd/a': { text: 'A', mtime: 1 },
  };
  assert.equal(await digest(t, BASE), await digest(t, later));
});

const CHANGES: readonly [string, Description][] = [
  ['content', { ...BASE, 'd/a': 'a' }],
  ['a name', { 'd/a2': 'A', 'd/b': 'B', 'd/s/c': 'C', 'd/l': '-> a' }],
  ['a mode', { ...BASE, 'd/a': { text: 'A', mode: 0o600 } }],
  ['the mode of a directory', { ...BASE, 'd/s/': { mode: 0o700 } }],
  ['a link target', { ...BASE, 'd/l': '-> b' }],
  ['a further file', { ...BASE, 'd/z': '' }],
  ['a further directory', { ...BASE, 'd/z/': {} }],
  ['a type', { ...BASE, 'd/a': '-> A' }],
  ['hard links', { 'd/a': 'A', 'd/b': 'B', 'd/s/c': 'C', 'd/l': '-> a', 'd/x': '= d/a' }],
];
for (const [what, changed] of CHANGES) {
  test(`the digest depends on ${what}`, async (t) => assert.notEqual(await digest(t, BASE), await digest(t, changed)));
}

test('a hard link and a copy have different digests', async (t) => {
  const linked = { 'd/a': 'A', 'd/b': '= d/a' };
  assert.notEqual(await digest(t, linked), await digest(t, { 'd/a': 'A', 'd/b': 'A' }));
});

test('the digest depends on attributes', async (t) => {
  const fixture = new Fixture(t, BASE);
  const before = await digest(fixture, {});
  lsetxattr(join(fixture.context, 'd/a'), 'user.x', Buffer.from('1'));
  assert.notEqual(await digest(fixture, {}), before);
});

test('the digest depends on owners and modes as they will be', needsRoot, async (t) => {
  const fixture = new Fixture(t, { 'd/a': { text: 'A', uid: 5, mode: 0o600 } });
  const other = new Fixture(t, { 'd/a': { text: 'A', uid: 6, mode: 0o600 } });
  assert.equal(await digest(fixture, {}), await digest(other, {}));
  assert.notEqual(
    await digest(fixture, {}, { preserveOwnership: true }),
    await digest(other, {}, { preserveOwnership: true }),
  );
  assert.notEqual(await digest(fixture, {}), await digest(fixture, {}, { chown: '5' }));
  assert.notEqual(await digest(fixture, {}), await digest(fixture, {}, { chmod: '644' }));
  assert.equal(await digest(fixture, {}, { chmod: 'u=rw,go=' }), await digest(fixture, {}, { chmod: 'u=rw,go=' }));
});

test('the kind is that of Buildah’s history text', async (t) => {
  const fixture = new Fixture(t, BASE);
  assert.equal((await summary(fixture, {}, 'd/a')).kind, 'file');
  assert.equal((await summary(fixture, {}, 'd')).kind, 'dir');
  assert.equal((await summary(fixture, {}, 'd', 'd/a')).kind, 'multi');
  assert.equal((await digestSources([])).kind, 'empty');
});

test('copying gives the digest that was taken before, with every flag', async (t) => {
  const owner: DigestOptions[] = isRoot ? [{}, { chown: '3:4' }] : [OWNER];
  const context: Description = { ...BASE, 'd/h': '= d/a', 'd/s/t': { text: 'T', mode: 0o4755 } };
  for (const flags of owner.flatMap((o) => [
    o,
    { ...o, chmod: 'go-w,+X' },
    { ...o, timestamp: { seconds: 5, nanoseconds: 0 } },
  ])) {
    const fixture = new Fixture(t, context);
    const before = await summary(fixture, flags, 'd', 'd/s/c');
    const copied = await fixture.copy(['d', 'd/s/c'], '/t/', { ...flags, digest: true });
    assert.equal(copied.digest, before.digest);
    assert.equal(copied.files, before.files);
  }
});

function cacheDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'stat-cache-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** As if the files had been left alone for an hour. */
const later = { now: () => Date.now() + 3_600_000 };

/** A memory of files alone. */
const only = (files: StatCache) => ({ files, now: later.now });

test('a file whose stat did not change is not read again', async (t) => {
  const directory = cacheDirectory(t);
  const fixture = new Fixture(t, BASE);
  const cache = StatCache.open(directory, later);
  const first = await summary(fixture, { memory: only(cache) }, 'd');
  cache.save();
  assert.equal(cache.size, 3);
  // The remembered hash is falsified: only a build that does not read the files can come to another digest.
  const path = join(directory, 'stat-cache-v1');
  const bytes = readFileSync(path);
  bytes[32 + 13 * 4]! ^= 0xff;
  writeFileSync(path, bytes);
  const reopened = StatCache.open(directory, later);
  assert.equal(reopened.size, 3);
  assert.notEqual((await summary(fixture, { memory: only(reopened) }, 'd')).digest, first.digest);
  assert.equal((await summary(fixture, {}, 'd')).digest, first.digest);
});

test('a changed file is read again even if size and mtime are as before', async (t) => {
  const fixture = new Fixture(t, { 'd/a': { text: 'old', mtime: 1000 } });
  const cache = StatCache.open(cacheDirectory(t), later);
  const first = await digest(fixture, {}, { memory: only(cache) });
  writeFileSync(join(fixture.context, 'd/a'), 'new');
  utimesSync(join(fixture.context, 'd/a'), 1000, 1000);
  const second = await digest(fixture, {}, { memory: only(cache) });
  assert.notEqual(second, first);
  assert.equal(second, await digest(fixture, {}));
});

test('changed attributes and modes are seen through the cache', async (t) => {
  const fixture = new Fixture(t, BASE);
  const cache = StatCache.open(cacheDirectory(t), later);
  await digest(fixture, {}, { memory: only(cache) });
  lsetxattr(join(fixture.context, 'd/a'), 'user.x', Buffer.from('1'));
  chmodSync(join(fixture.context, 'd/b'), 0o640);
  assert.equal(await digest(fixture, {}, { memory: only(cache) }), await digest(fixture, {}));
  assert.equal(await digest(fixture, {}, { memory: only(cache) }), await digest(fixture, {}));
});

test('files changed within the last two seconds are not remembered', async (t) => {
  const fixture = new Fixture(t, BASE);
  const cache = StatCache.open(cacheDirectory(t));
  await digest(fixture, {}, { memory: only(cache) });
  assert.equal(cache.size, 0);
});

test('a copy fills the cache as well', async (t) => {
  const fixture = new Fixture(t, BASE);
  const cache = StatCache.open(cacheDirectory(t), later);
  const copied = await fixture.copy('d', '/t', { digest: true, cache });
  assert.equal(cache.size, 3);
  assert.equal((await summary(fixture, { ...OWNER, memory: only(cache) }, 'd')).digest, copied.digest);
});

test('a damaged or foreign cache file is an empty cache', async (t) => {
  const directory = cacheDirectory(t);
  for (const content of [Buffer.alloc(0), Buffer.from('rubbish'), Buffer.alloc(4096, 1)]) {
    writeFileSync(join(directory, 'stat-cache-v1'), content);
    assert.equal(StatCache.open(directory).size, 0);
  }
  const fixture = new Fixture(t, BASE);
  const cache = StatCache.open(directory, later);
  await digest(fixture, {}, { memory: only(cache) });
  cache.save();
  const whole = readFileSync(join(directory, 'stat-cache-v1'));
  writeFileSync(join(directory, 'stat-cache-v1'), whole.subarray(0, whole.length - 1));
  assert.equal(StatCache.open(directory).size, 0);
});

test('entries unused for a month are dropped, used ones kept', async (t) => {
  const directory = cacheDirectory(t);
  const fixture = new Fixture(t, BASE);
  const day = 86_400_000;
  const at = (days: number): StatCache => StatCache.open(directory, { now: () => Date.now() + days * day });
  const first = at(1);
  await digest(fixture, {}, { memory: only(first) });
  first.save();
  const second = at(20);
  await digest(fixture, {}, { memory: only(second) }, 'd/s');
  second.save();
  const third = at(45);
  await digest(fixture, {}, { memory: only(third) }, 'd/s');
  third.save();
  assert.equal(at(45).size, 1);
});

test('thousands of entries are found again', (t) => {
  const cache = StatCache.open(cacheDirectory(t));
  const time = { seconds: 1000, nanoseconds: 1 };
  const stat = (i: number) => ({
    dev: '8:1',
    ino: (BigInt(i) * 0x100000001n).toString(),
    size: i,
    mtime: time,
    ctime: time,
    mode: 0,
    uid: 0,
    gid: 0,
    nlink: 1,
    rdevMajor: 0,
    rdevMinor: 0,
    blocks: 0,
  });
  const sha = (i: number): string => i.toString(16).padStart(64, '0');
  for (let i = 0; i < 5000; i++) cache.remember(stat(i), { sha256: sha(i), hasXattrs: i % 2 === 0 });
  for (let i = 0; i < 5000; i++) assert.deepEqual(cache.lookup(stat(i)), { sha256: sha(i), hasXattrs: i % 2 === 0 });
  assert.equal(cache.lookup(stat(5001)), undefined);
  assert.equal(cache.lookup({ ...stat(7), ctime: { seconds: 1000, nanoseconds: 2 } }), undefined);
});

/** Whether the digest came from the memory of trees: nothing was gone through, so there are no records. */
async function isRemembered(
  fixture: Fixture,
  directory: string,
  o: DigestOptions & { now?: () => number } = {},
): Promise<boolean> {
  const memory = new FileMemory(directory, o.now ?? later.now);
  const records = o.records ?? { has: () => true };
  const found = await summary(fixture, { ...o, memory, records }, 'd');
  memory.save();
  const { digest: fresh, files, bytes } = await summary(fixture, o.preserveOwnership === true ? { ...o } : {}, 'd');
  assert.deepEqual([found.digest, found.files, found.bytes], [fresh, files, bytes]);
  return found.records === undefined;
}

test('a tree nobody touched is known as a whole', async (t) => {
  const directory = cacheDirectory(t);
  const fixture = new Fixture(t, { ...BASE, 'd/h': '= d/a' });
  const known = (o?: Parameters<typeof isRemembered>[2]) => isRemembered(fixture, directory, o);
  assert.equal(await known(), false);
  assert.equal(await known(), true);
  assert.equal(await known({ preserveOwnership: true }), false, 'whose files they are counts then');
  assert.equal(await known({ records: { has: () => false } }), false, 'somebody wants to know what is in it');
  const at = (path: string): string => join(fixture.context, path);
  const changes: readonly [string, () => void][] = [
    ['content of the same size and time', () => writeFileSync(at('d/s/c'), 'c')],
    ['a mode', () => chmodSync(at('d/b'), 0o640)],
    ['the mode of a directory', () => chmodSync(at('d/s'), 0o711)],
    ['an attribute', () => lsetxattr(at('d/s/c'), 'user.x', Buffer.from('1'))],
    ['a name', () => renameSync(at('d/b'), at('d/bb'))],
    ['a new file', () => writeFileSync(at('d/s/new'), '')],
    ['a file that is gone', () => rmSync(at('d/s/new'))],
    [
      'a link in the place of a file',
      () => {
        rmSync(at('d/bb'));
        symlinkSync('s/c', at('d/bb'));
      },
    ],
    ['another hard link', () => linkSync(at('d/s/c'), at('d/s/z'))],
  ];
  for (const [what, change] of changes) {
    change();
    assert.equal(await known(), false, what);
    assert.equal(await known(), true, what);
  }
});

test('a tree in which something was changed just now is not remembered', async (t) => {
  const directory = cacheDirectory(t);
  const fixture = new Fixture(t, BASE);
  assert.equal(await isRemembered(fixture, directory, { now: Date.now }), false);
  assert.equal(await isRemembered(fixture, directory, { now: Date.now }), false);
});

test('a damaged or foreign memory of trees is an empty one', async (t) => {
  const directory = cacheDirectory(t);
  const fixture = new Fixture(t, BASE);
  await isRemembered(fixture, directory);
  const file = join(directory, 'trees-v1.json');
  const whole = readFileSync(file, 'utf8');
  const [fingerprint] = Object.keys(JSON.parse(whole) as object);
  assert.notEqual(new TreeMemory(directory).lookup(fingerprint!), undefined);
  for (const bad of [
    '',
    '[',
    '[]',
    'null',
    whole.slice(0, -2),
    whole.replace('sha256:', 'sha1:'),
    `{"${fingerprint}":1}`,
  ]) {
    writeFileSync(file, bad);
    assert.equal(new TreeMemory(directory).lookup(fingerprint!), undefined, bad);
  }
});

test('of the trees that are remembered the latest used are kept', (t) => {
  const directory = cacheDirectory(t);
  const tree = { digest: digestOf('x'), files: 1, bytes: 1 };
  const memory = new TreeMemory(directory);
  for (let i = 0; i < 256; i++) memory.remember(`t${i}`, tree);
  memory.lookup('t0');
  memory.remember('new', tree);
  memory.save();
  const reopened = new TreeMemory(directory);
  assert.deepEqual(
    ['t0', 't1', 't2', 'new'].map((name) => reopened.lookup(name) !== undefined),
    [true, false, true, true],
  );
});
