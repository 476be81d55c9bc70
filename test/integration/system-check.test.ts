/** Stores that are damaged on purpose, each in one way: the check finds it, and the repair loses nothing that is sound. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { StoreCheckReport } from '../../src/index.ts';
import { accountsAndDrivers } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { command, firstReason } from '../support/command.ts';
import { Rig } from '../support/rig.ts';

/** A store as files, with what was put into it. */
interface Place {
  readonly rig: Rig;
  readonly driver: 'overlay' | 'vfs';
  /** Below the format's directory. */
  readonly base: string;
  readonly built: string;
  readonly container: string;
}

interface Damaged {
  readonly title: string;
  readonly damage: (place: Place) => void;
  /** Kinds of what is found, each once. */
  readonly kinds: readonly string[];
  /** Only a check that reads everything finds it. */
  readonly readData?: true;
  /** Some of it stays: the image has to be pulled again. */
  readonly pullHelps?: true;
  readonly drivers?: readonly ('overlay' | 'vfs')[];
  /** Tried with every account and driver; the others as root on overlay, where there is one. */
  readonly everywhere?: true;
  readonly afterwards?: (place: Place) => void;
}

/** Digests of a stored image, from its config and its manifest. */
function documentsOf({ rig }: Place, image: string) {
  const json = JSON.parse(rig.run('inspect', '-t', 'image', image)) as { FromImageDigest: string; Manifest: string };
  const manifest = JSON.parse(json.Manifest) as { config: { digest: string }; layers: { digest: string }[] };
  return {
    manifest: json.FromImageDigest,
    config: manifest.config.digest,
    layers: manifest.layers.map((l) => l.digest),
  };
}
const blob = ({ base }: Place, digest: string): string => join(base, 'blobs/sha256', digest.replace('sha256:', ''));
const only = (folder: string, test: (name: string) => boolean = () => true): string =>
  join(folder, readdirSync(folder).find(test)!);

function flip(path: string, at = 100): void {
  const bytes = readFileSync(path);
  bytes[Math.min(at, bytes.length - 1)]! ^= 1;
  writeFileSync(path, bytes);
}
const cut = (path: string): void => truncateSync(path, 20);

/** Directory of the sealed snapshot that has this file of its own. */
function snapshotWith({ base, driver }: Place, file: string, without = '\0'): string {
  const folder = join(base, 'rootfs', driver, 'snapshots');
  const has = (id: string, name: string): boolean => existsSync(join(folder, id, 'fs', name));
  return only(folder, (id) => has(id, file) && !has(id, without));
}

