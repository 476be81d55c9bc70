/** Registries that are broken or mean harm: every row ends in a clear error, and nothing leaves that must not. */
import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { copyImage } from '../../../src/image/copy.ts';
import { openRepository, type Repository, type RepositoryOptions } from '../../../src/registry/repository.ts';
import { type BuilderError, isBuilderError } from '../../../src/report/builder-error.ts';
import type { ErrorCode } from '../../../src/report/error-codes.ts';
import type { Descriptor } from '../../../src/spec/descriptor.ts';
import { digestOf } from '../../../src/spec/digest.ts';
import { MEDIA } from '../../../src/spec/media-type.ts';
import { parseReference } from '../../../src/spec/reference.ts';
import { FakeRegistry, type Intercept, type SeenRequest, specError } from '../../support/fake-registry.ts';
import { collect, descriptorOf, sampleImage, storeImage } from '../../support/sample-image.ts';

const SECRET = { username: 'ann', password: 's3cret' };

function repositoryOf(registry: FakeRegistry, more: RepositoryOptions = {}, name = 'team/app'): Repository {
  const options = { tlsVerify: false, env: registry.plainEnv, retries: 3, retryDelayMs: 1, ...more };
  return openRepository(parseReference(`${registry.host}/${name}`), options);
}

/** The same server under a name of the internet, reached through it as proxy. */
function publicRepository(registry: FakeRegistry, more: RepositoryOptions = {}): Repository {
  const options = { tlsVerify: false, env: registry.proxyEnv, retries: 0, retryDelayMs: 1, ...more };
  return openRepository(parseReference('registry.example/team/app'), options);
}

async function failure(action: Promise<unknown>, code: ErrorCode, why: RegExp): Promise<BuilderError> {
  let found: BuilderError | undefined;
  await assert.rejects(action, (error) => {
    assert.ok(isBuilderError(error, code), `${(error as Error).stack}`);
    assert.match(error.message, why);
    assert.doesNotMatch(error.message, /s3cret/);
    found = error;
    return true;
  });
  return found!;
}

const blobOf = (content: Buffer): Descriptor => descriptorOf(content, MEDIA.ociLayer);
const isBlobGet = (seen: SeenRequest): boolean => seen.method === 'GET' && seen.path.includes('/blobs/sha256');

function redirectTo(location: string): Intercept {
  return (seen, response) => {
    if (!isBlobGet(seen) || !seen.path.startsWith('/v2/team/app')) return false;
    response.writeHead(307, { location }).end();
    return true;
  };
}

function challenge(response: ServerResponse, header: string): true {
  response.writeHead(401, { 'www-authenticate': header }).end();
  return true;
}

