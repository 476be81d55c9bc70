import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { attestedIndex } from '../../../src/attest/attest-image.ts';
import { statement } from '../../../src/attest/in-toto.ts';
import { choosePlatform } from '../../../src/image/choose-platform.ts';
import { copyImage } from '../../../src/image/copy.ts';
import type { TransformLayer } from '../../../src/image/copy-options.ts';
import { openTransport } from '../../../src/image/transport/open-transport.ts';
import { openRepository, type Repository, type RepositoryOptions } from '../../../src/registry/repository.ts';
import { isBuilderError } from '../../../src/report/builder-error.ts';
import type { BuildEvent } from '../../../src/report/event.ts';
import type { Descriptor } from '../../../src/spec/descriptor.ts';
import { digestOf } from '../../../src/spec/digest.ts';
import type { ImageIndex } from '../../../src/spec/manifest.ts';
import { MEDIA } from '../../../src/spec/media-type.ts';
import { parseReference } from '../../../src/spec/reference.ts';
import { parseManifest } from '../../../src/spec/schema.ts';
import type { Bytes, Target } from '../../../src/spec/target.ts';
import { FakeRegistry } from '../../support/fake-registry.ts';
import {
  bytesOf,
  collect,
  descriptorOf,
  type SampleImage,
  sampleImage,
  storeImage,
  tinyTar,
} from '../../support/sample-image.ts';

const work = mkdtempSync(join(tmpdir(), 'slipway-copy-'));
after(() => rmSync(work, { recursive: true, force: true }));

let count = 0;
const fresh = (): string => join(work, String(count++));
const layoutAt = (path = fresh()) => openTransport('oci', `${path}:x`, 'write');

function repositoryOf(registry: FakeRegistry, name = 'team/app', more: RepositoryOptions = {}): Repository {
  const options = { tlsVerify: false, env: registry.plainEnv, retryDelayMs: 1, ...more };
  return openRepository(parseReference(`${registry.host}/${name}`), options);
}

async function storeIndex(images: readonly SampleImage[], entries: readonly Descriptor[], to: Target, name: string) {
  for (const image of images) await storeImage(image, to, '');
  const raw = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests: entries }));
  const index = descriptorOf(raw, MEDIA.ociIndex);
  await to.push(index, bytesOf(raw));
  await to.tag(index, name);
  return index;
}

const PLATFORMS = [
  { os: 'linux', architecture: 'amd64' },
  { os: 'linux', architecture: 'arm64' },
  { os: 'linux', architecture: 's390x' },
];

