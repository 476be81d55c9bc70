/** `inspect --layers` on images built, pulled and unpacked, on both drivers, as root and as an ordinary user. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { ImageInsight } from '../../src/index.ts';
import { accountsAndDrivers } from '../support/account.ts';
import { makeBusyboxBase, staticBusybox } from '../support/base-images.ts';
import { firstReason } from '../support/command.ts';
import { Rig } from '../support/rig.ts';

const skip = firstReason(staticBusybox() === undefined && 'not installed: a static busybox');

const DOCKERFILE = `FROM oci:BASE
COPY tree /srv/
RUN echo more >> /srv/small && mv /srv/big /srv/bigger && mkdir /srv/sub && ln /srv/keep /srv/sub/second
RUN rm -r /srv/dir && rm /srv/keep && chmod 600 /srv/bigger
`;

const facts = ({ layers }: ImageInsight) =>
  layers.slice(1).map((layer) => [layer.contentBytes, layer.added, layer.changed, layer.removed, layer.wastedBytes]);

/** Content, added, changed (the folder with the files, too), removed, wasted: of the COPY and of the two RUNs. */
const EXPECTED = [
  [1_001_160, 7, 0, 0, 1_001_110],
  [1_000_015, 3, 2, 1, 1_000_000],
  [1_000_000, 0, 2, 4, 0],
];

describe('inspect --layers', { skip }, () => {
  for (const { name, account, drivers } of accountsAndDrivers()) {
    for (const driver of drivers) {
      it(`says the same of an image built and of it pulled, as ${name} on ${driver}`, {
        skip: typeof account === 'string' && account,
      }, async () => {
        if (typeof account === 'string') return;
        await using rig = await Rig.open({ account, driver });
        const work = rig.makeFolder('work');
        makeBusyboxBase(join(work, 'base'));
        const tree = join(work, 'context/tree');
        mkdirSync(join(tree, 'dir'), { recursive: true });
        for (const [path, size] of Object.entries({ big: 1e6, small: 10, keep: 50, 'dir/a': 1000, 'dir/b': 100 })) {
          writeFileSync(join(tree, path), 'x'.repeat(size));
        }
        writeFileSync(join(work, 'context/Dockerfile'), DOCKERFILE.replace('BASE', join(work, 'base')));
        rig.give(work);
        rig.run('build', '--layers', '-q', '-t', 'app', join(work, 'context'));

        const built = JSON.parse(rig.run('inspect', '--layers', '--json', 'app')) as ImageInsight;
        assert.deepEqual(facts(built), EXPECTED);
        assert.equal(built.wastedBytes, 2_001_110);
        assert.equal(built.layers[2]!.createdBy?.startsWith('/bin/sh -c echo more'), true);
        assert.deepEqual(
          built.wasted.slice(0, 3).map(({ path, bytes, layer, how }) => [path, bytes, layer, how]),
          [
            ['srv/big', 1_000_000, 1, 'removed'],
            ['srv/bigger', 1_000_000, 2, 'overwritten'],
            ['srv/dir/a', 1000, 1, 'removed'],
          ],
        );

        rig.run('push', '-q', 'app', `oci:${join(work, 'out')}:app`);
        rig.run('rmi', '--all');
        const id = rig.run('pull', '-q', `oci:${join(work, 'out')}:app`);
        // Read from blobs: nothing of it is unpacked yet.
        const pulled = JSON.parse(rig.run('inspect', '--layers', '--json', id)) as ImageInsight;
        assert.deepEqual(facts(pulled), EXPECTED);
        assert.deepEqual(pulled.wasted, built.wasted);
        rig.run('rm', rig.run('from', id));
        const unpacked = JSON.parse(rig.run('inspect', '--layers', '--json', id)) as ImageInsight;
        assert.deepEqual(unpacked, pulled);
        assert.match(rig.run('inspect', '--layers', id), /, 2 MB wasted, efficiency \d/);
      });
    }
  }
});