const DAMAGES: readonly Damaged[] = [
  {
    title: 'a layer blob is missing',
    damage: (p) => rmSync(blob(p, documentsOf(p, 'localhost/latest').layers[0]!)),
    kinds: ['image'],
    pullHelps: true,
  },
  {
    title: 'a byte of a layer blob is another',
    everywhere: true,
    damage: (p) => flip(blob(p, documentsOf(p, 'localhost/latest').layers[0]!), 5000),
    kinds: ['blob', 'image'],
    readData: true,
    pullHelps: true,
  },
  {
    title: 'a layer blob is cut off',
    damage: (p) => cut(blob(p, documentsOf(p, 'localhost/latest').layers[0]!)),
    kinds: ['blob', 'image'],
    pullHelps: true,
  },
  {
    title: 'a config is missing',
    damage: (p) => rmSync(blob(p, documentsOf(p, 'localhost/latest').config)),
    kinds: ['image'],
  },
  {
    title: 'a byte of a manifest is another',
    damage: (p) => flip(blob(p, documentsOf(p, 'lone').manifest), 5),
    kinds: ['blob', 'image'],
  },
  {
    title: 'a file of a layer made here is another',
    everywhere: true,
    damage: (p) => flip(join(snapshotWith(p, 'lone'), 'fs/lone'), 1),
    kinds: ['snapshot', 'image'],
    readData: true,
    // It exists nowhere else.
    pullHelps: true,
  },
  {
    title: 'a file of an unpacked layer is another',
    damage: (p) => flip(join(snapshotWith(p, 'etc/passwd', 'made'), 'fs/etc/passwd'), 3),
    kinds: ['snapshot', 'container', 'image', 'step'],
    readData: true,
    drivers: ['overlay'],
    afterwards: ({ rig, container }) => assert.match(rig.run('run', container, 'cat', '/etc/passwd'), /^root:x:0:0/),
  },
  {
    title: 'the record of a snapshot is cut off',
    damage: (p) => cut(join(snapshotWith(p, 'etc/passwd', 'made'), 'record.json')),
    kinds: ['snapshot', 'container', 'image', 'step'],
    drivers: ['overlay'],
  },
  {
    title: 'the link of a snapshot is missing',
    damage: (p) => {
      const id = snapshotWith(p, 'etc/passwd', 'made').split('/').at(-1)!;
      rmSync(join(p.base, 'rootfs', p.driver, 'l', id));
    },
    kinds: ['snapshot', 'container', 'image', 'step'],
    drivers: ['overlay'],
  },
  {
    title: 'a snapshot is missing that others stand on',
    everywhere: true,
    damage: (p) => rmSync(snapshotWith(p, 'etc/passwd', 'made'), { recursive: true }),
    kinds: ['snapshot', 'container', 'image', 'step'],
    drivers: ['overlay'],
  },
  {
    title: 'the table of images is cut off',
    damage: ({ base }) => {
      const { length } = readFileSync(join(base, 'images.json'));
      truncateSync(join(base, 'images.json'), length - 30);
    },
    kinds: ['record'],
    afterwards: ({ rig }) => assert.equal(rig.run('images', '-q', '-a').split('\n').length, 3),
  },
  {
    title: 'what is known of layers is cut off',
    damage: ({ base }) => {
      for (const name of readdirSync(join(base, 'layers'))) cut(join(base, 'layers', name));
    },
    kinds: ['record'],
  },
  {
    title: 'what is known of layers is missing',
    damage: ({ base }) => {
      for (const name of readdirSync(join(base, 'layers'))) rmSync(join(base, 'layers', name));
    },
    kinds: ['record'],
  },
  {
    title: 'the record of a container is cut off',
    everywhere: true,
    damage: (p) => cut(join(only(join(p.base, 'containers')), 'record.json')),
    kinds: ['container'],
    afterwards: ({ rig }) => {
      const name = rig.run('containers', '--format', '{{.ContainerName}}').trim();
      assert.match(name, /^recovered-[0-9a-f]{12}$/);
      assert.equal(rig.run('run', name, 'cat', '/mine'), 'mine');
      rig.run('commit', '-q', name, 'rescued');
      rig.run('rm', name);
      const again = rig.run('from', '--name', 'work', '--pull-never', 'rescued');
      assert.equal(rig.run('run', again, 'cat', '/mine', '/made'), 'mine\nmade');
    },
  },
  {
    title: 'a remembered step is cut off',
    damage: ({ base }) => cut(only(join(base, 'steps'))),
    kinds: ['step'],
  },
  {
    title: 'the driver is not known any more',
    damage: ({ base }) => writeFileSync(join(base, 'driver.json'), '{"dri'),
    kinds: [],
  },
  {
    title: 'two images have one name, and one has a name that is none',
    damage: ({ base }) => {
      const table = JSON.parse(readFileSync(join(base, 'images.json'), 'utf8'));
      table.images[0].names.push(table.images[1].names[0], 'NO NAME\u001b[2J');
      writeFileSync(join(base, 'images.json'), JSON.stringify(table));
    },
    kinds: ['name'],
  },
];

