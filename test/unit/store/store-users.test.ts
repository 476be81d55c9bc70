import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { isBuilderError } from '../../../src/report/builder-error.ts';
import { openStore, type Store } from '../../../src/store/store.ts';
import { storePaths } from '../../../src/store/store-paths.ts';

interface Named {
  readonly name: string;
}

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'slipway-users-')));
after(() => rmSync(folder, { recursive: true }));
const at = (...parts: readonly string[]) => join(folder, ...parts);

describe('where containers are kept', () => {
  const places = { root: '/r', runroot: '/run/r' };

  it('below the root, with everything else', () => {
    const { containers, containerLocks, locks, blobs } = storePaths(places);
    assert.deepEqual([containers, containerLocks, blobs], ['/r/v1/containers', locks, '/r/v1/blobs/sha256']);
  });

  it('each image store has its own below the root, and takes the rest', () => {
    const [one, two] = ['/i', '/j'].map((imageStore) => storePaths({ ...places, imageStore }));
    assert.match(one!.containers, /^\/r\/v1\/on\/[0-9a-f]{16}\/containers$/);
    assert.match(one!.containerLocks, /^\/r\/v1\/on\/[0-9a-f]{16}\/locks$/);
    assert.notEqual(one!.containers, two!.containers);
    const elsewhere = [one!.blobs, one!.images, one!.rootfs, one!.locks, one!.tmp, one!.steps, one!.mounts];
    assert.ok(elsewhere.every((path) => path.startsWith('/i/v1/')));
  });

  it('of a transient store below the run root, for each root and image store', () => {
    const of = (more: object) => storePaths({ ...places, isTransient: true, ...more });
    assert.match(of({}).containers, /^\/run\/r\/v1\/transient\/[0-9a-f]{16}\/containers$/);
    assert.equal(new Set([of({}), of({ root: '/s' }), of({ imageStore: '/i' })].map((p) => p.containers)).size, 3);
    assert.equal(of({}).blobs, storePaths(places).blobs);
  });
});

describe('users of a store', () => {
  const open = (root: string, more: object = {}): Promise<Store<Named, never>> =>
    openStore({ root: at(root), runroot: at('run', root), ...more });
  const names = (store: Store<Named, never>) =>
    store
      .everyContainer()
      .map(({ name }) => name)
      .sort();

  it('see the containers of all others before they remove anything', async () => {
    const imageStore = at('images');
    using plain = await open('images');
    using a = await open('a', { imageStore });
    using b = await open('b', { imageStore });
    using c = await open('a', { imageStore, isTransient: true });
    for (const [name, store] of Object.entries({ plain, a, b, c })) store.containers.put(name, { name });
    for (const store of [plain, a, b, c]) assert.deepEqual(names(store), ['a', 'b', 'c', 'plain']);
    assert.deepEqual(a.containers.list(), [{ name: 'a' }]);
    assert.ok(b.isContainer('a') && !b.isContainer('d'));
    assert.equal(plain.paths.locks, a.paths.locks);
  });

  it('are the same by whatever path they come', async () => {
    symlinkSync(at('images'), at('link'));
    using same = await open('a', { imageStore: at('link') });
    assert.deepEqual(same.containers.list(), [{ name: 'a' }]);
    assert.equal(readdirSync(same.paths.users).length, 3);
  });

  it('are none when their directory is gone, and transient ones are missed at once', async () => {
    rmSync(at('b'), { recursive: true });
    using a = await open('a', { imageStore: at('images') });
    assert.deepEqual([a.hasLostContainers, names(a)], [false, ['a', 'c', 'plain']]);
    rmSync(at('run'), { recursive: true });
    using again = await open('a', { imageStore: at('images'), isTransient: true });
    assert.deepEqual([again.hasLostContainers, names(again)], [true, ['a', 'plain']]);
    again.users.forgetVanished();
    assert.equal(readdirSync(again.paths.users).length, 2);
  });

  it('an image store that is the root is refused, however it is spelled', async () => {
    symlinkSync(at('a'), at('also-a'));
    await assert.rejects(open('a', { imageStore: at('also-a') }), (error) => isBuilderError(error, 'usage.invalid'));
  });

  it('records are not believed where others may write', async () => {
    mkdirSync(at('open'));
    chmodSync(at('open'), 0o777);
    const opening = openStore({ root: at('a'), runroot: at('open'), isTransient: true });
    await assert.rejects(opening, (error) => isBuilderError(error, 'sys.not-permitted'));
  });
});