describe('hostile content', () => {
  it('B33 a manifest with a digest that is a path is refused before any further request', async () => {
    await using registry = await FakeRegistry.start();
    const image = sampleImage();
    const raw = JSON.stringify(image.manifest).replace(image.manifest.config.digest, 'sha256:../../../../canary');
    registry.addManifest('team/app', 'x', Buffer.from(raw));
    await using repository = repositoryOf(registry);
    await failure(repository.resolve('x'), 'manifest.invalid', /config\/digest/);
    assert.deepEqual(registry.trace, ['GET /v2/', 'GET /v2/team/app/manifests/x']);
  });

  it('B35 a blob with other bytes is refused and not stored', async () => {
    await using source = await FakeRegistry.start();
    await using sink = await FakeRegistry.start();
    const image = sampleImage();
    await using from = repositoryOf(source);
    await storeImage(image, from, 'x');
    const layer = image.manifest.layers[0]!;
    const flipped = Buffer.from(source.blobs.get(layer.digest)!);
    flipped[0]! ^= 1;
    source.blobs.set(layer.digest, flipped);
    await using to = repositoryOf(sink);
    const error = await failure(
      copyImage(from, 'x', to, 'x', { retryDelayMs: 1 }),
      'blob.digest-mismatch',
      /^source: .*digest/,
    );
    assert.equal(error.facts['side'], 'source');
    assert.equal(sink.blobs.has(layer.digest), false);
    assert.equal(sink.manifests.size, 0);
  });

  it('B36 a size other than the descriptor says is refused at the header', async () => {
    await using registry = await FakeRegistry.start();
    const { digest } = registry.addBlob('12345');
    await using repository = repositoryOf(registry);
    for (const size of [4, 6]) {
      await failure(
        repository.open({ mediaType: MEDIA.ociLayer, digest, size }),
        'blob.digest-mismatch',
        /announces 5 bytes/,
      );
    }
  });

  it('B37 an endless blob is cut at its size', async () => {
    await using registry = await FakeRegistry.start();
    let sent = 0;
    registry.intercept = (seen, response) => {
      if (!isBlobGet(seen)) return false;
      response.writeHead(200);
      const more = (): void => {
        while (!response.destroyed && sent < 1 << 30) {
          sent += 65536;
          if (!response.write(Buffer.alloc(65536))) return void response.once('drain', more);
        }
      };
      more();
      return true;
    };
    await using repository = repositoryOf(registry);
    const blob = blobOf(Buffer.alloc(100_000));
    await failure(repository.open(blob).then(collect), 'blob.digest-mismatch', /longer than 100000 bytes/);
    assert.ok(sent < 1 << 26);
    assert.equal(registry.requests.filter(isBlobGet).length, 1);
  });

  it('B37 a blob that just ends is asked for again, then refused', async () => {
    await using registry = await FakeRegistry.start();
    registry.intercept = (seen, response) => {
      if (!isBlobGet(seen)) return false;
      response.writeHead(200, { connection: 'close' }).end('short');
      return true;
    };
    await using repository = repositoryOf(registry, { retries: 2 });
    await failure(
      repository.open(blobOf(Buffer.alloc(1000))).then(collect),
      'blob.digest-mismatch',
      /ended after \d+ of 1000|announces/,
    );
  });

  it('B39 a 6 MiB manifest is not read to its end', async () => {
    await using registry = await FakeRegistry.start();
    registry.addManifest('team/app', 'x', Buffer.alloc(6 << 20, ' '));
    await using repository = repositoryOf(registry);
    await failure(repository.resolve('x'), 'manifest.invalid', /larger than 4194304/);
  });

  it('B39 endless error and token bodies are bounded', async () => {
    await using registry = await FakeRegistry.start();
    const endless = (response: ServerResponse): true => {
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(65536)));
        if (!response.destroyed) response.once('drain', more);
      };
      more();
      return true;
    };
    registry.intercept = (seen, response) => {
      if (seen.path.includes('/manifests/')) return endless(response.writeHead(404));
      return false;
    };
    await using repository = repositoryOf(registry);
    await failure(repository.resolve('x'), 'registry.request-failed', /answered 404/);
    registry.intercept = (seen, response) => {
      if (seen.path.startsWith('/token')) return endless(response.writeHead(200));
      return challenge(response, `Bearer realm="http://${registry.host}/token"`);
    };
    await using other = repositoryOf(registry);
    await failure(other.resolve('x'), 'registry.request-failed', /token answer .* larger than/);
  });

  it('B40 an index that contains itself ends', async () => {
    await using registry = await FakeRegistry.start();
    let child = { mediaType: MEDIA.ociIndex as string, digest: digestOf('x'), size: 1 };
    for (let depth = 0; depth < 10; depth++) {
      const raw = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests: [child] }));
      registry.addManifest('team/app', `d${depth}`, raw, MEDIA.ociIndex);
      child = { mediaType: MEDIA.ociIndex, digest: digestOf(raw), size: raw.length };
    }
    await using from = repositoryOf(registry);
    await using to = repositoryOf(registry, {}, 'team/other');
    await failure(copyImage(from, 'd9', to, 'x', { platforms: 'all' }), 'manifest.invalid', /nested more than 4/);
    await failure(copyImage(from, 'd9', to, 'x'), 'manifest.invalid', /nested more than 4/);
  });

  it('B41 a Content-Type that lies about the manifest is refused', async () => {
    await using registry = await FakeRegistry.start();
    registry.addManifest('team/app', 'x', sampleImage().manifest, MEDIA.ociIndex);
    await using repository = repositoryOf(registry);
    await failure(repository.resolve('x'), 'manifest.invalid', /declared as/);
  });

  it('B42 duplicate keys in a manifest are refused', async () => {
    await using registry = await FakeRegistry.start();
    const raw = JSON.stringify(sampleImage().manifest).replace('{', '{"layers":[],');
    registry.addManifest('team/app', 'x', Buffer.from(raw));
    await using repository = repositoryOf(registry);
    await failure(repository.resolve('x'), 'manifest.invalid', /appears twice/);
  });

  it('B43 a Docker-Content-Digest that lies is refused, and so is another manifest than the digest asked for', async () => {
    await using registry = await FakeRegistry.start();
    const raw = JSON.stringify(sampleImage().manifest);
    registry.intercept = (seen, response) => {
      if (!seen.path.includes('/manifests/')) return false;
      const lie = seen.path.endsWith('/lie') ? { 'docker-content-digest': digestOf('other') } : {};
      response.writeHead(200, { 'content-type': MEDIA.ociManifest, ...lie }).end(raw);
      return true;
    };
    await using repository = repositoryOf(registry);
    await failure(repository.resolve('lie'), 'blob.digest-mismatch', /was said to be/);
    await failure(repository.resolve(digestOf('wanted')), 'blob.digest-mismatch', /was said to be/);
  });

  it('B44 a portal that answers with web pages is said to be no registry', async () => {
    await using registry = await FakeRegistry.start();
    const page = (response: ServerResponse): true => {
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('<html>please log in</html>');
      return true;
    };
    registry.intercept = (_seen, response) => page(response);
    await using repository = repositoryOf(registry);
    await failure(repository.resolve('x'), 'registry.not-a-registry', /is not a registry/);
    registry.intercept = (seen, response) => seen.path !== '/v2/' && page(response);
    await using late = repositoryOf(registry);
    await failure(late.resolve('x'), 'registry.not-a-registry', /web page/);
    registry.intercept = (_seen, response) => {
      response.writeHead(302, { location: 'http://portal.example/login?token=abc' }).end();
      return true;
    };
    await using moved = repositoryOf(registry);
    await failure(moved.resolve('x'), 'registry.not-a-registry', /portal\.example\/login\?…$/);
  });

  it('what a registry says reaches no terminal as control characters', async () => {
    await using registry = await FakeRegistry.start();
    registry.intercept = (seen, response) => {
      if (seen.path === '/v2/') return false;
      specError(response, 400, 'BAD\u001b[2J', 'evil\u001b]0;title\u0007\r\u202e');
      return true;
    };
    await using repository = repositoryOf(registry);
    const error = await failure(repository.resolve('x'), 'registry.request-failed', /evil/);
    assert.doesNotMatch(error.message + String(error.facts['specCodes']), /[\u0000-\u001f\u007f-\u009f\u202e]/);
  });

  it('content that claims an encoding is taken as it is', async () => {
    await using registry = await FakeRegistry.start();
    const content = gzipSync(Buffer.from('layer'));
    const blob = blobOf(content);
    registry.intercept = (seen, response) => {
      if (!isBlobGet(seen)) return false;
      response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': content.length }).end(content);
      return true;
    };
    await using repository = repositoryOf(registry);
    assert.deepEqual(await collect(await repository.open(blob)), content);
  });
});

