/** Policies, retries, mirrors and proxies of `pull`, from the library's verb down to requests at a registry. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type Builder, openBuilder } from '../../../src/builder.ts';
import type { BuilderOptions, PullOptions } from '../../../src/container/verb-options.ts';
import { isBuilderError } from '../../../src/report/builder-error.ts';
import { FakeRegistry } from '../../support/fake-registry.ts';
import { sampleImage, tinyTar } from '../../support/sample-image.ts';

let root = '';
let registry: FakeRegistry;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'slipway-pull-'));
  registry = await FakeRegistry.start();
});
afterEach(async () => {
  await registry[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

function file(name: string, text: string): string {
  writeFileSync(join(root, name), text);
  return join(root, name);
}

function serve(content: string): string {
  const image = sampleImage({ tars: [tinyTar(content)] });
  for (const bytes of image.blobs.values()) registry.addBlob(bytes);
  registry.addManifest('team/app', 'latest', image.raw, image.descriptor.mediaType);
  return image.manifest.config.digest.slice('sha256:'.length);
}

const open = (o: BuilderOptions = {}): Promise<Builder> =>
  openBuilder({
    root: join(root, 'store'),
    runroot: join(root, 'state'),
    driver: 'vfs',
    env: registry.plainEnv,
    registriesConf: file('registries.conf', ''),
    ...o,
  });
const platform = { os: 'linux', architecture: 'amd64' };
const reached: PullOptions = { tlsVerify: false, retries: 0, platform };
const requestsOf = (method: string, part: string): number =>
  registry.requests.filter((seen) => seen.method === method && seen.path.includes(part)).length;

describe('pull policies', () => {
  it('missing asks once, never asks never, newer and always ask each time and move only what changed', async () => {
    await using builder = await open();
    const name = `${registry.host}/team/app`;
    const pull = (policy: NonNullable<PullOptions['policy']>) => builder.pull(name, { ...reached, policy });
    const first = serve('one');
    await assert.rejects(pull('never'), (error) => isBuilderError(error, 'image.not-known'));
    assert.equal(registry.requests.length, 0);
    assert.deepEqual(await pull('missing'), [first]);
    registry.requests.length = 0;
    assert.deepEqual([await pull('missing'), await pull('never')], [[first], [first]]);
    assert.equal(registry.requests.length, 0);
    assert.deepEqual(await pull('newer'), [first]);
    assert.equal(requestsOf('GET', '/blobs/'), 0);
    assert.ok(requestsOf('HEAD', '/manifests/') + requestsOf('GET', '/manifests/') > 0);
    const second = serve('two');
    assert.deepEqual([await pull('missing'), await pull('newer')], [[first], [second]]);
    assert.deepEqual(await pull('never'), [second]);
    const third = serve('three');
    assert.deepEqual(await pull('always'), [third]);
  });

  it('newer takes what is here when the registry cannot be asked; always does not', async () => {
    await using builder = await open();
    const name = `${registry.host}/team/app`;
    const id = serve('one');
    await builder.pull(name, reached);
    registry.intercept = (_seen, response) => {
      response.writeHead(404).end();
      return true;
    };
    assert.deepEqual(await builder.pull(name, { ...reached, policy: 'newer' }), [id]);
    await assert.rejects(builder.pull(name, { ...reached, policy: 'always' }));
    await assert.rejects(builder.pull(`${name}:absent`, { ...reached, policy: 'newer' }));
  });
});

describe('retries', () => {
  /** Fails as often as told on manifests, and counts. */
  function busy(times: number): () => number {
    let count = 0;
    registry.intercept = (seen, response) => {
      if (!seen.path.includes('/manifests/')) return false;
      count += 1;
      if (count > times) return false;
      response.writeHead(503).end();
      return true;
    };
    return () => count;
  }

  it('are as many as the call says, else as containers.conf says', async () => {
    const id = serve('one');
    const name = `${registry.host}/team/app`;
    const env = {
      ...registry.plainEnv,
      CONTAINERS_CONF: file('containers.conf', '[engine]\nretry = 1\nretry_delay = "1ms"\n'),
    };
    await using builder = await open({ env });
    const { retries: _, ...plain } = reached;
    let attempts = busy(100);
    await assert.rejects(builder.pull(name, plain), (error) => isBuilderError(error, 'registry.request-failed'));
    assert.equal(attempts(), 2);
    attempts = busy(100);
    await assert.rejects(builder.pull(name, { ...plain, retries: 3 }));
    assert.equal(attempts(), 4);
    attempts = busy(1);
    assert.deepEqual(await builder.pull(name, plain), [id]);
  });
});

describe('mirrors', () => {
  it('are asked first, without the login of the call; the registry itself is asked when they have nothing', async () => {
    const id = serve('one');
    const conf = file(
      'mirrors.conf',
      `[[registry]]
prefix = "origin.test/x"
location = "${registry.host}/team"
insecure = true
[[registry.mirror]]
location = "${registry.host}/mirror"
insecure = true
`,
    );
    registry.intercept = (seen, response) => {
      if (seen.headers.authorization !== undefined || seen.path !== '/v2/') return false;
      response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end();
      return true;
    };
    await using builder = await open({ registriesConf: conf });
    const { tlsVerify: _, ...plain } = reached;
    const creds = { username: 'u', password: 'p' };
    assert.deepEqual(await builder.pull('origin.test/x/app', { ...plain, creds }), [id]);
    const manifests = registry.requests.filter((seen) => seen.path.includes('/manifests/'));
    assert.match(manifests[0]?.path ?? '', /^\/v2\/mirror\/app\//);
    const logins = (part: string) =>
      manifests.filter((seen) => seen.path.includes(part)).map((seen) => seen.headers.authorization);
    assert.deepEqual(new Set(logins('/mirror/')), new Set([undefined]));
    assert.deepEqual(new Set(logins('/team/')), new Set([`Basic ${Buffer.from('u:p').toString('base64')}`]));
  });
});

describe('proxies', () => {
  it('of the environment are used, except for hosts that NO_PROXY names', async () => {
    const id = serve('one');
    await using builder = await open({ env: registry.proxyEnv });
    assert.deepEqual(await builder.pull('far.test:8080/team/app', reached), [id]);
    assert.ok(registry.requests.some((seen) => seen.host === 'far.test:8080'));
    registry.requests.length = 0;
    const upper = {
      ...registry.plainEnv,
      HTTP_PROXY: `http://${registry.host}`,
      HTTPS_PROXY: `http://${registry.host}`,
    };
    await using direct = await open({ root: join(root, 'direct'), env: { ...upper, NO_PROXY: '.test' } });
    await assert.rejects(direct.pull('far.test:8080/team/app', reached));
    assert.equal(registry.requests.length, 0);
  });
});