describe('system check', {
  skip: firstReason(staticBusybox() === undefined && 'not installed: a static busybox'),
}, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slipway-check-'));
  const context = join(scratch, 'context');
  before(() => {
    makeBusyboxBase(join(scratch, 'busybox'));
    mkdirSync(context);
    writeFileSync(join(context, 'Dockerfile'), 'FROM localhost/latest\nRUN echo made > /made\n');
    writeFileSync(join(context, 'Lone'), 'FROM scratch\nCOPY Lone /lone\n');
    command('chmod', ['-R', 'u=rwX,go=rX', scratch]);
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  const check = ({ rig }: Place, ...words: string[]): StoreCheckReport & { readonly status: number } => {
    const { stdout, status, stderr } = rig.try(['system', 'check', '--json', ...words]);
    assert.doesNotMatch(stderr, /bug|at .*\.ts:/);
    assert.ok(stdout !== '', stderr);
    return { ...(JSON.parse(stdout) as StoreCheckReport), status: status! };
  };
  const pull = (rig: Rig): string => rig.run('pull', '-q', `oci:${join(scratch, 'busybox')}:latest`);

  for (const { name, account, drivers } of accountsAndDrivers()) {
    for (const driver of drivers) {
      describe(`as ${name}, ${driver}`, { skip: typeof account === 'string' && account }, () => {
        let rig: Rig;
        let place: Place;
        let copy: string;
        before(async () => {
          if (typeof account === 'string') return;
          rig = await Rig.open({ account, driver });
          pull(rig);
          const built = rig.run('build', '-q', '--layers', '-t', 'made', context);
          rig.run('build', '-q', '-f', join(context, 'Lone'), '-t', 'lone', context);
          const container = rig.run('from', '--name', 'work', '--pull-never', 'made');
          rig.run('run', container, 'sh', '-c', 'echo mine > /mine');
          place = { rig, driver, base: join(rig.folder, 'root/v1'), built, container };
          copy = join(rig.folder, 'copy');
          cp('-a', join(rig.folder, 'root'), copy);
        });
        after(() => rig?.[Symbol.asyncDispose]());
        /** As whoever owns the files. */
        const cp = (...words: string[]): void => {
          if (rig.account.kind === 'root') command('cp', words);
          else rig.run('unshare', 'cp', ...words);
        };
        const restore = (): void => {
          if (rig.account.kind === 'root') command('rm', ['-rf', join(rig.folder, 'root')]);
          else rig.must(['unshare', 'rm', '-rf', join(rig.folder, 'root')]);
          command('mkdir', ['-p', join(rig.folder, 'root')]);
          rig.give(join(rig.folder, 'root'));
          cp('-a', `${copy}/.`, join(rig.folder, 'root'));
        };

        it('finds nothing in a store nobody damaged', () => {
          const { damages, unreferenced, isSound, counts, status } = check(place, '--read-data');
          assert.deepEqual([damages, unreferenced, isSound, status], [[], [], true, 0]);
          assert.deepEqual([counts.images, counts.layers, counts.containers], [3, 3, 1]);
          assert.match(rig.run('system', 'check'), /^Checked 3 images, .*: no damage\.$/);
        });

        for (const { title, damage, kinds, readData, pullHelps, drivers, afterwards, everywhere } of DAMAGES) {
          if (drivers?.includes(driver) === false) continue;
          const isChosen =
            everywhere === true || (driver === 'overlay' && typeof account !== 'string' && account.kind === 'root');
          if (!isChosen) continue;
          it(`${title}: found, and mended as far as that goes`, () => {
            restore();
            damage(place);
            const words = readData === true ? ['--read-data'] : [];
            const found = check(place, ...words);
            const foundKinds = [...new Set(found.damages.map(({ kind }) => kind))].sort();
            assert.deepEqual(foundKinds, [...kinds].sort(), JSON.stringify(found.damages));
            assert.deepEqual([found.isSound, found.status], kinds.length === 0 ? [true, 0] : [false, 1]);
            // Looking changes nothing.
            const text = rig.try(['system', 'check', ...words]).stdout;
            assert.doesNotMatch(text, /\u001b/);
            assert.equal(text.split('\n').length - 2, found.damages.length);
            const repaired = check(place, '--repair', ...words);
            assert.equal(repaired.isSound, pullHelps !== true, JSON.stringify(repaired.damages, null, 1));
            assert.equal(repaired.status, pullHelps === true ? 1 : 0);
            if (pullHelps === true) {
              pull(rig);
              rig.run('build', '-q', '--no-cache', '-f', join(context, 'Lone'), '-t', 'lone', context);
              const again = check(place, '--repair', ...words);
              assert.deepEqual(
                again.damages.filter((d) => d.repaired === undefined),
                [],
              );
            }
            assert.deepEqual(check(place, '--read-data').damages, []);
            afterwards?.(place);
            // What was sound is there as it was.
            assert.equal(rig.run('images', '-q', '--no-trunc', 'made'), `sha256:${place.built}`);
            assert.equal(rig.run('run', 'work', 'cat', '/mine', '/made'), 'mine\nmade');
          });
        }

        it('what belongs to nothing is told, and removed by a repair', () => {
          restore();
          const snapshot = snapshotWith(place, 'lone');
          cp('-a', snapshot, join(snapshot, '..', 'orphan'));
          cp('-a', join(place.base, 'rootfs', driver, 'l'), join(rig.folder, 'links'));
          writeFileSync(blob(place, `sha256:${'0'.repeat(64)}`), 'nobody knows me');
          const { damages, unreferenced, status } = check(place);
          assert.deepEqual(
            [damages, status],
            [[{ kind: 'snapshot', subject: 'orphan', problem: 'the link it is mounted by is missing' }], 1],
          );
          assert.equal(unreferenced, undefined);
          const first = check(place, '--repair');
          assert.deepEqual(first.unreferenced?.toSorted(), [`blob sha256:${'0'.repeat(64)}`, 'snapshot orphan']);
          assert.equal(first.isSwept, true);
          assert.deepEqual([check(place).unreferenced, existsSync(join(snapshot, '..', 'orphan'))], [[], false]);
        });

        it('nothing is repaired beside another program', async () => {
          restore();
          const { layers } = documentsOf(place, 'localhost/latest');
          cut(blob(place, layers[0]!));
          const script = `exec ${process.execPath} -e 'setTimeout(() => {}, 20000)' 3<${join(place.base, 'locks/use')}`;
          const holder = rig.startProgram('flock', ['-s', join(place.base, 'locks/use'), 'sh', '-c', script]);
          try {
            for (let n = 0; n < 100; n++) {
              const { stderr, status } = rig.try(['system', 'check', '--repair']);
              assert.equal(status, 1);
              if (stderr.includes('another slipway has the store open')) return;
              restore();
              cut(blob(place, layers[0]!));
            }
            assert.fail('it was repaired each time');
          } finally {
            process.kill(-holder.pid!, 'SIGKILL');
          }
        });
      });
    }
  }
});
