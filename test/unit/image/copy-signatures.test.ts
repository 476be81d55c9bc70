import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { copyImage } from '../../../src/image/copy.ts';
import type { CopySignatures } from '../../../src/image/copy-options.ts';
import { openTransport } from '../../../src/image/transport/open-transport.ts';
import { openRepository } from '../../../src/registry/repository.ts';
import { BuilderError, isBuilderError } from '../../../src/report/builder-error.ts';
import { MEDIA } from '../../../src/spec/media-type.ts';
import { parseReference } from '../../../src/spec/reference.ts';
import { FakeRegistry } from '../../support/fake-registry.ts';
import { bytesOf, descriptorOf, sampleImage, storeImage } from '../../support/sample-image.ts';

const work = mkdtempSync(join(tmpdir(), 'slipway-copy-signatures-'));
after(() => rmSync(work, { recursive: true, force: true }));

let count = 0;
const layout = () => openTransport('oci', `${join(work, String(count++))}:x`, 'write');

describe('a copy', () => {
  it('asks the gate before anything but the manifest is fetched', async () => {
    await using registry = await FakeRegistry.start();
    const options = { tlsVerify: false, env: registry.plainEnv };
    await using from = openRepository(parseReference(`${registry.host}/team/app`), options);
    const image = sampleImage();
    await storeImage(image, from, 'x');
    registry.requests.length = 0;
    await using fetched = openRepository(parseReference(`${registry.host}/team/app`), options);
    await using to = await layout();
    const asked: string[] = [];
    const admit = async ({ digest }: { readonly digest: string }): Promise<void> => {
      asked.push(digest);
      throw new BuilderError('image.untrusted', 'no', { facts: { side: 'source' } });
    };
    await assert.rejects(copyImage(fetched, 'x', to, '', { admit }), (e) => isBuilderError(e, 'image.untrusted'));
    assert.deepEqual(asked, [image.descriptor.digest]);
    assert.equal(
      registry.requests.some(({ path }) => path.includes('/blobs/')),
      false,
    );
    assert.equal(await to.exists(image.manifest.config), false);
  });

  it('asks the gate for every image of a list', async () => {
    await using from = await layout();
    const images = ['amd64', 'arm64'].map((architecture) => ({ ...sampleImage(), architecture }));
    for (const image of images) await storeImage(image, from, '');
    const entries = images.map(({ descriptor, architecture }) => ({
      ...descriptor,
      platform: { os: 'linux', architecture },
    }));
    const raw = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests: entries }));
    const index = descriptorOf(raw, MEDIA.ociIndex);
    await from.push(index, bytesOf(raw));
    await from.tag(index, 'list');
    await using to = await layout();
    const asked: string[] = [];
    const admit = async ({ digest }: { readonly digest: string }): Promise<void> => void asked.push(digest);
    await copyImage(from, 'list', to, '', { admit, platforms: 'all' });
    assert.deepEqual(
      asked,
      entries.map(({ digest }) => digest),
    );
  });

  it('leaves what is signed as it is, and tells what the destination has', async () => {
    await using from = await layout();
    const image = sampleImage();
    await storeImage(image, from, '');
    const sent: string[] = [];
    const signatures: CopySignatures = {
      isBound: () => Promise.resolve(true),
      sent: ({ digest }) => void sent.push(digest),
    };
    await using to = await layout();
    const transformLayer = () => Promise.reject(new Error('a signed layer was touched'));
    await copyImage(from, '', to, '', { signatures, transformLayer });
    assert.deepEqual(sent, [image.descriptor.digest]);

    await using directory = await openTransport('dir', join(work, 'directory'), 'write');
    await assert.rejects(
      copyImage(from, '', directory, '', { signatures, format: 'docker' }),
      (e) => isBuilderError(e, 'signature.failed') && /the manifest has to be changed/.test(e.message),
    );
  });
});
