/** A registry that means harm to who pushes, lists tags or waits: clear errors, no login elsewhere, an end to everything. */
import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { openRepository, type Repository, type RepositoryOptions } from '../../../src/registry/repository.ts';
import { isBuilderError } from '../../../src/report/builder-error.ts';
import type { ErrorCode } from '../../../src/report/error-codes.ts';
import { digestOf } from '../../../src/spec/digest.ts';
import { MEDIA } from '../../../src/spec/media-type.ts';
import { parseReference } from '../../../src/spec/reference.ts';
import { FakeRegistry } from '../../support/fake-registry.ts';
import { bytesOf, descriptorOf, sampleImage } from '../../support/sample-image.ts';

const LOGIN = { username: 'ann', password: 's3cret' };
const CONTENT = Buffer.from('content');
const BLOB = descriptorOf(CONTENT, MEDIA.ociLayer);

/** The registry under a name of the internet; every other host is the same server. */
function repositoryOf(registry: FakeRegistry, more: RepositoryOptions = {}): Repository {
  const options = { tlsVerify: false, env: registry.proxyEnv, retries: 1, retryDelayMs: 1, creds: LOGIN, ...more };
  return openRepository(parseReference('registry.example/team/app'), options);
}

async function refused(action: Promise<unknown>, code: ErrorCode, why: RegExp): Promise<void> {
  await assert.rejects(action, (error) => {
    assert.ok(isBuilderError(error, code), (error as Error).stack);
    assert.match(error.message, why);
    assert.match(error.message, /registry\.example/);
    assert.doesNotMatch(error.message, /s3cret/);
    return true;
  });
}

describe('a hostile registry and a push', () => {
  it('B45 an upload that goes on at another host goes without the login', async () => {
    await using registry = await FakeRegistry.start();
    registry.intercept = (seen, response) => {
      if (seen.host === 'cdn.example') response.writeHead(201).end();
      else if (seen.headers.authorization === undefined) {
        response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      } else if (seen.method === 'POST') response.writeHead(202, { location: 'http://cdn.example/up?sig=1' }).end();
      else return false;
      return true;
    };
    await using repository = repositoryOf(registry);
    await repository.push(BLOB, bytesOf(CONTENT));
    const foreign = registry.requests.filter((seen) => seen.host === 'cdn.example');
    assert.deepEqual(
      foreign.map((seen) => [seen.method, seen.headers.authorization]),
      [['PUT', undefined]],
    );
  });

  it('an upload without a place, or with one that is no URL, is refused', async () => {
    await using registry = await FakeRegistry.start();
    await using repository = repositoryOf(registry);
    registry.intercept = (seen, response) => {
      if (seen.method === 'POST') response.writeHead(202).end();
      return seen.method === 'POST';
    };
    await refused(repository.push(BLOB, bytesOf(CONTENT)), 'registry.request-failed', /without saying where/);
    registry.intercept = (seen, response) => {
      if (seen.method === 'POST') response.writeHead(202, { location: 'http://[' }).end();
      return seen.method === 'POST';
    };
    await refused(repository.push(BLOB, bytesOf(CONTENT)), 'registry.request-failed', /not a URL/);
  });

  it('a manifest stored under another digest is an error', async () => {
    await using registry = await FakeRegistry.start();
    registry.intercept = (seen, response) => {
      if (seen.method !== 'PUT') return false;
      response.writeHead(201, { 'docker-content-digest': digestOf('other') }).end();
      return true;
    };
    await using repository = repositoryOf(registry);
    const { descriptor, raw } = sampleImage();
    await refused(repository.push(descriptor, bytesOf(raw)), 'blob.digest-mismatch', /stored manifest .* as/);
  });

  it('chunks too large for memory, and a registry that received more than was sent, are refused', async () => {
    await using registry = await FakeRegistry.start();
    await using repository = repositoryOf(registry);
    const location = '/v2/team/app/blobs/uploads/1';
    registry.intercept = (seen, response) => {
      if (seen.method !== 'POST') return false;
      response.writeHead(202, { location, 'oci-chunk-min-length': '1000000000000' }).end();
      return true;
    };
    await refused(repository.pushUnsized(bytesOf(CONTENT)), 'registry.request-failed', /chunks of at least/);
    registry.intercept = (seen, response) => {
      if (seen.method === 'POST') response.writeHead(202, { location }).end();
      else if (seen.method === 'PATCH') response.writeHead(503).end();
      else if (seen.method === 'GET' && seen.path === location) {
        response.writeHead(204, { location, range: '0-999999999' }).end();
      } else return false;
      return true;
    };
    await refused(repository.pushUnsized(bytesOf(CONTENT)), 'registry.request-failed', /answered 503/);
  });
});

describe('a hostile registry and its tags', () => {
  it('pages of tags without end come to one', async () => {
    await using registry = await FakeRegistry.start();
    registry.intercept = (seen, response) => {
      if (!seen.path.includes('/tags/')) return false;
      response.writeHead(200, { link: `<${seen.path}>; rel="next"` }).end('{"tags":["a"]}');
      return true;
    };
    await using repository = repositoryOf(registry);
    await refused(repository.tags(), 'registry.request-failed', /more than 1000 pages/);
  });

  it('what is no list of tags is refused', async () => {
    await using registry = await FakeRegistry.start();
    await using repository = repositoryOf(registry);
    for (const answer of ['hello', '{"tags":"a"}', '{"tags":[1]}', '{"tags":[null]}', '['.repeat(1_000_000)]) {
      registry.intercept = (seen, response) => {
        if (!seen.path.includes('/tags/')) return false;
        response.writeHead(200).end(answer);
        return true;
      };
      await refused(repository.tags(), 'registry.request-failed', /the answer is no tag list/);
    }
  });
});

describe('a registry that keeps its client waiting', () => {
  /** Accepts connections and says each word to each, one by one. */
  async function dripping(words: readonly string[], everyMs: number) {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      let next = 0;
      const timer = setInterval(() => {
        if (next < words.length) socket.write(words[next++]!);
      }, everyMs);
      socket.on('error', () => {}).on('close', () => clearInterval(timer));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    return {
      url: `http://127.0.0.1:${port}`,
      async [Symbol.asyncDispose]() {
        for (const socket of sockets) socket.destroy();
        await new Promise((resolve) => server.close(resolve));
      },
    };
  }

  const slow = { headersMs: 200, idleMs: 200 };
  for (const [name, words] of [
    ['F23 a registry that accepts and never answers', []],
    ['F23 a registry that sends its header letter by letter', [...`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(1000)}`]],
  ] as const) {
    it(name, async () => {
      await using server = await dripping(words, 20);
      const env = { HOME: '/nonexistent', http_proxy: server.url, https_proxy: server.url };
      const options = { tlsVerify: false, env, retries: 1, retryDelayMs: 1, timeouts: slow };
      await using repository = openRepository(parseReference('registry.example/team/app'), options);
      await refused(repository.resolve('x'), 'registry.request-failed', /no answer/);
    });
  }
});