describe('copyImage', () => {
  it('X08 keeps the raw bytes, odd spacing and all, and says what it does in Buildah’s words', async () => {
    await using registry = await FakeRegistry.start();
    const image = sampleImage();
    const raw = Buffer.from(`${JSON.stringify(image.manifest, undefined, 3)}\n\n`);
    const odd = { ...image, raw, descriptor: descriptorOf(raw, MEDIA.ociManifest) };
    await using from = repositoryOf(registry);
    await storeImage(odd, from, 'x');
    await using to = await layoutAt();
    const lines: string[] = [];
    const emit = (event: BuildEvent): void => {
      if (event.type === 'transfer' && event.state === 'done') lines.push(event.label);
    };
    const written = await copyImage(from, 'x', to, '', { emit, concurrency: 1 });
    assert.equal(written.digest, digestOf(raw));
    assert.deepEqual(await collect(await to.open(written)), raw);
    assert.deepEqual(lines, [
      'Getting image source signatures',
      ...image.manifest.layers.map((layer) => `Copying blob ${layer.digest}`),
      `Copying config ${image.manifest.config.digest}`,
      'Writing manifest to image destination',
    ]);
  });

  it('nothing that is there is moved', async () => {
    await using registry = await FakeRegistry.start();
    const image = sampleImage();
    await using from = await layoutAt();
    await storeImage(image, from, '');
    await using to = repositoryOf(registry);
    await copyImage(from, '', to, 'a');
    const before = registry.requests.length;
    await copyImage(from, '', to, 'b');
    const again = registry.trace.slice(before);
    assert.deepEqual(new Set(again.map((line) => line.split(' ')[0])), new Set(['HEAD', 'PUT']));
    assert.equal(again.length, 4);
  });

  it('the name comes last: a blob that fails leaves no manifest', async () => {
    await using registry = await FakeRegistry.start();
    const image = sampleImage();
    await using from = await layoutAt();
    await storeImage(image, from, '');
    registry.intercept = (seen, response) => {
      if (seen.method !== 'PUT') return false;
      response.writeHead(400).end();
      return true;
    };
    await using to = repositoryOf(registry);
    await assert.rejects(copyImage(from, '', to, 'a'), (error) => {
      assert.ok(isBuilderError(error, 'registry.request-failed'));
      assert.match(error.message, /^destination: cannot store blob/);
      return true;
    });
    assert.equal(registry.manifests.size, 0);
  });

  it('a streamed blob that broke off at the destination is opened again at the source', async () => {
    await using registry = await FakeRegistry.start();
    const big = Buffer.alloc(6_000_000, 7);
    const image = sampleImage({ tars: [big], isCompressed: false });
    await using from = await layoutAt();
    await storeImage(image, from, '');
    let broken = 1;
    registry.intercept = (seen, response, request) => {
      if (seen.method !== 'PUT' || Number(seen.headers['content-length']) < 6_000_000 || broken-- <= 0) return false;
      request.once('data', () => response.destroy());
      return true;
    };
    await using to = repositoryOf(registry);
    await copyImage(from, '', to, 'x', { retryDelayMs: 1 });
    assert.ok(registry.blobs.get(digestOf(big))!.equals(big));
  });

  it('an index is copied whole with all, and one image of it without', async () => {
    await using registry = await FakeRegistry.start();
    const images = PLATFORMS.map((platform) => sampleImage({ platform }));
    const entries = images.map((image, i) => ({ ...image.descriptor, platform: PLATFORMS[i]! }));
    await using from = repositoryOf(registry);
    const index = await storeIndex(images, entries, from, 'all');
    await using to = await layoutAt();
    assert.equal((await copyImage(from, 'all', to, 'all', { platforms: 'all' })).digest, index.digest);
    for (const image of images) assert.equal(await to.exists(image.descriptor), true);
    await using second = await layoutAt();
    const one = await copyImage(from, 'all', second, 'one', { platforms: [PLATFORMS[1]!] });
    assert.equal(one.digest, images[1]!.descriptor.digest);
    assert.equal(await second.exists(images[0]!.descriptor), false);
    const two = await copyImage(from, 'all', second, 'two', { platforms: PLATFORMS.slice(0, 2) });
    const parsed = parseManifest(await collect(await second.open(two)), two.mediaType);
    assert.deepEqual((parsed.value as ImageIndex).manifests, entries.slice(0, 2));
    await assert.rejects(
      copyImage(from, 'all', second, 'none', { platforms: [{ os: 'linux', architecture: 'riscv64' }] }),
      (error) =>
        isBuilderError(error, 'platform.not-found') &&
        error.hint === 'it has linux/amd64, linux/arm64, linux/s390x' &&
        /all has no image for linux\/riscv64/.test(error.message),
    );
  });

  it('layers are replaced by blobs of known digest or by streams, and the manifest lists what was stored', async () => {
    await using registry = await FakeRegistry.start();
    const tars = [tinyTar('a'), tinyTar('b'), tinyTar('c')];
    const image = sampleImage({ tars, isCompressed: false });
    await using from = await layoutAt();
    await storeImage(image, from, '');
    await using to = repositoryOf(registry);
    const seen: unknown[] = [];
    const written = await copyImage(from, '', to, 'x', {
      transformLayer: async (layer) => {
        seen[layer.index] = layer.diffId;
        if (layer.index === 2) return undefined;
        const packed = gzipSync(await collect(await layer.open()));
        if (layer.index === 1)
          return { mediaType: MEDIA.ociLayerGzip, content: bytesOf(packed), annotations: () => ({ kept: 'yes' }) };
        return { descriptor: descriptorOf(packed, MEDIA.ociLayerGzip), open: async () => bytesOf(packed) };
      },
    });
    assert.deepEqual(seen, tars.map(digestOf));
    const stored = registry.manifests.get('team/app:x')!;
    assert.equal(digestOf(stored.content), written.digest);
    const parsed = parseManifest(stored.content, stored.mediaType);
    assert.ok(parsed.kind === 'manifest');
    const packed = tars.map((tar) => descriptorOf(gzipSync(tar), MEDIA.ociLayerGzip));
    assert.deepEqual(parsed.value.layers, [
      packed[0],
      { ...packed[1], annotations: { kept: 'yes' } },
      image.manifest.layers[2],
    ]);
    assert.deepEqual(parsed.value.config, image.manifest.config);
    for (const layer of parsed.value.layers) assert.ok(registry.blobs.has(layer.digest));
    assert.equal(registry.blobs.has(image.manifest.layers[0]!.digest), false);
  });

  it('formats are converted in media types only, there and back', async () => {
    await using registry = await FakeRegistry.start();
    const image = sampleImage({ format: 'docker' });
    await using from = repositoryOf(registry, 'team/docker');
    await storeImage(image, from, 'x');
    await using to = repositoryOf(registry, 'team/oci');
    const oci = await copyImage(from, 'x', to, 'x', { format: 'oci' });
    assert.equal(oci.mediaType, MEDIA.ociManifest);
    const { content } = registry.manifests.get('team/oci:x')!;
    assert.deepEqual(JSON.parse(content.toString()), {
      schemaVersion: 2,
      mediaType: MEDIA.ociManifest,
      config: { ...image.manifest.config, mediaType: MEDIA.ociConfig },
      layers: image.manifest.layers.map((layer) => ({ ...layer, mediaType: MEDIA.ociLayerGzip })),
    });
    await using back = repositoryOf(registry, 'team/back');
    await copyImage(to, 'x', back, 'x', { format: 'docker' });
    const again = JSON.parse(registry.manifests.get('team/back:x')!.content.toString());
    assert.deepEqual(again, image.manifest);
  });

  it('an artifact has no Docker form', async () => {
    await using registry = await FakeRegistry.start();
    const image = sampleImage();
    const config = { ...image.manifest.config, mediaType: 'application/vnd.example.config+json' };
    const raw = Buffer.from(JSON.stringify({ ...image.manifest, config }));
    await using from = repositoryOf(registry);
    await storeImage({ ...image, raw, descriptor: descriptorOf(raw, MEDIA.ociManifest) }, from, 'x');
    await using to = repositoryOf(registry, 'team/other');
    await assert.rejects(
      copyImage(from, 'x', to, 'x', { format: 'docker' }),
      /artifact .* cannot be written in Docker/,
    );
    await copyImage(from, 'x', to, 'x');
  });

  it('statements of an attestation are no layers to compress, in whichever form', async () => {
    for (const form of ['artifact', 'image'] as const) {
      const image = sampleImage();
      const said = statement({ type: 'https://spdx.dev/Document', content: {} }, []);
      const { index, blobs } = attestedIndex(
        [{ image: { ...image.descriptor, platform: PLATFORMS[0]! }, statements: [said] }],
        { form },
      );
      await using registry = await FakeRegistry.start();
      await using from = repositoryOf(registry);
      await storeImage(image, from, 'image');
      for (const { descriptor, bytes } of blobs) await from.push(descriptor, bytesOf(bytes));
      await from.tag(index, 'x');
      await using to = repositoryOf(registry, 'team/other');
      const asked: string[] = [];
      const transformLayer: TransformLayer = async ({ descriptor }) => {
        asked.push(descriptor.mediaType);
        return undefined;
      };
      const copied = await copyImage(from, 'x', to, 'x', { platforms: 'all', transformLayer });
      assert.equal(copied.digest, index.digest);
      assert.ok(asked.length > 0 && !asked.includes('application/vnd.in-toto+json'));
    }
  });

  it('without a name nothing is named', async () => {
    await using registry = await FakeRegistry.start();
    await using from = repositoryOf(registry);
    const image = sampleImage();
    await storeImage(image, from, 'x');
    await using to = repositoryOf(registry, 'team/other');
    const { digest } = await copyImage(from, 'x', to, undefined);
    assert.equal(digest, image.descriptor.digest);
    assert.equal(await to.exists(image.descriptor), true);
    assert.equal(registry.manifests.has('team/other:x'), false);
  });

  it('cancelling stops everything with the reason', async () => {
    await using registry = await FakeRegistry.start();
    await using from = repositoryOf(registry);
    await storeImage(sampleImage(), from, 'x');
    registry.intercept = (seen) => seen.method === 'GET' && seen.path.includes('/blobs/');
    await using to = await layoutAt();
    const controller = new AbortController();
    const reason = new Error('enough');
    setTimeout(() => controller.abort(reason), 50);
    await assert.rejects(copyImage(from, 'x', to, '', { signal: controller.signal }), (error) => error === reason);
  });

  it('at most as many blobs as asked for move at once', async () => {
    const image = sampleImage({ tars: Array.from({ length: 12 }, (_, i) => tinyTar(`f${i}`)) });
    await using from = await layoutAt();
    await storeImage(image, from, '');
    await using to = await layoutAt();
    let running = 0;
    let most = 0;
    const counting: Target = {
      resolve: (name) => to.resolve(name),
      open: (d) => to.open(d),
      exists: (d) => to.exists(d),
      tag: (d, name) => to.tag(d, name),
      push: async (d: Descriptor, content: Bytes) => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 3));
        await to.push(d, content);
        running -= 1;
      },
    };
    await copyImage(from, '', counting, 'x', { concurrency: 4 });
    assert.equal(most, 4);
  });
});

