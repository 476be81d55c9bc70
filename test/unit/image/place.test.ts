import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, describe, it } from 'node:test';
import { copyBetween } from '../../../src/image/place/copy-between.ts';
import { deletePlaceImage } from '../../../src/image/place/delete-image.ts';
import { describeImage, rawDocument } from '../../../src/image/place/describe-image.ts';
import { listPlaceTags } from '../../../src/image/place/list-tags.ts';
import { openPlace, type PlaceOptions, parsePlace } from '../../../src/image/place/open-place.ts';
import { isBuilderError } from '../../../src/report/builder-error.ts';
import { MEDIA } from '../../../src/spec/media-type.ts';
import { parseManifest } from '../../../src/spec/schema.ts';
import { FakeDockerDaemon } from '../../support/fake-docker-daemon.ts';
import { FakeRegistry } from '../../support/fake-registry.ts';
import {
  bytesOf,
  descriptorOf,
  type SampleImage,
  sampleImage,
  storeImage,
  tinyTar,
} from '../../support/sample-image.ts';

const work = mkdtempSync(join(tmpdir(), 'slipway-place-'));
after(() => rmSync(work, { recursive: true, force: true }));

let count = 0;
const env = { CONTAINERS_POLICY_JSON: resolve('test/corpus/accepting-policy.json') };
const fresh = (): string => join(work, String(count++));

async function store(name: string, image: SampleImage, o: PlaceOptions): Promise<void> {
  await using place = await openPlace(parsePlace(name), 'write', o);
  await storeImage(image, place, '');
}

/** Where each transport puts an image of a test; the same text reads it again. */
function newPlaces(registry: FakeRegistry): Readonly<Record<string, () => string>> {
  return {
    docker: () => `docker://${registry.host}/team/app:t${count++}`,
    oci: () => `oci:${fresh()}:x`,
    'oci-archive': () => `oci-archive:${fresh()}.tar:x`,
    dir: () => `dir:${fresh()}`,
    'docker-archive': () => `docker-archive:${fresh()}.tar:example.com/app:1`,
    'docker-daemon': () => `docker-daemon:example.com/app:t${count++}`,
  };
}

/** What was loaded into the daemon can be read from it. */
function serve(daemon: FakeDockerDaemon, name: string): void {
  if (name.startsWith('docker-daemon:')) daemon.images.set(name.slice('docker-daemon:'.length), daemon.loaded.at(-1)!);
}

const KEEP_MANIFESTS = ['docker', 'oci', 'oci-archive', 'dir'];

describe('from every place to every other', () => {
  const image = sampleImage({ tars: [tinyTar('a'), tinyTar('b'), tinyTar('c')] });
  for (const source of ['docker', 'oci', 'oci-archive', 'dir', 'docker-archive', 'docker-daemon']) {
    it(`from ${source}:`, async () => {
      await using registry = await FakeRegistry.start();
      await using daemon = await FakeDockerDaemon.start();
      const o: PlaceOptions = { tlsVerify: false, env: { ...registry.plainEnv, ...daemon.env }, retryDelayMs: 1 };
      const places = newPlaces(registry);
      const from = places[source]!();
      await store(from, image, o);
      serve(daemon, from);
      for (const [transport, newPlace] of Object.entries(places)) {
        const keeps = KEEP_MANIFESTS.includes(source) && KEEP_MANIFESTS.includes(transport);
        const to = newPlace();
        const copied = await copyBetween(from, to, { ...o, preserveDigests: keeps });
        serve(daemon, to);
        if (keeps) assert.equal(copied.digest, image.descriptor.digest, `${from} to ${to}`);
        const config = await rawDocument(to, 'config', o);
        assert.deepEqual(Buffer.from(config), image.blobs.get(image.manifest.config), `${from} to ${to}`);
        if (KEEP_MANIFESTS.includes(transport)) {
          assert.equal((await describeImage(to, o)).Digest, copied.digest, `${from} to ${to}`);
        }
      }
    });
  }
});

