/** What every snapshot driver has to do. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { isBuilderError } from '../../src/report/builder-error.ts';
import { measureDiff } from '../../src/rootfs/measure-diff.ts';
import { removeTree } from '../../src/rootfs/remove-tree.ts';
import type { SnapshotId, Snapshotter } from '../../src/rootfs/snapshotter.ts';
import { type Driver, place, skipDriver, snapshotter } from './snapshot-place.ts';
import { describeTree } from './tree-description.ts';

const code = (expected: string) => (error: unknown) => isBuilderError(error) && error.code === expected;

/** Makes a sealed snapshot by running a shell script in it. */
export async function sealScript(
  snapshots: Snapshotter,
  key: string,
  parent: SnapshotId | undefined,
  script: string,
): Promise<SnapshotId> {
  await snapshots.prepare(key, parent);
  {
    await using mounted = await snapshots.mount(key);
    execFileSync('sh', ['-ec', script], { cwd: mounted.path });
  }
  return snapshots.seal(key);
}

export function snapshotterSuite(driver: Driver): void {
  describe(`snapshotter ${driver}`, { skip: skipDriver(driver) }, () => {
    it('an empty snapshot is a root directory of fixed look', async () => {
      const snapshots = snapshotter(driver);
      await snapshots.prepare('a', undefined);
      await using mounted = await snapshots.mount('a');
      assert.deepEqual(describeTree(mounted.path), { '': '40755 0:0 0.0' });
    });

    it('the view of nothing is an empty directory', async () => {
      await using view = await snapshotter(driver).view(undefined);
      assert.deepEqual(readdirSync(view.path), []);
    });

    it('a child shows its parent and its own changes, the parent stays as it was', async () => {
      const snapshots = snapshotter(driver);
      const parent = await sealScript(snapshots, 'a', undefined, 'echo 1 > one; mkdir d; echo x > d/x');
      const child = await sealScript(snapshots, 'b', parent, 'echo 2 > two; rm d/x; echo changed > one');
      await using before = await snapshots.view(parent);
      await using after = await snapshots.view(child);
      assert.deepEqual(readdirSync(before.path).sort(), ['d', 'one']);
      assert.deepEqual(readdirSync(after.path).sort(), ['d', 'one', 'two']);
      assert.equal(readFileSync(join(before.path, 'one'), 'utf8'), '1\n');
      assert.equal(readFileSync(join(after.path, 'one'), 'utf8'), 'changed\n');
      assert.equal(existsSync(join(after.path, 'd/x')), false);
      assert.equal(existsSync(join(before.path, 'd/x')), true);
    });

    it('the root directory keeps mode, owner and time through a child', async () => {
      const snapshots = snapshotter(driver);
      const parent = await sealScript(snapshots, 'a', undefined, 'chmod 0711 .; chown 3:4 .; touch -d @1234567.5 .');
      await snapshots.prepare('b', parent);
      await using mounted = await snapshots.mount('b');
      assert.deepEqual(describeTree(mounted.path), { '': '40711 3:4 1234567.500000000' });
    });

    it('mounts at a given directory', async () => {
      const snapshots = snapshotter(driver);
      const parent = await sealScript(snapshots, 'a', undefined, 'echo 1 > one');
      for (const [key, base] of [
        ['b', undefined],
        ['c', parent],
      ] as const) {
        await snapshots.prepare(key, base);
        const at = join(place(), 'at');
        mkdirSync(at);
        {
          await using mounted = await snapshots.mount(key, at);
          assert.equal(mounted.path, at);
          writeFileSync(join(at, 'new'), 'x');
          await mounted[Symbol.asyncDispose]();
        }
        assert.deepEqual(readdirSync(at), []);
        await using again = await snapshots.mount(key);
        assert.ok(existsSync(join(again.path, 'new')));
      }
    });

    it('an active snapshot keeps its changes between mounts and between openings of the store', async () => {
      const root = join(place(), 'store');
      const first = snapshotter(driver, root);
      const parent = await sealScript(first, 'a', undefined, 'echo 1 > one');
      await first.prepare('a key/with: odd,characters', parent);
      {
        await using mounted = await first.mount('a key/with: odd,characters');
        writeFileSync(join(mounted.path, 'two'), '2');
      }
      const second = snapshotter(driver, root);
      await using mounted = await second.mount('a key/with: odd,characters');
      assert.deepEqual(readdirSync(mounted.path).sort(), ['one', 'two']);
      assert.deepEqual(await second.list(), {
        sealed: new Map([[parent, undefined]]),
        active: new Map([['a key/with: odd,characters', parent]]),
      });
    });

    it('sealing moves, sealing with copy clones', async () => {
      const snapshots = snapshotter(driver);
      const parent = await sealScript(
        snapshots,
        'a',
        undefined,
        'mkdir d; echo 1 > d/one; echo 2 > d/two; ln d/one linked',
      );
      await snapshots.prepare('b', parent);
      await using mounted = await snapshots.mount('b');
      execFileSync(
        'sh',
        ['-ec', 'rm -r d; mkdir d; echo 3 > d/three; chmod 4755 d/three; ln d/three again; touch -d @77.25 d/three'],
        {
          cwd: mounted.path,
        },
      );
      const copy = await snapshots.seal('b', { copy: true });
      assert.equal(await snapshots.has({ key: 'b' }), true);
      {
        await using view = await snapshots.view(copy);
        assert.deepEqual(describeTree(view.path), describeTree(mounted.path));
        writeFileSync(join(mounted.path, 'later'), '');
        assert.equal(existsSync(join(view.path, 'later')), false);
      }
      await mounted[Symbol.asyncDispose]();
      const moved = await snapshots.seal('b');
      assert.equal(await snapshots.has({ key: 'b' }), false);
      assert.equal(await snapshots.parentOf({ id: moved }), parent);
      assert.equal(await snapshots.parentOf({ id: copy }), parent);
      await using view = await snapshots.view(moved);
      assert.ok(existsSync(join(view.path, 'later')));
    });

    it('unknown and existing names are told apart', async () => {
      const snapshots = snapshotter(driver);
      const unknown = 'zzzzzz' as SnapshotId;
      await assert.rejects(snapshots.prepare('x', unknown), code('snapshot.not-known'));
      assert.equal(await snapshots.has({ key: 'x' }), false);
      await assert.rejects(snapshots.mount('x'), code('snapshot.not-known'));
      await assert.rejects(snapshots.seal('x'), code('snapshot.not-known'));
      await assert.rejects(snapshots.view('../../etc' as SnapshotId), code('snapshot.not-known'));
      await snapshots.prepare('x', undefined);
      await assert.rejects(snapshots.prepare('x', undefined), code('snapshot.exists'));
    });

    it('removal is complete and tolerates what is gone', async () => {
      const root = join(place(), 'store');
      const snapshots = snapshotter(driver, root);
      const id = await sealScript(snapshots, 'a', undefined, 'mkdir -p d/e; touch d/e/f; chmod 0 d');
      await snapshots.prepare('b', id);
      await snapshots.flush();
      await snapshots.removeActive('b');
      await snapshots.removeActive('b');
      await snapshots.removeSealed(id);
      await snapshots.removeSealed(id);
      assert.deepEqual(await snapshots.list(), { sealed: new Map(), active: new Map() });
      for (const name of ['active', 'snapshots', 'tmp', 'mounts', 'l'])
        assert.deepEqual(readdirSync(join(root, name)), []);
    });

    it('a borrowed snapshot is one like others, and touches nothing where it is from', async () => {
      const lender = join(place(), 'lender');
      const there = snapshotter(driver, lender);
      const base = await sealScript(there, 'a', undefined, 'mkdir d; echo 1 > d/one; echo 2 > two');
      const below = await sealScript(there, 'b', base, 'rm -r d; echo 3 > two');
      const root = join(place(), 'store');
      const snapshots = snapshotter(driver, root);
      const placeOf = (id: SnapshotId) => join(lender, 'snapshots', id, 'fs');
      const parent = await snapshots.borrow('base', placeOf(base), undefined);
      const id = await snapshots.borrow('below', placeOf(below), parent);
      const own = await sealScript(snapshots, 'c', id, 'test ! -e d; cat two > three; rm two');
      {
        await using view = await snapshots.view(own);
        assert.deepEqual([readdirSync(view.path), readFileSync(join(view.path, 'three'), 'utf8')], [['three'], '3\n']);
      }
      const differs = async (one: Snapshotter, snapshot: SnapshotId) => {
        await using changes = await one.changes({ id: snapshot });
        return (await measureDiff(changes, {})).diffId;
      };
      assert.equal(await differs(snapshots, id), await differs(there, below));
      assert.deepEqual(await snapshots.diskUse({ id }), { bytes: 0, files: 0 });
      assert.deepEqual(
        await snapshots.borrowed(),
        new Map([
          ['base', parent],
          ['below', id],
        ]),
      );
      assert.deepEqual(await snapshots.problems(), []);
      await snapshots.prepare('d', parent);
      await snapshots.replace(id, 'd');
      {
        await using view = await snapshots.view(id);
        assert.deepEqual(readdirSync(view.path).sort(), ['d', 'two']);
      }
      assert.deepEqual(await snapshots.borrowed(), new Map([['base', parent]]));
      await snapshots.removeSealed(parent);
      assert.equal(readFileSync(join(placeOf(base), 'd/one'), 'utf8'), '1\n');
    });

    it('a borrowed snapshot is gone with the store it is from', async () => {
      const lender = join(place(), 'lender');
      const base = await sealScript(snapshotter(driver, lender), 'a', undefined, 'echo 1 > one');
      const snapshots = snapshotter(driver);
      const id = await snapshots.borrow('base', join(lender, 'snapshots', base, 'fs'), undefined);
      removeTree(lender);
      assert.deepEqual([await snapshots.has({ id }), (await snapshots.list()).sealed.size], [false, 0]);
      assert.deepEqual(await snapshots.problems(), [{ snapshot: { id }, what: 'record' }]);
      await assert.rejects(snapshots.prepare('b', id), code('snapshot.not-known'));
      await snapshots.removeSealed(id);
      assert.deepEqual(await snapshots.problems(), []);
    });

    it('opening sweeps what a killed process left', async () => {
      const root = join(place(), 'store');
      const id = await sealScript(snapshotter(driver, root), 'a', undefined, 'touch f');
      mkdirSync(join(root, 'tmp/half/fs/d'), { recursive: true });
      mkdirSync(join(root, 'mounts', 'dead', 'work', 'inner'), { recursive: true });
      execFileSync('ln', ['-s', '../snapshots/nothere/fs', join(root, 'l/aaaaaa')]);
      const snapshots = snapshotter(driver, root);
      for (const name of ['tmp', 'mounts']) assert.deepEqual(readdirSync(join(root, name)), []);
      assert.deepEqual(readdirSync(join(root, 'l')), [id]);
      assert.equal(await snapshots.has({ id }), true);
    });

    it('a mount in use survives the sweep of another opening', async () => {
      const root = join(place(), 'store');
      const snapshots = snapshotter(driver, root);
      const id = await sealScript(snapshots, 'a', undefined, 'touch f');
      await snapshots.prepare('b', id);
      await using mounted = await snapshots.mount('b');
      snapshotter(driver, root);
      writeFileSync(join(mounted.path, 'g'), 'x');
      assert.deepEqual(readdirSync(mounted.path).sort(), ['f', 'g']);
    });

    // On vfs each would be a whole copy, and nothing stacks.
    const itStacks = driver === 'overlay' ? it : () => {};
    itStacks('500 layers stack', async () => {
      const snapshots = snapshotter(driver);
      let parent = await sealScript(snapshots, 'x', undefined, 'touch bottom; chmod 711 .');
      for (let i = 1; i < 500; i++) {
        await snapshots.prepare('x', parent);
        parent = await snapshots.seal('x');
      }
      {
        await using view = await snapshots.view(parent);
        assert.deepEqual(readdirSync(view.path), ['bottom']);
        assert.equal(statSync(view.path).mode & 0o777, 0o711);
      }
      await snapshots.prepare('x', parent);
      const before = process.cwd();
      {
        await using mounted = await snapshots.mount('x');
        writeFileSync(join(mounted.path, 'top'), '');
        assert.deepEqual(readdirSync(mounted.path).sort(), ['bottom', 'top']);
      }
      assert.equal(process.cwd(), before);
      const tooMany = await snapshots.seal('x');
      await assert.rejects(snapshots.view(tooMany), code('driver.unavailable'));
    });

    it('a store whose path has characters that mean something to mount works', async () => {
      const snapshots = snapshotter(driver, join(place(), 'a:b,c\\d "e"', driver));
      const parent = await sealScript(snapshots, 'a', undefined, 'touch one');
      const child = await sealScript(snapshots, 'b', parent, 'touch two');
      await using view = await snapshots.view(child);
      assert.deepEqual(readdirSync(view.path).sort(), ['one', 'two']);
    });
  });
}
