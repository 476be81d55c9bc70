import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { copyImage } from '../../../src/image/copy.ts';
import { openTransport } from '../../../src/image/transport/open-transport.ts';
import { isBuilderError } from '../../../src/report/builder-error.ts';
import { FakeDockerDaemon } from '../../support/fake-docker-daemon.ts';
import { sampleImage, storeImage } from '../../support/sample-image.ts';

const work = mkdtempSync(join(tmpdir(), 'slipway-docker-daemon-'));
after(() => rmSync(work, { recursive: true, force: true }));

const image = sampleImage({ format: 'docker', isCompressed: false });
const daemonPlace = (env: Record<string, string>, location: string, access: 'read' | 'write') =>
  openTransport('docker-daemon', location, access, { registry: { env } });

async function load(env: Record<string, string>, location = 'app:1'): Promise<void> {
  await using to = await daemonPlace(env, location, 'write');
  await storeImage(image, to, '');
}

describe('docker-daemon:', () => {
  it('loads what docker save would have written, under the full name', async () => {
    await using daemon = await FakeDockerDaemon.start();
    await load(daemon.env);
    assert.deepEqual(daemon.requests, ['POST /images/load?quiet=1']);
    const file = join(work, 'loaded.tar');
    writeFileSync(file, daemon.loaded[0]!);
    await using archive = await openTransport('docker-archive', `${file}:docker.io/library/app:1`, 'read');
    assert.equal((await archive.resolve('')).digest, image.descriptor.digest);
  });

  it('reads an image by name and by id, and knows its name', async () => {
    await using daemon = await FakeDockerDaemon.start();
    await load(daemon.env);
    const archive = daemon.loaded[0]!;
    const id = image.manifest.config.digest;
    daemon.images.set('docker.io/library/app:1', archive).set(id, archive);
    for (const [location, name] of [
      ['app:1', 'docker.io/library/app:1'],
      [id, ''],
    ] as const) {
      await using from = await daemonPlace(daemon.env, location, 'read');
      await using to = await openTransport('dir', join(work, `read-${name === ''}`), 'write');
      assert.equal((await copyImage(from, '', to, '')).digest, image.descriptor.digest);
      assert.equal(from.imageName, name);
    }
  });

  it('a failure that comes after the status is a failure', async () => {
    await using daemon = await FakeDockerDaemon.start();
    daemon.loadError = 'no space left on device';
    await assert.rejects(
      load(daemon.env),
      (error) => isBuilderError(error, 'transport.failed') && error.message.endsWith('no space left on device'),
    );
  });

  it('an unknown image, an id as destination and an address of another kind are refused by name', async () => {
    await using daemon = await FakeDockerDaemon.start();
    const read = (env: Record<string, string>, location: string, access: 'read' | 'write' = 'read') =>
      daemonPlace(env, location, access);
    await assert.rejects(read(daemon.env, 'nosuch'), (error) => isBuilderError(error, 'image.not-known'));
    await assert.rejects(read(daemon.env, image.manifest.config.digest, 'write'), (error) =>
      isBuilderError(error, 'reference.invalid'),
    );
    await assert.rejects(read({ DOCKER_HOST: 'ssh://me@there' }, 'app'), (error) =>
      isBuilderError(error, 'transport.unsupported'),
    );
    await assert.rejects(read({ DOCKER_HOST: `unix://${join(work, 'nobody')}` }, 'app'), (error) =>
      isBuilderError(error, 'transport.failed'),
    );
  });

  it('nothing is loaded when the copy fails on its way', async () => {
    await using daemon = await FakeDockerDaemon.start();
    await assert.rejects(async () => {
      await using to = await daemonPlace(daemon.env, 'app:1', 'write');
      await to.push(
        image.manifest.config,
        (async function* () {
          yield readFileSync('/dev/null');
        })(),
      );
    });
    assert.deepEqual(daemon.requests, []);
  });
});
