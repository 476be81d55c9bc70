/** What the distribution specification asks of clients beyond moving content. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { copyImage } from '../../../src/image/copy.ts';
import { openRepository, type Repository, type RepositoryOptions } from '../../../src/registry/repository.ts';
import { parseWarnings } from '../../../src/registry/warnings.ts';
import type { BuildEvent } from '../../../src/report/event.ts';
import type { Descriptor } from '../../../src/spec/descriptor.ts';
import { digestOf } from '../../../src/spec/digest.ts';
import type { ImageIndex } from '../../../src/spec/manifest.ts';
import { MEDIA } from '../../../src/spec/media-type.ts';
import { parseReference } from '../../../src/spec/reference.ts';
import type { Target } from '../../../src/spec/target.ts';
import { FakeRegistry, specError } from '../../support/fake-registry.ts';
import { bytesOf, descriptorOf, sampleImage, storeImage } from '../../support/sample-image.ts';

function repositoryOf(registry: FakeRegistry, more: RepositoryOptions = {}): Repository {
  return openRepository(parseReference(`${registry.host}/team/app`), {
    tlsVerify: false,
    env: registry.plainEnv,
    retryDelayMs: 1,
    ...more,
  });
}

describe('referrers', () => {
  const subject = sampleImage();
  const artifact = (note: string): { readonly descriptor: Descriptor; readonly raw: Buffer } => {
    const { mediaType, digest, size } = subject.descriptor;
    const document = {
      schemaVersion: 2,
      mediaType: MEDIA.ociManifest,
      artifactType: 'application/x-note',
      config: { ...descriptorOf(Buffer.from('{}'), MEDIA.ociEmpty) },
      layers: [],
      subject: { mediaType, digest, size },
      annotations: { note },
    };
    const raw = Buffer.from(JSON.stringify(document));
    return { descriptor: descriptorOf(raw, MEDIA.ociManifest), raw };
  };
  const tag = subject.descriptor.digest.replace(':', '-');
  const listIn = (registry: FakeRegistry): ImageIndex | undefined => {
    const stored = registry.manifests.get(`team/app:${tag}`);
    return stored === undefined ? undefined : (JSON.parse(stored.content.toString('utf8')) as ImageIndex);
  };

  it('are listed under a tag where the registry does not list them, each once, until they are deleted', async () => {
    await using registry = await FakeRegistry.start();
    await using repository = repositoryOf(registry);
    const [first, second] = [artifact('one'), artifact('two')];
    for (const { descriptor, raw } of [first, second, first]) await repository.push(descriptor, bytesOf(raw));
    await repository.tag(first.descriptor, 'named');
    const entry = ({ descriptor }: typeof first, note: string) => ({
      ...descriptor,
      artifactType: 'application/x-note',
      annotations: { note },
    });
    assert.deepEqual(listIn(registry), {
      schemaVersion: 2,
      mediaType: MEDIA.ociIndex,
      manifests: [entry(first, 'one'), entry(second, 'two')],
    });
    await repository.deleteManifest(first.descriptor.digest);
    assert.deepEqual(listIn(registry)?.manifests, [entry(second, 'two')]);
  });

  it('are left to a registry that lists them itself', async () => {
    await using registry = await FakeRegistry.start();
    registry.keepsReferrers = true;
    await using repository = repositoryOf(registry);
    const { descriptor, raw } = artifact('one');
    await repository.push(descriptor, bytesOf(raw));
    assert.equal(listIn(registry), undefined);
  });

  it('a manifest without a subject asks for no list', async () => {
    await using registry = await FakeRegistry.start();
    await using repository = repositoryOf(registry);
    await storeImage(subject, repository, 'x');
    assert.ok(registry.trace.every((line) => !line.includes(tag)));
  });

  it('a tag of that name that is an image is an error, and stays', async () => {
    await using registry = await FakeRegistry.start();
    registry.addManifest('team/app', tag, subject.raw);
    await using repository = repositoryOf(registry);
    const { descriptor, raw } = artifact('one');
    await assert.rejects(repository.push(descriptor, bytesOf(raw)), /is no list of referrers/);
    assert.equal(digestOf(registry.manifests.get(`team/app:${tag}`)!.content), subject.descriptor.digest);
  });
});

/** A header, and the texts in it. */
const HEADERS: readonly (readonly [string | undefined, readonly string[]])[] = [
  [undefined, []],
  ['299 - "old"', ['old']],
  ['299 - "one", 299 - "two, three"', ['one', 'two, three']],
  ['299 - "a \\"quote\\" and \\\\"', ['a "quote" and \\']],
  ['110 proxy "stale"', []],
  ['299 proxy "not its own"', []],
  ['299 - unquoted', []],
  ['299 - "open', []],
];

