/** Against a real registry: plain http, TLS with a certificate of our own, and a login. Checked with skopeo. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { compress } from '../../src/archive/compression.ts';
import { copyImage } from '../../src/image/copy.ts';
import { openTransport } from '../../src/image/transport/open-transport.ts';
import { findCredentials, removeCredentials, saveCredentials } from '../../src/registry/credentials.ts';
import { EMPTY_REGISTRIES_CONF } from '../../src/registry/registries-conf.ts';
import { checkLogin, openRepository, type RepositoryOptions } from '../../src/registry/repository.ts';
import { isBuilderError } from '../../src/report/builder-error.ts';
import type { BuildEvent } from '../../src/report/event.ts';
import { MEDIA } from '../../src/spec/media-type.ts';
import { parseReference } from '../../src/spec/reference.ts';
import { parseManifest } from '../../src/spec/schema.ts';
import { bytesOf, collect, descriptorOf, sampleImage, storeImage, tinyTar } from '../support/sample-image.ts';

function missingTool(): string | undefined {
  const tools = ['docker-registry', 'skopeo', 'openssl', 'htpasswd'];
  const missing = tools.filter((tool) => spawnSync('which', [tool]).status !== 0);
  return missing.length === 0 ? undefined : `not installed: ${missing.join(', ')}`;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

class RealRegistry {
  readonly host: string;
  readonly #process: ChildProcess;

  private constructor(host: string, child: ChildProcess) {
    this.host = host;
    this.#process = child;
  }

  /** @param http extra lines of the `http` section, @param auth the `auth` section */
  static async start(directory: string, http = '', auth = ''): Promise<RealRegistry> {
    const host = `127.0.0.1:${await freePort()}`;
    mkdirSync(directory, { recursive: true });
    const config = `version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: ${directory}/data}
  delete: {enabled: true}
${auth}
http:
  addr: ${host}
  secret: test
${http}
`;
    writeFileSync(join(directory, 'config.yml'), config);
    const child = spawn('docker-registry', ['serve', join(directory, 'config.yml')], { stdio: 'ignore' });
    const registry = new RealRegistry(host, child);
    await registry.#ready();
    return registry;
  }

  async #ready(): Promise<void> {
    for (let attempt = 0; attempt < 100; attempt++) {
      const answered = spawnSync('curl', ['-sko', '/dev/null', `http://${this.host}/v2/`]).status === 0;
      if (answered) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error('docker-registry did not start');
  }

  stop(): void {
    this.#process.kill('SIGKILL');
  }
}

const skip = missingTool();