describe('choosePlatform', () => {
  const entry = (platform: object | undefined, more: object = {}): Descriptor =>
    ({
      mediaType: MEDIA.ociManifest,
      digest: digestOf(JSON.stringify([platform, more])),
      size: 1,
      platform,
      ...more,
    }) as Descriptor;
  const index = (...manifests: Descriptor[]): ImageIndex => ({ schemaVersion: 2, manifests });

  it('takes the best variant and never an attestation', () => {
    const v6 = entry({ os: 'linux', architecture: 'arm', variant: 'v6' });
    const v7 = entry({ os: 'linux', architecture: 'arm', variant: 'v7' });
    const attestation = entry({ os: 'unknown', architecture: 'unknown' });
    const want = { os: 'linux', architecture: 'arm', variant: 'v7' };
    assert.equal(choosePlatform(index(attestation, v6, v7), want, 'x'), v7);
    assert.equal(choosePlatform(index(v6), want, 'x'), v6);
    assert.throws(
      () => choosePlatform(index(attestation), { os: 'unknown', architecture: 'unknown' }, 'x'),
      /has no image/,
    );
  });

  it('a single entry without a platform is the one', () => {
    const only = entry(undefined);
    assert.equal(choosePlatform(index(only), PLATFORMS[0]!, 'x'), only);
    assert.throws(() => choosePlatform(index(only, entry(undefined, { size: 2 })), PLATFORMS[0]!, 'x'), /no image/);
  });
});

