/** Whole images copied with layers encrypted and decrypted on the way. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { convertManifest } from '../../../../src/image/convert-manifest.ts';
import { copyImage } from '../../../../src/image/copy.ts';
import type { TransformLayer } from '../../../../src/image/copy-options.ts';
import { LayerDecrypter, LayerEncrypter } from '../../../../src/image/crypt/layer-crypt.ts';
import { openTransport } from '../../../../src/image/transport/open-transport.ts';
import { isBuilderError } from '../../../../src/report/builder-error.ts';
import type { Descriptor } from '../../../../src/spec/descriptor.ts';
import type { Manifest } from '../../../../src/spec/manifest.ts';
import { MEDIA } from '../../../../src/spec/media-type.ts';
import type { ReadTarget } from '../../../../src/spec/target.ts';
import { collect, sampleImage, storeImage } from '../../../support/sample-image.ts';

const work = mkdtempSync(join(tmpdir(), 'slipway-encrypted-copy-'));
after(() => rmSync(work, { recursive: true, force: true }));
let count = 0;
const fresh = (): string => join(work, String(count++));
const layoutAt = (path = fresh()) => openTransport('oci', `${path}:x`, 'write');

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const other = generateKeyPairSync('rsa', { modulusLength: 2048 });
const encrypter = (positions?: readonly number[]) => new LayerEncrypter([publicKey], positions);
const decrypter = new LayerDecrypter([privateKey]);

async function manifestOf(place: ReadTarget, d: Descriptor): Promise<Manifest> {
  return JSON.parse((await collect(await place.open(d))).toString()) as Manifest;
}

/** The sample image in a layout, its top layer encrypted. */
async function encrypted() {
  const image = sampleImage();
  const plain = await layoutAt();
  await storeImage(image, plain, '');
  const place = await layoutAt();
  const top = await copyImage(plain, '', place, '', { encrypter: encrypter([-1]) });
  return { image, plain, place, top, manifest: await manifestOf(place, top) };
}

describe('a copy', () => {
  it('encrypts the layers chosen and no other, and gives the same image back', async () => {
    const { image, place, manifest } = await encrypted();
    const { layers } = image.manifest;
    assert.ok(layers.length > 1);
    assert.deepEqual(manifest.layers.slice(0, -1), layers.slice(0, -1));
    assert.equal(manifest.layers.at(-1)!.mediaType, `${layers.at(-1)!.mediaType}+encrypted`);
    assert.deepEqual(manifest.config, image.manifest.config);
    const back = await layoutAt();
    const top = await copyImage(place, '', back, '', { decrypter });
    assert.deepEqual((await manifestOf(back, top)).layers, layers);
  });

  it('makes OCI manifests of encrypted layers, whatever the source has', async () => {
    const from = await openTransport('dir', fresh(), 'write');
    const image = sampleImage();
    const plain = await layoutAt();
    await storeImage(image, plain, '');
    await copyImage(plain, '', from, '', { format: 'docker' });
    const to = await openTransport('dir', fresh(), 'write');
    const top = await copyImage(from, '', to, '', { encrypter: encrypter() });
    const manifest = await manifestOf(to, top);
    assert.equal(manifest.mediaType, MEDIA.ociManifest);
    assert.ok(manifest.layers.every(({ mediaType }) => mediaType === `${MEDIA.ociLayerGzip}+encrypted`));
  });

  it('keeps encrypted layers without a key, and neither encrypts nor compresses them again', async () => {
    const { place, top, manifest } = await encrypted();
    const seen: string[] = [];
    const transformLayer: TransformLayer = async ({ descriptor }) => {
      seen.push(descriptor.mediaType);
      return undefined;
    };
    const to = await layoutAt();
    assert.deepEqual(await copyImage(place, '', to, '', { transformLayer }), top);
    assert.ok(seen.length === manifest.layers.length - 1 && seen.every((type) => !type.endsWith('+encrypted')));
    const again = await copyImage(place, '', await layoutAt(), '', { encrypter: encrypter([-1]) });
    assert.equal(again.digest, top.digest);
  });

  it('hands decrypted layers to what compresses them', async () => {
    const { place, image } = await encrypted();
    const seen = new Map<number, { type: string; bytes: Buffer }>();
    const transformLayer: TransformLayer = async ({ descriptor, index, open }) => {
      seen.set(index, { type: descriptor.mediaType, bytes: await collect(await open()) });
      return undefined;
    };
    await copyImage(place, '', await layoutAt(), '', { decrypter, transformLayer });
    const last = image.manifest.layers.length - 1;
    const layer = image.manifest.layers[last]!;
    assert.equal(seen.get(last)?.type, layer.mediaType);
    assert.equal(seen.get(last)?.bytes.length, layer.size);
  });

  it('leaves nothing behind when the key is another one', async () => {
    const { place, image } = await encrypted();
    const path = fresh();
    const to = await layoutAt(path);
    await assert.rejects(
      copyImage(place, '', to, '', { decrypter: new LayerDecrypter([other.privateKey]), concurrency: 1 }),
      (error) => isBuilderError(error, 'layer.encrypted') && error.facts['side'] === 'source',
    );
    const index = JSON.parse(readFileSync(join(path, 'index.json'), 'utf8')) as { manifests: unknown[] };
    assert.deepEqual(index.manifests, []);
    // What was not encrypted may have arrived; of what was, no byte has.
    const { config, layers } = image.manifest;
    const harmless = new Set([config, ...layers.slice(0, -1)].map(({ digest }) => digest.slice(7)));
    const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const left = files.map((entry) => entry.name).filter((name) => !/^(index\.json|oci-layout)$/.test(name));
    assert.deepEqual(
      left.filter((name) => !harmless.has(name)),
      [],
    );
  });

  it('to a place that unpacks layers needs the key', async () => {
    const { place } = await encrypted();
    const to = await openTransport('docker-archive', `${fresh()}.tar:x:1`, 'write');
    await assert.rejects(copyImage(place, '', to, ''), (error) => isBuilderError(error, 'layer.encrypted'));
    await assert.rejects(
      copyImage(place, '', to, '', { encrypter: encrypter() }),
      (error) => isBuilderError(error, 'transport.unsupported') && /keeps layers unpacked/.test(error.message),
    );
    await to[Symbol.asyncDispose]();
    const path = `${fresh()}.tar`;
    {
      await using archive = await openTransport('docker-archive', `${path}:x:1`, 'write');
      await copyImage(place, '', archive, '', { decrypter });
    }
    await using read = await openTransport('docker-archive', path, 'read');
    assert.equal((await manifestOf(read, await read.resolve(''))).layers.length, 2);
  });
});

it("manifests in Docker's format list no encrypted layers", async () => {
  const { manifest } = await encrypted();
  assert.throws(
    () => convertManifest(manifest, 'docker'),
    (error) => isBuilderError(error, 'manifest.invalid') && /encrypted layer sha256:/.test(error.message),
  );
  assert.deepEqual(convertManifest(manifest, 'oci').layers, manifest.layers);
});
