/** Image stores that several roots share, containers that a reboot forgets, options of the driver. */
import assert from 'node:assert/strict';
import { lstatSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { accountsAndDrivers, isRoot, rootAccount } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { command, firstReason, missingPrograms } from '../support/command.ts';
import { busyboxMembers, writeEvilImage } from '../support/evil-image.ts';
import { file } from '../support/layer-tar.ts';
import { Rig } from '../support/rig.ts';
import { DRIVERS, type Driver } from '../support/snapshot-place.ts';

const scratch = mkdtempSync(join(tmpdir(), 'slipway-stores-'));
const BASE = `oci:${join(scratch, 'busybox')}:latest`;
const FOREIGN = `oci:${join(scratch, 'foreign')}:foreign`;

/** A rig whose commands all begin with `flags`. */
class Stores {
  readonly rig: Rig;
  readonly driver: Driver;

  constructor(rig: Rig, driver: Driver) {
    this.rig = rig;
    this.driver = driver;
  }

  get images(): string {
    return join(this.rig.folder, 'images');
  }

  /** Words of one of the roots that share the image store. */
  of(root: string): readonly string[] {
    return ['--root', join(this.rig.folder, root), '--imagestore', this.images];
  }

  /** Two such roots; the first pulled the base, and its container `work` holds a file `/made`. */
  sharing(): readonly [readonly string[], readonly string[]] {
    const [a, b] = [this.of('a'), this.of('b')];
    this.rig.run(...a, 'pull', '-q', BASE);
    this.rig.run(...a, 'from', '--name', 'work', 'localhost/latest');
    this.rig.run(...a, 'run', 'work', 'busybox', 'touch', '/made');
    return [a, b];
  }

  /** Keys of what containers write, below a store. */
  active(store: string): readonly string[] {
    return readdirSync(join(store, 'v1/rootfs', this.driver, 'active'));
  }
}

/** Every file of a store with its size and times, its temporary directories and locks aside. */
function treeOf(rig: Rig, store: string): readonly string[] {
  const words = [store, '-not', '-path', '*/tmp*', '-not', '-path', '*/locks*', '-printf', '%P %s %T@ %C@\n'];
  const program = rig.account.kind === 'root' ? [] : [rig.program, 'unshare'];
  const [first = 'find', ...rest] = [...program, 'find', ...words];
  return rig.command(first, rest).split('\n').sort();
}

describe('places of the store', {
  skip: firstReason(staticBusybox() === undefined && 'not installed: a static busybox'),
}, () => {
  before(() => {
    makeBusyboxBase(join(scratch, 'busybox'));
    writeEvilImage(join(scratch, 'foreign'), 'foreign', {
      layers: [[...busyboxMembers(), file('theirs', 'x', { uid: 1234, gid: 4321 })]],
    });
    command('chmod', ['-R', 'u=rwX,go=rX', scratch]);
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  for (const { name, account, drivers } of accountsAndDrivers()) {
    for (const driver of drivers) {
      const skip = typeof account === 'string' && account;
      const withRig = async (act: (stores: Stores) => void) => {
        if (typeof account === 'string') return;
        await using rig = await Rig.open({ account, driver });
        act(new Stores(rig, driver));
      };

      describe(`on ${driver} as ${name}`, { skip }, () => {
        it('an image store serves two roots, each with containers of its own', () =>
          withRig((stores) => {
            const { rig } = stores;
            const [a, b] = stores.sharing();
            assert.equal(rig.run(...b, 'images', '--format', '{{.Name}}'), 'localhost/latest');
            assert.equal(rig.run(...b, 'containers', '-q'), '');
            assert.equal(rig.run('images', '-q'), '');
            assert.match(rig.try([...b, 'rmi', 'latest']).stderr, /image is in use by a container/);
            assert.equal(rig.run(...b, 'from', '--name', 'work', 'latest'), 'work');
            rig.run(...b, 'rm', 'work');
            assert.equal(rig.run(...a, 'run', 'work', 'busybox', 'ls', '/made'), '/made');
            const id = rig.run(...a, 'commit', '-q', 'work', 'result');
            assert.equal(rig.run(...b, 'images', '-q', '--no-trunc', 'result'), `sha256:${id}`);
            assert.deepEqual(readdirSync(join(rig.folder, 'a/v1')), ['on']);
          }));

        it('removing in one root leaves what the containers of another stand on', () =>
          withRig((stores) => {
            const { rig } = stores;
            const [a, b] = stores.sharing();
            rig.run(...b, 'rmi', '--force', 'latest');
            rig.run(...b, 'system', 'prune', '--all', '--force');
            assert.equal(rig.run(...b, 'images', '-q'), '');
            assert.equal(rig.run(...a, 'run', 'work', 'busybox', 'ls', '/made'), '/made');
            const id = rig.run(...a, 'commit', '-q', 'work', 'result');
            assert.match(rig.run(...b, 'run', rig.run(...b, 'from', id), 'busybox', 'ls', '/made'), /made/);
            assert.equal(rig.try([...b, 'system', 'check', '--read-data', '--repair']).status, 0);
            assert.equal(rig.run(...a, 'run', 'work', 'busybox', 'ls', '/made'), '/made');
          }));

        it('a root that has vanished is no user any more', () =>
          withRig((stores) => {
            const { rig } = stores;
            const [a, b] = [stores.of('a'), stores.of('b')];
            rig.run(...a, 'pull', '-q', BASE);
            rig.run(...a, 'from', '--name', 'work', 'localhost/latest');
            rig.run(...b, 'from', '--name', 'stays', 'localhost/latest');
            assert.equal(stores.active(stores.images).length, 2);
            rmSync(join(rig.folder, 'a'), { recursive: true });
            assert.equal(rig.run(...b, 'containers', '--format', '{{.ContainerName}}'), 'stays');
            assert.equal(stores.active(stores.images).length, 2);
            rig.run(...b, 'system', 'prune', '--force');
            assert.equal(stores.active(stores.images).length, 1);
            assert.equal(rig.run(...b, 'run', 'stays', 'busybox', 'echo', 'here'), 'here');
            assert.deepEqual(readdirSync(join(stores.images, 'v1/users')).length, 1);
          }));

        it('the image store cannot be the root itself', () =>
          withRig(({ rig }) => {
            const result = rig.try(['--imagestore', join(rig.folder, 'root'), 'images']);
            assert.equal(result.status, 125);
            assert.match(result.stderr, /is the root of the store itself/);
          }));

        it('containers of a transient store go with the run root, images stay', () =>
          withRig((stores) => {
            const { rig } = stores;
            const root = join(rig.folder, 'root');
            rig.run('pull', '-q', BASE);
            rig.run('from', '--name', 'lasting', 'localhost/latest');
            rig.run('--transient-store', 'from', '--name', 'passing', 'localhost/latest');
            rig.run('--transient-store', 'run', 'passing', 'busybox', 'touch', '/made');
            const names = (...flags: readonly string[]) =>
              rig.run(...flags, 'containers', '--format', '{{.ContainerName}}');
            assert.deepEqual([names(), names('--transient-store')], ['lasting', 'passing']);
            rig.run('system', 'prune', '--all', '--force');
            assert.equal(rig.run('--transient-store', 'run', 'passing', 'busybox', 'ls', '/made'), '/made');
            assert.equal(stores.active(root).length, 2);
            rmSync(join(rig.folder, 'runroot'), { recursive: true });
            assert.deepEqual([names('--transient-store'), names()], ['', 'lasting']);
            assert.equal(stores.active(root).length, 1);
            assert.equal(rig.run('images', '--format', '{{.Name}}'), 'localhost/latest');
          }));

        it('images of a store that is only read are used where they are', () =>
          withRig((stores) => {
            const { rig } = stores;
            const shared = join(rig.folder, 'shared');
            rig.run('--root', shared, 'pull', '-q', BASE);
            const made = rig.run('--root', shared, 'from', 'localhost/latest');
            rig.run('--root', shared, 'run', made, 'busybox', 'sh', '-c', 'rm /bin/true; echo x > /note');
            const id = rig.run('--root', shared, 'commit', '-q', made, 'noted');
            const before = treeOf(rig, shared);
            const with_ = ['--storage-opt', `.imagestore=${shared}`];
            const listed = rig
              .run(...with_, 'images', '--format', '{{.Name}}={{.ReadOnly}}')
              .split('\n')
              .sort();
            assert.deepEqual(listed, ['localhost/latest=true', 'localhost/noted=true']);
            assert.equal(rig.run(...with_, 'from', '--pull-never', '--name', 'work', 'noted'), 'work');
            const script = 'cat /note; ls /bin/true 2>/dev/null; echo y >> /note; rm /bin/false';
            assert.equal(rig.run(...with_, 'run', 'work', 'busybox', 'sh', '-c', `${script}`), 'x');
            const own = rig.run(...with_, 'commit', '-q', 'work', 'own');
            const layout = `oci:${join(rig.folder, 'work', 'out')}:own`;
            rig.run(...with_, 'push', '-q', 'own', layout);
            rig.run('--root', join(rig.folder, 'third'), 'pull', '-q', layout);
            assert.equal(rig.run('--root', join(rig.folder, 'third'), 'images', '-q', '--no-trunc'), `sha256:${own}`);
            const blobs = join(rig.folder, 'root/v1/blobs/sha256');
            const layers = readdirSync(blobs).filter((name) => lstatSync(join(blobs, name)).isSymbolicLink());
            assert.ok(layers.length >= 3, 'blobs are links');
            const refused = rig.try([...with_, 'rmi', 'latest']);
            assert.match(refused.stderr, /cannot remove the image localhost\/latest:latest: it is of the store/);
            rig.run(...with_, 'tag', 'latest', 'mine');
            rig.run(...with_, 'rmi', 'mine');
            rig.run(...with_, 'rmi', '--force', 'own');
            rig.run(...with_, 'system', 'prune', '--all', '--force');
            assert.deepEqual(
              rig
                .run(...with_, 'images', '--format', '{{.Name}}')
                .split('\n')
                .sort(),
              ['localhost/latest', 'localhost/noted'],
            );
            assert.equal(rig.run(...with_, 'inspect', '--type', 'image', '--format', '{{.FromImageID}}', 'noted'), id);
            assert.equal(rig.try([...with_, 'system', 'check', '--read-data']).status, 0);
            assert.deepEqual(treeOf(rig, shared), before);
            rig.run('--root', shared, 'tag', 'latest', 'later');
            rig.run('--root', shared, 'rmi', 'noted');
            const now = rig
              .run(...with_, 'images', '--format', '{{.Name}}')
              .split('\n')
              .sort();
            assert.deepEqual(now, ['localhost/later', 'localhost/latest']);
            assert.equal(rig.run('images', '-q'), '');
            const itself = rig.try(['--storage-opt', `.imagestore=${rig.folder}/root`, 'images']);
            assert.match(itself.stderr, /is the store itself/);
            rig.run('system', 'prune', '--force');
            assert.equal(readdirSync(blobs).length, 3, 'manifest, config and layer of the image of a container');
            rig.run('rm', '--all');
            rig.run('system', 'prune', '--force');
            assert.deepEqual(readdirSync(blobs), []);
          }));

        it('what a store lent is pulled again when that store is gone', () =>
          withRig((stores) => {
            const { rig } = stores;
            const shared = join(rig.folder, 'shared');
            rig.run('--root', shared, 'pull', '-q', BASE);
            const with_ = ['--storage-opt', `imagestore=${shared}`];
            rig.run(...with_, 'pull', '-q', '--policy', 'always', BASE);
            rig.run(...with_, 'from', 'localhost/latest');
            if (rig.account.kind === 'root') rmSync(shared, { recursive: true });
            else rig.run('unshare', 'rm', '-rf', shared);
            assert.match(
              rig.try([...with_, 'images']).stderr,
              /there is no store in .*shared whose images could be used/,
            );
            rig.run('rm', '--all');
            rig.run('pull', '-q', '--policy', 'always', BASE);
            assert.equal(rig.run('run', rig.run('from', 'localhost/latest'), 'busybox', 'echo', 'again'), 'again');
            rig.run('system', 'prune', '--force');
            assert.equal(rig.try(['system', 'check', '--read-data']).status, 0);
          }));

        it('a container of either is mounted where its files are', () =>
          withRig((stores) => {
            const { rig } = stores;
            for (const flags of [stores.of('a'), ['--transient-store']]) {
              rig.run(...flags, 'pull', '-q', BASE);
              rig.run(...flags, 'from', '--name', 'work', 'localhost/latest');
              const slipway = [rig.program, ...rig.storeFlags, ...flags].map((word) => `'${word}'`).join(' ');
              const script = `set -e; m=$(${slipway} mount work); ls $m/bin/busybox; echo x > $m/note; ${slipway} umount work`;
              const shell = rig.account.kind === 'root' ? ['sh'] : [rig.program, 'unshare', 'sh'];
              assert.match(rig.command(shell[0]!, [...shell.slice(1), '-c', script]), /bin\/busybox/);
              assert.equal(rig.run(...flags, 'run', 'work', 'busybox', 'cat', '/note'), 'x');
              rig.run(...flags, 'rm', 'work');
            }
          }));

        it('storage.conf names an image store and the kind of store', () =>
          withRig((stores) => {
            const { rig } = stores;
            const conf = join(rig.makeFolder('conf'), 'storage.conf');
            const text = `[storage]\nimagestore = "${rig.folder}/elsewhere"\ntransient_store = true\n`;
            writeFileSync(conf, text, { mode: 0o644 });
            rig.give(conf);
            const env = { ...rig.env, CONTAINERS_STORAGE_CONF: conf };
            const info = (...flags: readonly string[]) => {
              const format = '{{.store.ImageStore.root}} {{.store.TransientStore}}';
              return rig.must([...flags, 'info', '--format', format], { env }).stdout.trim();
            };
            assert.equal(info(), `${rig.folder}/elsewhere/slipway true`);
            assert.equal(info('--imagestore', '', '--transient-store=false'), '<no value> <no value>');
          }));
      });
    }

    describe(`options of the driver as ${name}`, { skip: typeof account === 'string' && account }, () => {
      it('mounts of containers carry what they are told', async () => {
        if (typeof account === 'string') return;
        await using rig = await Rig.open({ account, driver: 'overlay' });
        const nosuid = ['--storage-opt', '"overlay.mountopt=nodev,nosuid"'];
        rig.run('pull', '-q', BASE);
        rig.run('from', '--name', 'work', 'localhost/latest');
        rig.run('from', '--name', 'empty', 'scratch');
        const root = (flags: readonly string[], container: string, o = {}) => {
          if (container === 'empty') rig.run('copy', 'empty', staticBusybox()!, '/bin/busybox');
          const words = [...flags, 'run', container, '/bin/busybox', 'grep', ' / / ', '/proc/self/mountinfo'];
          return rig.must(words, o).stdout.split(' ')[5]!.split(',');
        };
        assert.ok(['nodev', 'nosuid'].every((flag) => root(nosuid, 'work').includes(flag)));
        assert.ok(!root([], 'work').includes('nosuid'));
        const env = { ...rig.env, STORAGE_OPTS: 'overlay.mountopt=nosuid' };
        assert.ok(root([], 'work', { env }).includes('nosuid'));
        assert.equal(
          rig.run('--storage-opt', 'overlay.mountopt=nodev', 'info', '--format', '{{.store.GraphOptions}}'),
          '[overlay.mountopt=nodev]',
        );
        const refused = rig.try(['--storage-opt', 'overlay.mount_program=/bin/true', 'images']);
        assert.deepEqual([refused.status, refused.stdout], [125, '']);
        assert.match(
          refused.stderr,
          /"overlay.mount_program=\/bin\/true" is not supported: the kernel mounts overlays/,
        );
      });
    });
  }

  it('files of owners that the user namespace does not have can be taken in', {
    skip: firstReason(!isRoot && 'the tests do not run as root', missingPrograms('unshare')),
  }, async () => {
    const account = rootAccount();
    if (account === undefined) return;
    for (const driver of DRIVERS) {
      await using rig = await Rig.open({ account, driver });
      const alone = (...words: readonly string[]) => {
        const line = ['--user', '--map-root-user', rig.program, ...rig.storeFlags, ...words];
        return () => rig.command('unshare', line);
      };
      assert.throws(alone('from', '--name', 'work', FOREIGN), /this user namespace maps only/);
      const ignoring = ['--storage-opt', 'ignore_chown_errors=true'];
      alone(...ignoring, 'from', '--name', 'work', FOREIGN)();
      assert.match(alone('run', 'work', 'ls', '-n', '/theirs')(), / 0 +0 /);
      alone(...ignoring, 'system', 'check', '--read-data')();
    }
  });
});