describe('a real registry', { skip: skip ?? false }, () => {
  const work = mkdtempSync(join(tmpdir(), 'slipway-registry-'));
  const env = { HOME: join(work, 'home'), XDG_RUNTIME_DIR: join(work, 'run'), PATH: process.env['PATH'] };
  const registries: RealRegistry[] = [];
  let plain: RealRegistry;
  let locked: RealRegistry;
  const certs = join(work, 'certs');
  const plainOptions: RepositoryOptions = { tlsVerify: false, env, retryDelayMs: 10 };
  const lockedOptions: RepositoryOptions = { certDir: certs, env, retryDelayMs: 10 };
  const creds = { username: 'ann', password: 'secret:with:colons' };

  const skopeo = (...args: string[]): string =>
    execFileSync('skopeo', ['--insecure-policy', ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

  before(async () => {
    mkdirSync(certs);
    execFileSync(
      'openssl',
      ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1'].concat([
        '-addext',
        'subjectAltName=IP:127.0.0.1',
        '-keyout',
        join(work, 'tls.key'),
        '-out',
        join(certs, 'ca.crt'),
      ]),
      { stdio: 'ignore' },
    );
    const users = execFileSync('htpasswd', ['-Bbn', creds.username, creds.password], { encoding: 'utf8' });
    writeFileSync(join(work, 'htpasswd'), users);
    plain = await RealRegistry.start(join(work, 'plain'));
    registries.push(plain);
    locked = await RealRegistry.start(
      join(work, 'locked'),
      `  tls: {certificate: ${join(certs, 'ca.crt')}, key: ${join(work, 'tls.key')}}`,
      `auth: {htpasswd: {realm: test, path: ${join(work, 'htpasswd')}}}`,
    );
    registries.push(locked);
  });

  after(() => {
    for (const registry of registries) registry.stop();
    rmSync(work, { recursive: true, force: true });
  });

  const target = (location: string, access: 'read' | 'write', registry: RepositoryOptions = plainOptions) =>
    openTransport('docker', location, access, { registry, registriesConf: EMPTY_REGISTRIES_CONF });

  it('an image pushed over plain http is the same image to skopeo', async () => {
    const image = sampleImage();
    await using layout = await openTransport('oci', `${join(work, 'layout')}:one`, 'write');
    await storeImage(image, layout, '');
    await using to = await target(`${plain.host}/team/app:one`, 'write');
    const written = await copyImage(layout, '', to, '');
    assert.equal(written.digest, image.descriptor.digest);
    const raw = skopeo('inspect', '--raw', '--tls-verify=false', `docker://${plain.host}/team/app:one`);
    assert.equal(raw, image.raw.toString('utf8'));
  });

  it('what skopeo pushed is pulled bit by bit, and read back by skopeo from every transport', async () => {
    const image = sampleImage({ format: 'docker' });
    const source = await openTransport('dir', join(work, 'dir-in'), 'write');
    await storeImage(image, source, '');
    skopeo('copy', '--dest-tls-verify=false', `dir:${join(work, 'dir-in')}`, `docker://${plain.host}/team/docker:1`);
    for (const [scheme, location] of [
      ['dir', join(work, 'dir-out')],
      ['oci', `${join(work, 'oci-out')}:name`],
      ['oci-archive', `${join(work, 'oci.tar')}:name`],
      ['docker-archive', `${join(work, 'docker.tar')}:example.com/x/y:1`],
    ] as const) {
      {
        await using from = await target(`${plain.host}/team/docker:1`, 'read');
        await using to = await openTransport(scheme, location, 'write');
        await copyImage(from, '', to, '');
      }
      const inspected = JSON.parse(skopeo('inspect', '--config', `${scheme}:${location}`)) as {
        rootfs: { diff_ids: string[] };
      };
      assert.equal(inspected.rootfs.diff_ids.length, 2, scheme);
      skopeo('copy', `${scheme}:${location}`, `dir:${join(work, `again-${scheme}`)}`);
      await using back = await openTransport(scheme, location, 'read');
      await using layout = await openTransport('oci', join(work, `back-${scheme}`), 'write');
      const copied = await copyImage(back, '', layout, '');
      assert.equal(copied.mediaType, MEDIA.ociManifest);
    }
    assert.equal(readFileSync(join(work, 'dir-out/manifest.json'), 'utf8'), image.raw.toString('utf8'));
  });

  it('archives that skopeo wrote are read by name', async () => {
    skopeo('copy', `dir:${join(work, 'dir-in')}`, `docker-archive:${join(work, 'theirs.tar')}:example.com/x:7`);
    skopeo('copy', `dir:${join(work, 'dir-in')}`, `oci-archive:${join(work, 'theirs-oci.tar')}:seven`);
    for (const [scheme, location] of [
      ['docker-archive', `${join(work, 'theirs.tar')}:example.com/x:7`],
      ['oci-archive', `${join(work, 'theirs-oci.tar')}:seven`],
    ] as const) {
      await using from = await openTransport(scheme, location, 'read');
      await using to = await target(`${plain.host}/team/${scheme}:7`, 'write');
      await copyImage(from, '', to, '');
      skopeo('inspect', '--tls-verify=false', `docker://${plain.host}/team/${scheme}:7`);
    }
  });

  it('uncompressed layers are compressed on their way and the manifest says so', async () => {
    const image = sampleImage({ tars: [Buffer.concat([tinyTar('x'), randomBytes(9_000_000)])], isCompressed: false });
    await using layout = await openTransport('oci', join(work, 'raw-layout'), 'write');
    await storeImage(image, layout, '');
    await using to = await target(`${plain.host}/team/compressed:1`, 'write');
    const written = await copyImage(layout, '', to, '', {
      transformLayer: async (layer) => ({
        mediaType: MEDIA.ociLayerGzip,
        content: compress(await layer.open(), 'gzip', 1),
      }),
    });
    const raw = skopeo('inspect', '--raw', '--tls-verify=false', `docker://${plain.host}/team/compressed:1`);
    const parsed = parseManifest(Buffer.from(raw), written.mediaType);
    assert.ok(parsed.kind === 'manifest');
    assert.deepEqual(
      parsed.value.layers.map((layer) => layer.mediaType),
      [MEDIA.ociLayerGzip],
    );
    assert.deepEqual(parsed.value.config, image.manifest.config);
    skopeo(
      'copy',
      '--src-tls-verify=false',
      `docker://${plain.host}/team/compressed:1`,
      `dir:${join(work, 'compressed')}`,
    );
  });

  it('large blobs travel in both directions and a second push moves nothing', async () => {
    const content = randomBytes(20 * 1024 * 1024);
    const blob = descriptorOf(content, MEDIA.ociLayer);
    await using repository = openRepository(parseReference(`${plain.host}/team/large`), plainOptions);
    await repository.push(blob, bytesOf(content.subarray(0, 7_000_000), content.subarray(7_000_000)));
    assert.ok((await collect(await repository.open(blob))).equals(content));
    const image = sampleImage();
    await storeImage(image, repository, 'v1');
    await using other = openRepository(parseReference(`${plain.host}/team/other`), plainOptions);
    const states: string[] = [];
    const emit = (event: BuildEvent): void => {
      if (event.type === 'transfer' && event.label.startsWith('Copying')) states.push(event.state);
    };
    await copyImage(repository, 'v1', other, 'v1', { emit, mountFrom: ['team/large'] });
    assert.deepEqual(states, ['mounted', 'mounted', 'mounted']);
    states.length = 0;
    await copyImage(repository, 'v1', other, 'v2', { emit });
    assert.deepEqual(states, ['skipped', 'skipped', 'skipped']);
    assert.deepEqual([...(await other.tags())].sort(), ['v1', 'v2']);
  });

  it('an index goes whole, or only the platform asked for', async () => {
    const platforms = [
      { os: 'linux', architecture: 'amd64' },
      { os: 'linux', architecture: 'arm64' },
    ];
    await using repository = openRepository(parseReference(`${plain.host}/team/multi`), plainOptions);
    const entries = [];
    for (const platform of platforms) {
      const image = sampleImage({ platform });
      await storeImage(image, repository, platform.architecture);
      entries.push({ ...image.descriptor, platform });
    }
    const raw = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests: entries }));
    const index = descriptorOf(raw, MEDIA.ociIndex);
    await repository.pushNamed(index, bytesOf(raw), 'all');
    await using layout = await openTransport('oci', join(work, 'multi'), 'write');
    assert.equal((await copyImage(repository, 'all', layout, 'all', { platforms: 'all' })).digest, index.digest);
    const one = await copyImage(repository, 'all', layout, 'arm', { platforms: [platforms[1]!] });
    assert.equal(one.digest, entries[1]!.digest);
    skopeo('inspect', '--raw', `oci:${join(work, 'multi')}:all`);
  });

  it('TLS with its own CA and a login', async () => {
    const image = sampleImage();
    await assert.rejects(
      checkLogin(locked.host, { env, creds, retries: 0 }),
      (error) => isBuilderError(error, 'registry.request-failed') && /certs\.d/.test(error.hint ?? ''),
    );
    await assert.rejects(
      checkLogin(locked.host, { ...lockedOptions, creds: { username: 'ann', password: 'wrong' } }),
      (error) => isBuilderError(error, 'registry.unauthorized'),
    );
    await checkLogin(locked.host, { ...lockedOptions, creds });
    const authfile = join(work, 'auth.json');
    assert.equal(await saveCredentials(locked.host, creds, { authfile, env }), authfile);
    assert.equal(statSync(authfile).mode & 0o777, 0o600);
    await using repository = openRepository(parseReference(`${locked.host}/private/app`), {
      ...lockedOptions,
      authfile,
    });
    await storeImage(image, repository, 'latest');
    const raw = skopeo(
      'inspect',
      '--raw',
      '--cert-dir',
      certs,
      '--authfile',
      authfile,
      `docker://${locked.host}/private/app`,
    );
    assert.equal(raw, image.raw.toString('utf8'));
    assert.equal(await removeCredentials(locked.host, { authfile, env }), true);
    assert.equal(await findCredentials(locked.host, { authfile, env }), undefined);
    await using anonymous = openRepository(parseReference(`${locked.host}/private/app`), {
      ...lockedOptions,
      authfile,
    });
    await assert.rejects(anonymous.resolve('latest'), (error) => isBuilderError(error, 'registry.unauthorized'));
  });

  it('a login made by skopeo is found, and ours by skopeo', async () => {
    const authfile = join(work, 'shared.json');
    const login = ['login', '--cert-dir', certs, '--authfile', authfile, '-u', creds.username, '-p', creds.password];
    skopeo(...login, locked.host);
    assert.deepEqual((await findCredentials(locked.host, { authfile, env }))?.credentials, { kind: 'basic', ...creds });
  });

  it('without TLS verification off, plain http is refused with the way out', async () => {
    await using repository = openRepository(parseReference(`${plain.host}/team/app`), { env, retries: 0 });
    await assert.rejects(
      repository.resolve('one'),
      (error) => isBuilderError(error, 'registry.request-failed') && /tls-verify=false/.test(error.hint ?? ''),
    );
  });
});