describe('copying between places', () => {
  it('carries an index whole, or the one image asked for', async () => {
    await using registry = await FakeRegistry.start();
    const o: PlaceOptions = { tlsVerify: false, env: registry.plainEnv, retryDelayMs: 1 };
    const layout = `oci:${fresh()}:x`;
    const platforms = ['amd64', 'arm64'].map((architecture) => ({ os: 'linux', architecture }));
    const images = platforms.map((platform) => sampleImage({ platform }));
    const manifests = images.map((image, i) => ({ ...image.descriptor, platform: platforms[i]! }));
    const raw = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests }));
    const index = descriptorOf(raw, MEDIA.ociIndex);
    {
      await using place = await openPlace(parsePlace(layout), 'write');
      for (const image of images) await storeImage(image, place, image.descriptor.digest);
      await place.push(index, bytesOf(raw));
      await place.tag(index, 'x');
    }
    const whole = `docker://${registry.host}/app:all`;
    assert.equal(
      (await copyBetween(layout, whole, { ...o, platforms: 'all', preserveDigests: true })).digest,
      index.digest,
    );
    assert.deepEqual(Buffer.from(await rawDocument(whole, 'manifest', o)), raw);
    const arm = `dir:${fresh()}`;
    const copied = await copyBetween(whole, arm, { ...o, platforms: [platforms[1]!], preserveDigests: true });
    assert.equal(copied.digest, images[1]!.descriptor.digest);
    assert.equal((await describeImage(arm, { platform: platforms[1] })).Architecture, 'arm64');
  });

  it('compresses what is not compressed where registries and layouts are written, and again when forced', async () => {
    const plain = sampleImage({ isCompressed: false });
    const from = `dir:${fresh()}`;
    await store(from, plain, {});
    const types = async (name: string): Promise<readonly string[]> =>
      (await describeImage(name)).LayersData.map(({ MIMEType }) => MIMEType);
    const gzip = `oci:${fresh()}:x`;
    await copyBetween(from, gzip, { env });
    assert.deepEqual(await types(gzip), [MEDIA.ociLayerGzip, MEDIA.ociLayerGzip]);
    const kept = `oci:${fresh()}:x`;
    await copyBetween(gzip, kept, { env, compression: 'zstd' });
    assert.deepEqual(await types(kept), [MEDIA.ociLayerGzip, MEDIA.ociLayerGzip]);
    const zstd = `oci-archive:${fresh()}.tar:x`;
    await copyBetween(gzip, zstd, { env, compression: 'zstd', forceCompression: true });
    assert.deepEqual(await types(zstd), [MEDIA.ociLayerZstd, MEDIA.ociLayerZstd]);
    const back = `dir:${fresh()}`;
    await copyBetween(zstd, back, { env, compression: 'none' });
    const { value } = parseManifest(Buffer.from(await rawDocument(back, 'manifest')));
    assert.deepEqual(value, { ...plain.manifest });
  });

  it('refuses to change a manifest whose digest is to be preserved', async () => {
    const docker = `dir:${fresh()}`;
    await store(docker, sampleImage({ format: 'docker' }), {});
    const to = fresh();
    for (const place of [`oci:${to}:x`, `docker-archive:${to}.tar`]) {
      await assert.rejects(copyBetween(docker, place, { env, preserveDigests: true }), (error) =>
        isBuilderError(error, 'transport.unsupported'),
      );
    }
    await assert.rejects(copyBetween(docker, `dir:${to}`, { env, preserveDigests: true, format: 'oci' }), (error) =>
      isBuilderError(error, 'usage.invalid'),
    );
    await assert.rejects(copyBetween('alpine', `dir:${to}`, { env }), (error) =>
      isBuilderError(error, 'reference.invalid'),
    );
  });
});

describe('looking at places', () => {
  it('lists names and tags, and what holds one image is said to', async () => {
    await using registry = await FakeRegistry.start();
    const o: PlaceOptions = { tlsVerify: false, env: registry.plainEnv, retryDelayMs: 1 };
    const repository = `${registry.host}/app`;
    for (const tag of ['b', 'a']) await store(`docker://${repository}:${tag}`, sampleImage(), o);
    const listed = await listPlaceTags(`docker://${repository}`, o);
    assert.deepEqual({ ...listed, Tags: [...listed.Tags].sort() }, { Repository: repository, Tags: ['a', 'b'] });
    assert.deepEqual((await describeImage(`docker://${repository}:a`, o)).RepoTags, ['a', 'b']);
    assert.deepEqual((await describeImage(`docker://${repository}:a`, { ...o, withTags: false })).RepoTags, []);
    await assert.rejects(listPlaceTags(`docker://${repository}:a`, o), (error) =>
      isBuilderError(error, 'usage.invalid'),
    );
    const archive = `docker-archive:${fresh()}.tar`;
    await store(`${archive}:example.com/x:1`, sampleImage({ format: 'docker' }), {});
    assert.deepEqual(await listPlaceTags(archive), { Tags: ['example.com/x:1'] });
    const dir = `dir:${fresh()}`;
    await store(dir, sampleImage(), {});
    await assert.rejects(listPlaceTags(dir), (error) => isBuilderError(error, 'transport.unsupported'));
  });

  it('deletes from a registry by digest, and nowhere else', async () => {
    await using registry = await FakeRegistry.start();
    const o: PlaceOptions = { tlsVerify: false, env: registry.plainEnv, retryDelayMs: 1 };
    const image = sampleImage();
    await store(`docker://${registry.host}/app:1`, image, o);
    assert.equal(await deletePlaceImage(`docker://${registry.host}/app:1`, o), image.descriptor.digest);
    assert.equal(registry.manifests.has(`app:${image.descriptor.digest}`), false);
    await assert.rejects(deletePlaceImage(`dir:${work}`), (error) => isBuilderError(error, 'transport.unsupported'));
  });
});