describe('hostile directions', () => {
  it('B45 a redirect to another host gets no credential, and its 401 no answer', async () => {
    await using registry = await FakeRegistry.start();
    registry.intercept = (seen, response) => {
      if (seen.host === 'cdn.example') return challenge(response, 'Bearer realm="http://cdn.example/token"');
      if (seen.headers.authorization === undefined) return challenge(response, 'Basic realm="x"');
      return redirectTo('http://cdn.example/blob?signature=abc')(
        seen,
        response,
        undefined as unknown as IncomingMessage,
      );
    };
    await using repository = publicRepository(registry, { creds: SECRET });
    const blob = blobOf(Buffer.from('x'));
    const error = await failure(
      repository.open(blob),
      'registry.unauthorized',
      /GET http:\/\/cdn\.example\/blob\?… answered 401/,
    );
    assert.doesNotMatch(JSON.stringify(error.facts), /signature/);
    const foreign = registry.requests.filter((seen) => seen.host === 'cdn.example');
    assert.deepEqual(
      foreign.map((seen) => [seen.path, seen.headers.authorization]),
      [['/blob?signature=abc', undefined]],
    );
    assert.ok(
      registry.requests.some((seen) => seen.host === 'registry.example' && seen.headers.authorization !== undefined),
    );
  });

  it('B45 the same host on another port is another host', async () => {
    await using registry = await FakeRegistry.start();
    const { digest, size } = registry.addBlob('content');
    registry.intercept = (seen, response, request) => {
      if (seen.host === 'registry.example:8080') {
        response.writeHead(200, { 'content-length': size }).end('content');
        return true;
      }
      if (seen.headers.authorization === undefined) return challenge(response, 'Basic realm="x"');
      return redirectTo('http://registry.example:8080/blob')(seen, response, request);
    };
    await using repository = publicRepository(registry, { creds: SECRET });
    assert.equal(
      (await collect(await repository.open({ mediaType: MEDIA.ociLayer, digest, size }))).toString(),
      'content',
    );
    const foreign = registry.requests.filter((seen) => seen.host === 'registry.example:8080');
    assert.deepEqual(
      foreign.map((seen) => seen.headers.authorization),
      [undefined],
    );
  });

  const realms = [
    'http://169.254.169.254/latest/meta-data',
    'http://127.0.0.1:6379/',
    'http://[::]/',
    'http://[::ffff:10.0.0.1]/',
    'http://2130706433/',
    'http://localhost:1/',
    'file:///etc/passwd',
    'gopher://x.example/',
    '//x.example/token',
    'http://elsewhere.example/token',
  ];
  for (const realm of realms) {
    it(`B46 the realm ${realm} is never asked`, async () => {
      await using registry = await FakeRegistry.start();
      registry.intercept = (_seen, response) => challenge(response, `Bearer realm="${realm}",service="x"`);
      await using repository = publicRepository(registry, { creds: SECRET });
      await failure(repository.resolve('x'), 'registry.request-failed', /realm/);
      assert.deepEqual(registry.trace, ['GET /v2/']);
    });
  }

  it('B46 a realm on the registry itself works, a redirect from it is not followed', async () => {
    await using registry = await FakeRegistry.start();
    registry.addManifest('team/app', 'x', sampleImage().manifest);
    let redirects = false;
    registry.intercept = (seen, response) => {
      if (seen.path.startsWith('/token')) {
        if (redirects) response.writeHead(302, { location: 'http://169.254.169.254/' }).end();
        else response.writeHead(200).end(JSON.stringify({ token: 'abc', expires_in: 300 }));
        return true;
      }
      if (seen.headers.authorization === 'Bearer abc') return false;
      return challenge(response, `Bearer realm="http://${registry.host}/token",service="svc"`);
    };
    await using repository = repositoryOf(registry, { creds: SECRET });
    await repository.resolve('x');
    const asked = registry.requests.find((seen) => seen.path.startsWith('/token'))!;
    assert.equal(asked.path, '/token?service=svc&scope=repository%3Ateam%2Fapp%3Apull&account=ann');
    assert.equal(asked.headers.authorization, `Basic ${Buffer.from('ann:s3cret').toString('base64')}`);
    redirects = true;
    await using other = repositoryOf(registry, { creds: SECRET });
    await failure(other.resolve('x'), 'registry.request-failed', /answered 302/);
  });

  for (const location of [
    'http://169.254.169.254/x',
    'http://10.1.2.3/x',
    'http://localhost:1/x',
    'file:///etc/passwd',
    'http://[fe80::1]/',
  ]) {
    it(`B47 blobs, uploads and pages that point to ${location} make no request`, async () => {
      await using registry = await FakeRegistry.start();
      registry.intercept = redirectTo(location);
      await using repository = publicRepository(registry);
      const blob = blobOf(Buffer.from('x'));
      await failure(repository.open(blob), 'registry.request-failed', /redirect that is not followed/);
      registry.intercept = (seen, response) => {
        if (seen.method === 'POST') response.writeHead(202, { location }).end();
        else if (seen.path.includes('/tags/')) {
          response.writeHead(200, { link: `<${location}>; rel="next"` }).end('{"tags":["a"]}');
        } else return false;
        return true;
      };
      async function* content() {
        yield Buffer.from('x');
      }
      await failure(
        repository.push(blob, content()),
        'registry.request-failed',
        /upload location that is not followed/,
      );
      await failure(repository.tags(), 'registry.request-failed', /page link that is not followed/);
      assert.deepEqual([...new Set(registry.requests.map((seen) => seen.host))], ['registry.example']);
    });
  }

  it('B47 urls in a descriptor are never asked', async () => {
    await using registry = await FakeRegistry.start();
    const image = sampleImage();
    const foreign = {
      ...image.manifest.layers[0]!,
      mediaType: MEDIA.dockerForeignLayerGzip,
      urls: [`http://${registry.host}/canary`],
    };
    registry.addManifest('team/app', 'x', { ...image.manifest, layers: [foreign] });
    for (const [d, content] of image.blobs) if (d.digest === image.manifest.config.digest) registry.addBlob(content);
    await using from = repositoryOf(registry);
    await using to = repositoryOf(registry, {}, 'team/other');
    await copyImage(from, 'x', to, 'x');
    assert.equal(
      registry.trace.some((line) => line.includes('canary')),
      false,
    );
  });

  it('a page link to another public host is not followed', async () => {
    await using registry = await FakeRegistry.start();
    registry.intercept = (seen, response) => {
      if (!seen.path.includes('/tags/')) return false;
      response.writeHead(200, { link: '<http://other.example/v2/x/tags/list>; rel="next"' }).end('{"tags":[]}');
      return true;
    };
    await using repository = publicRepository(registry);
    await failure(repository.tags(), 'registry.request-failed', /page link to other\.example/);
  });

  it('redirects in a circle end', async () => {
    await using registry = await FakeRegistry.start();
    registry.intercept = (seen, response) => {
      if (!isBlobGet(seen)) return false;
      response.writeHead(302, { location: seen.path }).end();
      return true;
    };
    await using repository = repositoryOf(registry);
    await failure(repository.open(blobOf(Buffer.from('x'))), 'registry.request-failed', /more than 10 redirects/);
  });
});
