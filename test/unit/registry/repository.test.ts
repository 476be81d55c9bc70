/** What a well-meaning but unreliable registry must not stop. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { openRepository, type Repository, type RepositoryOptions } from '../../../src/registry/repository.ts';
import { isBuilderError } from '../../../src/report/builder-error.ts';
import { digestOf } from '../../../src/spec/digest.ts';
import { MEDIA } from '../../../src/spec/media-type.ts';
import { parseReference } from '../../../src/spec/reference.ts';
import { FakeRegistry, specError } from '../../support/fake-registry.ts';
import { bytesOf, collect, descriptorOf, sampleImage, storeImage } from '../../support/sample-image.ts';

function repositoryOf(registry: FakeRegistry, more: RepositoryOptions = {}): Repository {
  return openRepository(parseReference(`${registry.host}/team/app`), {
    tlsVerify: false,
    env: registry.plainEnv,
    retryDelayMs: 1,
    ...more,
  });
}

const layer = (content: Buffer) => descriptorOf(content, MEDIA.ociLayer);

describe('openRepository', () => {
  it('stores an image and gives it back, each manifest in one request', async () => {
    await using registry = await FakeRegistry.start();
    const image = sampleImage();
    await using writer = repositoryOf(registry);
    for (const [d, content] of image.blobs) await writer.push(d, bytesOf(content));
    await writer.pushNamed(image.descriptor, bytesOf(image.raw), 'v1');
    assert.equal(
      registry.requests.filter((seen) => seen.method === 'PUT' && seen.path.includes('manifests')).length,
      1,
    );
    await using reader = repositoryOf(registry);
    const resolved = await reader.resolve('v1');
    assert.deepEqual(resolved, image.descriptor);
    assert.deepEqual(await collect(await reader.open(resolved)), image.raw);
    for (const [d, content] of image.blobs) {
      assert.equal(await reader.exists(d), true);
      assert.deepEqual(await collect(await reader.open(d)), content);
    }
    assert.deepEqual(await reader.tags(), ['v1']);
    const manifestGets = registry.requests.filter((s) => s.method === 'GET' && s.path.includes('/manifests/'));
    assert.equal(manifestGets.length, 1);
  });

  it('F22 goes on where a blob broke off', async () => {
    await using registry = await FakeRegistry.start();
    const content = randomBytes(3_000_000);
    registry.addBlob(content);
    registry.intercept = (seen, response) => {
      if (!seen.path.includes('/blobs/')) return false;
      const from = Number(/bytes=(\d+)-/.exec(seen.headers.range ?? 'bytes=0-')![1]);
      if (from > 2_000_000) return false;
      response.writeHead(from === 0 ? 200 : 206, {
        'content-length': content.length - from,
        ...(from === 0 ? {} : { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` }),
      });
      response.write(content.subarray(from, from + 700_000), () => setTimeout(() => response.destroy(), 5));
      return true;
    };
    await using repository = repositoryOf(registry);
    assert.ok((await collect(await repository.open(layer(content)))).equals(content));
    const ranges = registry.requests.map((seen) => seen.headers.range).filter((range) => range !== undefined);
    assert.ok(ranges.length >= 3);
  });

  it('F22 skips what it has when a range is answered with everything', async () => {
    await using registry = await FakeRegistry.start();
    const content = randomBytes(500_000);
    let requests = 0;
    registry.intercept = (seen, response) => {
      if (!seen.path.includes('/blobs/')) return false;
      requests += 1;
      response.writeHead(200, { 'content-length': content.length });
      if (requests > 1) response.end(content);
      else response.write(content.subarray(0, 200_000), () => setTimeout(() => response.destroy(), 5));
      return true;
    };
    await using repository = repositoryOf(registry);
    assert.ok((await collect(await repository.open(layer(content)))).equals(content));
    assert.equal(requests, 2);
  });

  it('F22 a range answered with another one, and 416, are errors', async () => {
    for (const status of [206, 416]) {
      await using registry = await FakeRegistry.start();
      const content = randomBytes(500_000);
      registry.intercept = (seen, response) => {
        if (!seen.path.includes('/blobs/')) return false;
        if (seen.headers.range === undefined) {
          response.writeHead(200, { 'content-length': content.length });
          response.write(content.subarray(0, 200_000), () => setTimeout(() => response.destroy(), 5));
        } else response.writeHead(status, { 'content-range': 'bytes 0-9/500000', connection: 'close' }).end();
        return true;
      };
      await using repository = repositoryOf(registry);
      await assert.rejects(
        repository.open(layer(content)).then(collect),
        (error) => isBuilderError(error, 'registry.request-failed') || isBuilderError(error, 'blob.digest-mismatch'),
      );
    }
  });

  it('F22 asks again for a manifest or a list of tags that broke off', async () => {
    await using registry = await FakeRegistry.start();
    const image = sampleImage();
    registry.addManifest('team/app', 'x', image.raw);
    let cuts = 0;
    registry.intercept = (seen, response) => {
      if (seen.path === '/v2/' || cuts++ % 3 === 2) return false;
      response.writeHead(200, { 'content-type': MEDIA.ociManifest, 'content-length': 5000 });
      response.write('{"name":', () => setTimeout(() => response.destroy(), 5));
      return true;
    };
    await using repository = repositoryOf(registry);
    assert.deepEqual(await repository.resolve('x'), image.descriptor);
    assert.deepEqual(await repository.tags(), ['x']);
    assert.equal(cuts, 6);
  });

  it('F22 waits out 429 and 5xx, and gives up after the retries', async () => {
    await using registry = await FakeRegistry.start();
    registry.addManifest('team/app', 'x', sampleImage().manifest);
    const answers = [429, 500, 503];
    registry.intercept = (seen, response) => {
      const status = seen.path.includes('/manifests/') ? answers.shift() : undefined;
      if (status === undefined) return false;
      response.setHeader('retry-after', status === 429 ? '0' : 'garbage');
      specError(response, status, 'TOOMANYREQUESTS', 'slow down');
      return true;
    };
    await using repository = repositoryOf(registry);
    await repository.resolve('x');
    answers.push(502, 502, 502, 502);
    await assert.rejects(repository.resolve('x'), (error) => {
      assert.ok(isBuilderError(error, 'registry.request-failed'));
      assert.match(
        error.message,
        /^cannot fetch manifest x of .*: GET http:.* answered 502 \(TOOMANYREQUESTS: slow down\)$/,
      );
      assert.deepEqual(
        [error.facts['status'], error.facts['specCodes'], error.facts['retryable']],
        [502, 'TOOMANYREQUESTS', true],
      );
      return true;
    });
    assert.equal(answers.length, 0);
  });

  it('F24 404 and 401 are not tried again', async () => {
    await using registry = await FakeRegistry.start();
    await using repository = repositoryOf(registry);
    await assert.rejects(repository.resolve('none'), (error) => isBuilderError(error) && error.facts['status'] === 404);
    assert.equal(registry.requests.length, 2);
    const absent = layer(Buffer.from('absent'));
    await assert.rejects(repository.open(absent), (error) => isBuilderError(error, 'blob.not-found'));
    assert.equal(await repository.exists(absent), false);
  });

  it('F24 a token that runs out in the middle is renewed once', async () => {
    await using registry = await FakeRegistry.start();
    const image = sampleImage();
    registry.addManifest('team/app', 'x', image.raw);
    let issued = 0;
    let valid = '';
    registry.intercept = (seen, response) => {
      if (seen.path.startsWith('/token')) {
        issued += 1;
        valid = `token${issued}`;
        response.writeHead(200).end(JSON.stringify({ access_token: valid, expires_in: 3600 }));
        return true;
      }
      if (seen.headers.authorization === `Bearer ${valid}`) return false;
      response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${registry.host}/token"` }).end();
      return true;
    };
    await using repository = repositoryOf(registry);
    await repository.resolve('x');
    await repository.resolve('x');
    assert.equal(issued, 1);
    valid = 'revoked';
    await repository.resolve('x');
    assert.equal(issued, 2);
    registry.intercept = (seen, response) => {
      if (seen.path.startsWith('/token')) response.writeHead(200).end('{"token":"useless"}');
      else response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${registry.host}/token"` }).end();
      return true;
    };
    await assert.rejects(repository.resolve('x'), (error) => isBuilderError(error, 'registry.unauthorized'));
  });

  it('X12 an identity token is exchanged by POST and never sent to the registry', async () => {
    await using registry = await FakeRegistry.start();
    registry.addManifest('team/app', 'x', sampleImage().manifest);
    let form = '';
    registry.intercept = (seen, response, request) => {
      if (seen.path.startsWith('/token')) {
        request.on('data', (chunk: Buffer) => {
          form += chunk.toString();
        });
        request.on('end', () => response.writeHead(200).end('{"access_token":"t"}'));
        return true;
      }
      if (seen.headers.authorization === 'Bearer t') return false;
      response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${registry.host}/token",service="s"` }).end();
      return true;
    };
    const { mkdtempSync, writeFileSync, rmSync } = await import('node:fs');
    const directory = mkdtempSync('/tmp/slipway-identity-');
    const authfile = `${directory}/auth.json`;
    writeFileSync(authfile, JSON.stringify({ auths: { [registry.host]: { identitytoken: 'refresh-me' } } }));
    await using repository = repositoryOf(registry, { authfile });
    await repository.resolve('x');
    rmSync(directory, { recursive: true });
    assert.equal(
      form,
      'service=s&grant_type=refresh_token&client_id=slipway&refresh_token=refresh-me&scope=repository%3Ateam%2Fapp%3Apull',
    );
  });

  it('an upload keeps the query of its location and names the digest', async () => {
    await using registry = await FakeRegistry.start();
    await using repository = repositoryOf(registry);
    const content = Buffer.from('content');
    await repository.push(layer(content), bytesOf(content));
    assert.deepEqual(registry.trace.slice(1), [
      'POST /v2/team/app/blobs/uploads/',
      `PUT /v2/team/app/blobs/uploads/1?state=a%2Bb&digest=${encodeURIComponent(digestOf(content))}`,
    ]);
  });

  it('a small blob that fails is sent again, wrong content is not', async () => {
    await using registry = await FakeRegistry.start();
    let failures = 2;
    registry.intercept = (seen, response, request) => {
      if (seen.method !== 'PUT' || failures-- <= 0) return false;
      request.resume().on('end', () => response.writeHead(503).end());
      return true;
    };
    await using repository = repositoryOf(registry);
    const content = Buffer.from('content');
    await repository.push(layer(content), bytesOf(content));
    assert.deepEqual(registry.blobs.get(digestOf(content)), content);
    const before = registry.requests.length;
    await assert.rejects(repository.push(layer(Buffer.from('promised')), bytesOf('somethin')), (error) =>
      isBuilderError(error, 'blob.digest-mismatch'),
    );
    assert.equal(registry.requests.length, before);
  });

  it('a streamed blob of wrong content never becomes one', async () => {
    await using registry = await FakeRegistry.start();
    await using repository = repositoryOf(registry);
    const content = randomBytes(6_000_000);
    const other = Buffer.from(content);
    other[5_999_999]! ^= 1;
    await assert.rejects(
      repository.push(layer(content), bytesOf(other)),
      (error) => isBuilderError(error, 'blob.digest-mismatch') && /digest/.test(error.message),
    );
    assert.equal(registry.blobs.size, 0);
    await repository.push(layer(content), bytesOf(content));
    assert.ok(registry.blobs.get(digestOf(content))!.equals(content));
  });

  it('content of unknown digest goes in chunks, a lost answer is asked after', async () => {
    await using registry = await FakeRegistry.start();
    let patches = 0;
    registry.intercept = (seen, response) => {
      if (seen.method !== 'PATCH') return false;
      patches += 1;
      // The second chunk's connection breaks before anything arrives.
      if (patches !== 2) return false;
      response.destroy();
      return true;
    };
    await using repository = repositoryOf(registry);
    const content = randomBytes(20_000_000);
    const stored = await repository.pushUnsized(bytesOf(content.subarray(0, 9_000_000), content.subarray(9_000_000)));
    assert.deepEqual(stored, { digest: digestOf(content), size: content.length });
    assert.ok(registry.blobs.get(stored.digest)!.equals(content));
    assert.equal(patches, 4);
    const ranges = registry.requests.filter((s) => s.method === 'PATCH').map((s) => s.headers['content-range']);
    assert.deepEqual(ranges, ['0-8388607', '8388608-16777215', '8388608-16777215', '16777216-19999999']);
  });

  it('a registry that asks for a login only at the first upload gets it with the streamed body too', async () => {
    await using registry = await FakeRegistry.start();
    registry.intercept = (seen, response) => {
      if (seen.path === '/v2/' || seen.headers.authorization !== undefined) return false;
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      return true;
    };
    await using repository = repositoryOf(registry, { creds: { username: 'u', password: 'p' } });
    const content = randomBytes(5_000_000);
    await repository.push(layer(content), bytesOf(content));
    assert.ok(registry.blobs.has(digestOf(content)));
  });

  it('mounts a blob, or goes on with the upload a refused mount began', async () => {
    await using registry = await FakeRegistry.start();
    await using repository = repositoryOf(registry);
    const content = Buffer.from('content');
    registry.addBlob(content);
    assert.equal(await repository.mountFrom('team/base', layer(content)), true);
    registry.canMount = false;
    const other = Buffer.from('other');
    assert.equal(await repository.mountFrom('team/base', layer(other)), false);
    await repository.push(layer(other), bytesOf(other));
    assert.equal(registry.requests.filter((seen) => seen.method === 'POST').length, 2);
  });

  it('tags over several pages', async () => {
    await using registry = await FakeRegistry.start();
    registry.intercept = (seen, response) => {
      if (!seen.path.includes('/tags/')) return false;
      const isFirst = !seen.path.includes('last=');
      if (isFirst) response.setHeader('link', '</v2/team/app/tags/list?last=b&n=2>; rel="next"');
      response.writeHead(200).end(JSON.stringify({ tags: isFirst ? ['a', 'b'] : ['c'] }));
      return true;
    };
    await using repository = repositoryOf(registry);
    assert.deepEqual(await repository.tags(), ['a', 'b', 'c']);
  });

  it('F23 standstill and crawl end', async () => {
    await using registry = await FakeRegistry.start();
    const timeouts = { headersMs: 150, idleMs: 150 };
    registry.intercept = (seen) => seen.path.includes('/manifests/');
    await using repository = repositoryOf(registry, { timeouts, retries: 0 });
    await assert.rejects(repository.resolve('x'), (error) => isBuilderError(error) && /no answer/.test(error.message));
    registry.intercept = (seen, response) => {
      if (!seen.path.includes('/blobs/')) return false;
      response.writeHead(200, { 'content-length': 100_000 });
      const timer = setInterval(() => response.write('x'), 20);
      response.on('close', () => clearInterval(timer));
      return true;
    };
    await assert.rejects(
      repository.open(layer(Buffer.alloc(100_000))).then(collect),
      (error) => isBuilderError(error) && /stood still/.test(error.message),
    );
  });

  it('cancelling ends a transfer at once with the reason', async () => {
    await using registry = await FakeRegistry.start();
    registry.intercept = (seen) => seen.path.includes('/manifests/');
    const controller = new AbortController();
    await using repository = repositoryOf(registry, { signal: controller.signal });
    const reason = new Error('stop');
    setTimeout(() => controller.abort(reason), 50);
    await assert.rejects(repository.resolve('x'), (error) => error === reason);
  });

  it('nobody listening is an error at once, with the registry in it', async () => {
    const gone = await FakeRegistry.start();
    const { host, plainEnv } = gone;
    await gone[Symbol.asyncDispose]();
    await using repository = openRepository(parseReference(`${host}/x`), { tlsVerify: false, env: plainEnv });
    await assert.rejects(
      repository.resolve('x'),
      (error) =>
        isBuilderError(error, 'registry.request-failed') &&
        error.message.includes(host) &&
        /ECONNREFUSED/.test(error.message),
    );
  });

  it('one connection serves requests that follow each other', async () => {
    await using registry = await FakeRegistry.start();
    const image = sampleImage();
    const ports = new Set<number | undefined>();
    registry.intercept = (_seen, _response, request) => {
      ports.add(request.socket.remotePort);
      return false;
    };
    await using repository = repositoryOf(registry, { creds: { username: 'u', password: 'p' } });
    await storeImage(image, repository, 'x');
    for (const [d] of image.blobs) await repository.exists(d);
    assert.equal(ports.size, 1);
  });

  it('a short name has no repository', () => {
    assert.throws(
      () => openRepository(parseReference('alpine')),
      (error) => isBuilderError(error, 'reference.invalid'),
    );
  });

  it('the same image stored twice is the same', async () => {
    await using registry = await FakeRegistry.start();
    await using repository = repositoryOf(registry);
    const image = sampleImage();
    await storeImage(image, repository, 'a');
    await storeImage(image, repository, 'b');
    assert.deepEqual(await repository.resolve('a'), await repository.resolve('b'));
  });
});