describe('warnings', () => {
  for (const [header, texts] of HEADERS) {
    it(`in ${header}`, () => assert.deepEqual(parseWarnings(header), texts));
  }
  it('are told once, without control characters, however often they come', async () => {
    await using registry = await FakeRegistry.start();
    registry.intercept = (_, response) => {
      response.setHeader('warning', '299 - "moves in May", 299 - "tabs\tare controls"');
      return undefined;
    };
    const told: BuildEvent[] = [];
    const emit = (event: BuildEvent) => void told.push(event);
    for (let i = 0; i < 2; i++) {
      await using repository = repositoryOf(registry, { emit });
      await storeImage(sampleImage(), repository, 'x');
    }
    assert.deepEqual(told, [
      { type: 'warning', text: `registry ${registry.host} says: moves in May` },
      { type: 'warning', text: `registry ${registry.host} says: tabs are controls` },
    ]);
  });
});

describe('tokens in long transfers', () => {
  it('a streamed blob that is refused for its token goes again with another, once', async () => {
    await using registry = await FakeRegistry.start();
    const layer = randomBytes(5 * 1024 * 1024);
    const image = sampleImage({ tars: [layer], isCompressed: false });
    let tokens = 0;
    let refusals = 0;
    registry.intercept = (seen, response, request) => {
      const url = new URL(seen.path, `http://${registry.host}`);
      if (url.pathname === '/token') {
        tokens += 1;
        response.end(JSON.stringify({ token: `t${tokens}`, expires_in: 3600 }));
        return true;
      }
      const challenge = { 'www-authenticate': `Bearer realm="http://${registry.host}/token",service="s"` };
      const refuse = (): true => {
        request.resume();
        response.writeHead(401, challenge).end();
        return true;
      };
      if (seen.headers.authorization === undefined) return refuse();
      const isLayer = seen.method === 'PUT' && Number(seen.headers['content-length']) === layer.length;
      // The token runs out, whatever it promised, just before the layer arrives.
      if (isLayer && refusals === 0) {
        refusals += 1;
        return refuse();
      }
      return undefined;
    };
    await using repository = repositoryOf(registry);
    const from: Target = sourceOf(image.descriptor, image.raw, image.blobs);
    await copyImage(from, '', repository, 'x', { retryDelayMs: 1 });
    assert.equal(refusals, 1);
    assert.ok(registry.blobs.has(digestOf(layer)));
  });

  it('a registry that refuses the new token as well is believed', async () => {
    await using registry = await FakeRegistry.start();
    const image = sampleImage({ tars: [randomBytes(5 * 1024 * 1024)], isCompressed: false });
    let refusals = 0;
    registry.intercept = (seen, response, request) => {
      if (seen.path.startsWith('/token')) {
        response.end(JSON.stringify({ token: 't', expires_in: 3600 }));
        return true;
      }
      const isStreamed = seen.method === 'PUT' && Number(seen.headers['content-length']) > 4 * 1024 * 1024;
      if (seen.headers.authorization !== undefined && !isStreamed) return undefined;
      if (isStreamed) refusals += 1;
      request.resume();
      response.setHeader('www-authenticate', `Bearer realm="http://${registry.host}/token",service="s"`);
      specError(response, 401, 'UNAUTHORIZED', 'no');
      return true;
    };
    await using repository = repositoryOf(registry);
    const from = sourceOf(image.descriptor, image.raw, image.blobs);
    await assert.rejects(copyImage(from, '', repository, 'x', { retryDelayMs: 1 }), /answered 401/);
    assert.equal(refusals, 2);
  });
});

/** An image in memory, read in pieces. */
function sourceOf(top: Descriptor, raw: Buffer, blobs: ReadonlyMap<Descriptor, Buffer>): Target {
  const content = new Map([[top.digest, raw], ...[...blobs].map(([d, bytes]) => [d.digest, bytes] as const)]);
  const never = () => Promise.reject(new Error('nothing is written here'));
  return {
    resolve: async () => top,
    exists: async (d) => content.has(d.digest),
    open: async (d) => bytesOf(content.get(d.digest)!),
    push: never,
    tag: never,
  };
}