describe('places', () => {
  const image = sampleImage({ format: 'docker' });

  it('a layout holds several names, replaces one, and lists them when none was given', async () => {
    const path = fresh();
    const other = sampleImage({ tars: [tinyTar('other')] });
    await using layout = await openTransport('oci', path, 'write');
    await storeImage(sampleImage(), layout, 'a');
    await storeImage(other, layout, 'b');
    await storeImage(other, layout, 'a');
    assert.equal((await layout.resolve('a')).digest, other.descriptor.digest);
    assert.equal((await layout.resolve('')).digest, other.descriptor.digest);
    await storeImage(sampleImage(), layout, 'third');
    await assert.rejects(
      layout.resolve(''),
      (error) => isBuilderError(error, 'image.ambiguous') && /b, a, third/.test(error.hint ?? ''),
    );
    await assert.rejects(layout.resolve('c'), (error) => isBuilderError(error, 'image.not-known'));
    assert.deepEqual(readdirSync(path).sort(), ['blobs', 'index.json', 'oci-layout']);
    assert.equal(
      readdirSync(join(path, 'blobs/sha256')).some((name) => name.startsWith('.')),
      false,
    );
  });

  it('wrong content never gets its name, in any place', async () => {
    const promised = descriptorOf(Buffer.from('promised'), MEDIA.ociLayer);
    for (const scheme of ['oci', 'dir', 'oci-archive', 'docker-archive'] as const) {
      await using place = await openTransport(scheme, fresh(), 'write');
      for (const content of ['promisex', 'promise', 'promised and more']) {
        await assert.rejects(
          place.push(promised, bytesOf(content)),
          (error) => isBuilderError(error, 'blob.digest-mismatch'),
          scheme,
        );
        assert.equal(await place.exists(promised), false, scheme);
      }
    }
  });

  it('an archive of several images gives each by name and position', async () => {
    const file = `${fresh()}.tar`;
    const other = sampleImage({ format: 'docker', tars: [tinyTar('a'), tinyTar('other')] });
    {
      await using archive = await openTransport('docker-archive', file, 'write');
      await storeImage(image, archive, 'example.com/one:1');
      await storeImage(other, archive, 'two');
      await archive.tag(image.descriptor, 'example.com/one:2');
    }
    await using archive = await openTransport('docker-archive', file, 'read');
    await assert.rejects(archive.resolve(''), (error) => isBuilderError(error, 'image.ambiguous'));
    const one = await archive.resolve('example.com/one:2');
    assert.deepEqual(await archive.resolve('@0'), one);
    const parsed = parseManifest(await collect(await archive.open(await archive.resolve('two:latest'))));
    assert.ok(parsed.kind === 'manifest');
    assert.equal(parsed.value.config.digest, other.manifest.config.digest);
    assert.deepEqual(
      parsed.value.layers.map((layer) => layer.digest),
      [tinyTar('a'), tinyTar('other')].map(digestOf),
    );
    await assert.rejects(openTransport('docker-archive', file, 'write'), /are not changed/);
  });

  it('no archive appears when nothing was completed, and none of its temporary files stays', async () => {
    const asked = process.env['TMPDIR'];
    const temporary = fresh();
    mkdirSync(temporary, { recursive: true });
    process.env['TMPDIR'] = temporary;
    try {
      for (const scheme of ['oci-archive', 'docker-archive'] as const) {
        const file = join(fresh(), 'x.tar');
        {
          await using archive = await openTransport(scheme, file, 'write');
          const [d, content] = [...image.blobs][0]!;
          await archive.push(d, bytesOf(content));
          assert.equal(readdirSync(temporary).length, 1);
        }
        assert.throws(() => readFileSync(file));
        assert.deepEqual(readdirSync(temporary), []);
      }
    } finally {
      if (asked === undefined) delete process.env['TMPDIR'];
      else process.env['TMPDIR'] = asked;
    }
  });

  it('an OCI archive gains images', async () => {
    const file = `${fresh()}.tar`;
    for (const name of ['a', 'b']) {
      await using archive = await openTransport('oci-archive', `${file}:${name}`, 'write');
      await using from = await layoutAt();
      await storeImage(sampleImage({ tars: [tinyTar(name)] }), from, '');
      await copyImage(from, '', archive, '');
    }
    await using archive = await openTransport('oci-archive', `${file}:a`, 'read');
    await archive.resolve('');
    await archive.resolve('b');
    assert.equal(
      readdirSync(work).some((name) => name.startsWith('.new-')),
      false,
    );
  });

  it('a directory with other things in it is not taken over', async () => {
    await assert.rejects(openTransport('dir', work, 'write'), (error) =>
      isBuilderError(error, 'transport.unsupported'),
    );
  });

  it('a docker archive whose layer is not what its config says is refused', async () => {
    const { pack } = await import('tar-fs');
    const { mkdirSync, writeFileSync, createWriteStream } = await import('node:fs');
    const { pipeline } = await import('node:stream/promises');
    const directory = fresh();
    mkdirSync(directory);
    const config = { os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [digestOf('other')] } };
    writeFileSync(join(directory, 'c.json'), JSON.stringify(config));
    writeFileSync(join(directory, 'l.tar'), tinyTar('a'));
    writeFileSync(
      join(directory, 'manifest.json'),
      JSON.stringify([{ Config: 'c.json', RepoTags: null, Layers: ['l.tar'] }]),
    );
    await pipeline(pack(directory), createWriteStream(`${directory}.tar`));
    await assert.rejects(openTransport('docker-archive', `${directory}.tar`, 'read'), (error) =>
      isBuilderError(error, 'blob.digest-mismatch'),
    );
    writeFileSync(
      join(directory, 'manifest.json'),
      JSON.stringify([{ Config: '../../c.json', RepoTags: null, Layers: ['/etc/passwd'] }]),
    );
    await pipeline(pack(directory), createWriteStream(`${directory}-2.tar`));
    await assert.rejects(
      openTransport('docker-archive', `${directory}-2.tar`, 'read'),
      (error) => isBuilderError(error, 'manifest.invalid') && /which is not in it/.test(error.message),
    );
  });
});
