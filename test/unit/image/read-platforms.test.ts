import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { indexPlatforms, readPlatforms } from '../../../src/image/read-platforms.ts';
import type { Descriptor } from '../../../src/spec/descriptor.ts';
import type { ImageIndex } from '../../../src/spec/manifest.ts';
import { MEDIA } from '../../../src/spec/media-type.ts';
import { formatPlatform, type Platform } from '../../../src/spec/platform.ts';
import type { ReadTarget } from '../../../src/spec/target.ts';
import { bytesOf, descriptorOf, sampleImage } from '../../support/sample-image.ts';

const image = sampleImage({ platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } });

function indexOf(...entries: readonly (Partial<Descriptor> & { readonly platform?: Platform })[]): ImageIndex {
  return {
    schemaVersion: 2,
    mediaType: MEDIA.ociIndex,
    manifests: entries.map((e) => ({ ...image.descriptor, ...e })),
  };
}

/** A place with one name and the sample image. */
function placeOf(top: Descriptor, content: Buffer): ReadTarget {
  const blobs = new Map(
    [...image.blobs, [image.descriptor, image.raw], [top, content]].map(([d, c]) => [
      (d as Descriptor).digest,
      c as Buffer,
    ]),
  );
  return {
    resolve: () => Promise.resolve(top),
    exists: ({ digest }) => Promise.resolve(blobs.has(digest)),
    open: ({ digest }) => Promise.resolve(bytesOf(blobs.get(digest)!)),
  };
}

const named = (platforms: readonly Platform[]): string[] => platforms.map(formatPlatform);

describe('platforms of an index', () => {
  it('are normalised, each once, in its order', () => {
    const of = (os: string, architecture: string, more: Partial<Platform> = {}) => ({
      platform: { os, architecture, ...more },
    });
    const index = indexOf(
      of('linux', 's390x'),
      of('linux', 'arm64', { variant: 'v8' }),
      of('windows', 'amd64', { 'os.version': '10.0.1' }),
      of('windows', 'amd64', { 'os.version': '10.0.2' }),
      of('linux', 'arm64'),
      of('linux', 'arm'),
    );
    assert.deepEqual(indexPlatforms(index), [
      { os: 'linux', architecture: 's390x' },
      { os: 'linux', architecture: 'arm64' },
      { os: 'windows', architecture: 'amd64' },
      { os: 'linux', architecture: 'arm', variant: 'v7' },
    ]);
  });

  it('are those that something can be built for: no attestations, artifacts, unknown or unnamed ones', () => {
    const amd64 = { os: 'linux', architecture: 'amd64' };
    const index = indexOf(
      { platform: { os: 'unknown', architecture: 'unknown' } },
      {
        platform: { ...amd64, architecture: 'arm64' },
        annotations: { 'vnd.docker.reference.type': 'attestation-manifest' },
      },
      { platform: { ...amd64, architecture: 'riscv64' }, artifactType: 'application/x' },
      { platform: { os: 'linux', architecture: 'emu128' } },
      { platform: { os: '', architecture: 'amd64' } },
      {},
      { platform: amd64 },
    );
    assert.deepEqual(named(indexPlatforms(index)), ['linux/amd64']);
  });
});

describe('platforms of an image elsewhere', () => {
  const read = async (index: ImageIndex) => {
    const raw = Buffer.from(JSON.stringify(index));
    return named(await readPlatforms(placeOf(descriptorOf(raw, MEDIA.ociIndex), raw), '', undefined));
  };

  it('are those of its index', async () => {
    assert.deepEqual(await read(indexOf({ platform: { os: 'linux', architecture: 'ppc64le' } })), ['linux/ppc64le']);
  });

  it('are that of the config where there is no index, or one of a single entry that says nothing', async () => {
    assert.deepEqual(named(await readPlatforms(placeOf(image.descriptor, image.raw), '', undefined)), ['linux/arm64']);
    assert.deepEqual(await read(indexOf({})), ['linux/arm64']);
  });
});
