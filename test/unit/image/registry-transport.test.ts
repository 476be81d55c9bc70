import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openTransport } from '../../../src/image/transport/open-transport.ts';
import {
  EMPTY_REGISTRIES_CONF,
  parseRegistriesConf,
  type RegistriesConf,
} from '../../../src/registry/registries-conf.ts';
import { isBuilderError } from '../../../src/report/builder-error.ts';
import { FakeRegistry } from '../../support/fake-registry.ts';
import { collect, sampleImage, storeImage } from '../../support/sample-image.ts';

function confOf(registry: FakeRegistry, mirror: FakeRegistry): RegistriesConf {
  const text = `
[[registry]]
location = "${registry.host}"
insecure = true
[[registry.mirror]]
location = "${mirror.host}/cache"
insecure = true
`;
  return { ...EMPTY_REGISTRIES_CONF, ...parseRegistriesConf(text, 'test.conf') };
}

describe('docker://', () => {
  const image = sampleImage();
  const open = (registry: FakeRegistry, mirror: FakeRegistry, access: 'read' | 'write') =>
    openTransport('docker', `${registry.host}/team/app:1`, access, {
      registriesConf: confOf(registry, mirror),
      registry: { env: registry.plainEnv, retries: 0, creds: { username: 'u', password: 'p' } },
    });

  it('X12 reads from the mirror that has the image and leaves the primary alone', async () => {
    await using primary = await FakeRegistry.start();
    await using mirror = await FakeRegistry.start();
    mirror.intercept = (seen, response) => {
      // Credentials given for the primary must not be seen here.
      assert.equal(seen.headers.authorization, undefined);
      if (seen.path !== '/v2/') return false;
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      return true;
    };
    for (const [, content] of image.blobs) mirror.addBlob(content);
    mirror.addManifest('cache/team/app', '1', image.raw);
    await using source = await open(primary, mirror, 'read');
    assert.equal((await source.resolve('')).digest, image.descriptor.digest);
    for (const [d, content] of image.blobs) assert.deepEqual(await collect(await source.open(d)), content);
    assert.deepEqual(primary.requests, []);
  });

  it('X12 falls back to the primary, whose error is the one that counts', async () => {
    await using primary = await FakeRegistry.start();
    await using mirror = await FakeRegistry.start();
    primary.addManifest('team/app', '1', image.raw);
    await using source = await open(primary, mirror, 'read');
    assert.equal((await source.resolve('')).digest, image.descriptor.digest);
    assert.ok(mirror.requests.length > 0);
    await assert.rejects(
      source.resolve('absent'),
      (error) => isBuilderError(error, 'registry.request-failed') && error.message.includes(primary.host),
    );
  });

  it('writes to the primary only', async () => {
    await using primary = await FakeRegistry.start();
    await using mirror = await FakeRegistry.start();
    await using target = await open(primary, mirror, 'write');
    await storeImage(image, target, '');
    assert.ok(primary.manifests.has('team/app:1'));
    assert.deepEqual(mirror.requests, []);
  });
});
