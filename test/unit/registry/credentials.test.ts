import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import {
  findCredentials,
  removeAllCredentials,
  removeCredentials,
  saveCredentials,
  writableAuthFile,
} from '../../../src/registry/credentials.ts';
import { isBuilderError } from '../../../src/report/builder-error.ts';

let root = '';
let env: Record<string, string> = {};

const encoded = (user: string, password = 'pw') => ({ auth: Buffer.from(`${user}:${password}`).toString('base64') });

function put(path: string, content: unknown): void {
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), typeof content === 'string' ? content : JSON.stringify(content));
}

async function userOf(target: string, o: Parameters<typeof findCredentials>[1] = {}): Promise<string | undefined> {
  const found = await findCredentials(target, { env, ...o });
  return found?.credentials.kind === 'basic' ? found.credentials.username : undefined;
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'slipway-credentials-'));
  env = { HOME: join(root, 'home'), XDG_RUNTIME_DIR: join(root, 'run'), PATH: `${join(root, 'bin')}:/usr/bin:/bin` };
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('findCredentials', () => {
  it('looks through the files in order', async () => {
    const auths = (user: string) => ({ auths: { 'host.example': encoded(user) } });
    put('home/.dockercfg', { 'host.example': encoded('old') });
    assert.equal(await userOf('host.example/a'), 'old');
    put('home/.docker/config.json', auths('docker'));
    assert.equal(await userOf('host.example/a'), 'docker');
    put('home/.config/containers/auth.json', auths('config'));
    assert.equal(await userOf('host.example/a'), 'config');
    put('run/containers/auth.json', auths('runtime'));
    assert.equal(await userOf('host.example/a'), 'runtime');
    put('dc/config.json', { auths: {} });
    env['DOCKER_CONFIG'] = join(root, 'dc');
    assert.equal(await userOf('host.example/a'), undefined);
    put('env.json', auths('env'));
    env['REGISTRY_AUTH_FILE'] = join(root, 'env.json');
    assert.equal(await userOf('host.example/a'), 'env');
    put('given.json', auths('given'));
    assert.equal(await userOf('host.example/a', { authfile: join(root, 'given.json') }), 'given');
  });

  it('the longest key of a file decides', async () => {
    put('run/containers/auth.json', {
      auths: { 'h.example': encoded('host'), 'h.example/ns': encoded('ns'), 'h.example/ns/repo': encoded('repo') },
    });
    assert.equal(await userOf('h.example/ns/repo'), 'repo');
    assert.equal(await userOf('h.example/ns/other'), 'ns');
    assert.equal(await userOf('h.example/nsx/repo'), 'host');
    assert.equal(await userOf('h.example:5000/ns'), undefined);
  });

  it('knows the old spellings of keys, Docker Hub among them', async () => {
    put('home/.docker/config.json', {
      auths: { 'https://index.docker.io/v1/': encoded('hub'), 'https://h.example/v2/': encoded('old') },
    });
    assert.equal(await userOf('docker.io/library/alpine'), 'hub');
    assert.equal(await userOf('h.example/x'), 'old');
  });

  it('passwords may hold colons, identity tokens are told apart, empty entries are none', async () => {
    put('run/containers/auth.json', {
      auths: { a: encoded('u', 'p:q'), b: { identitytoken: 'tok', auth: encoded('u').auth }, c: {}, d: { auth: '' } },
    });
    const find = async (target: string) => (await findCredentials(target, { env }))?.credentials;
    assert.deepEqual(await find('a'), { kind: 'basic', username: 'u', password: 'p:q' });
    assert.deepEqual(await find('b'), { kind: 'identity-token', token: 'tok' });
    assert.equal(await find('c'), undefined);
    assert.equal(await find('d'), undefined);
  });

  it('a pipe is read once and remembered', async () => {
    const pipe = join(root, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const writing = writeFile(pipe, JSON.stringify({ auths: { 'h.example': encoded('piped') } }));
    assert.equal(await userOf('h.example/a', { authfile: pipe }), 'piped');
    await writing;
    assert.equal(await userOf('h.example/b', { authfile: pipe }), 'piped');
  });

  it('without a runtime directory the file of the caller counts, not of the id in a namespace', () => {
    const bare = { HOME: '/nonexistent', SLIPWAY_ROOTLESS_UID: '1234' };
    assert.equal(writableAuthFile({ env: bare }), '/run/containers/1234/auth.json');
  });

  it('broken files are named, and no secret of theirs', async () => {
    for (const content of [
      '{"auths": {"h": {"auth": "c2VjcmV0"}}',
      '[]',
      { auths: [] },
      { auths: { h: { auth: 1 } } },
      { auths: { h: { auth: 'c2VjcmV0' } } },
    ]) {
      put('run/containers/auth.json', content);
      await assert.rejects(findCredentials('h', { env }), (error) => {
        assert.ok(isBuilderError(error, 'auth.file-invalid'));
        assert.match(error.message, /run\/containers\/auth\.json/);
        assert.doesNotMatch(`${error.message} ${(error.cause as Error | undefined)?.message}`, /c2VjcmV0|secret/);
        return true;
      });
    }
    await assert.rejects(
      findCredentials('h', { env, authfile: join(root, 'absent') }),
      (error) => isBuilderError(error, 'auth.file-invalid') && /does not exist/.test(error.message),
    );
  });
});

describe('credential helpers', () => {
  function putHelper(): void {
    put(
      'bin/docker-credential-test',
      `#!/bin/sh
read -r line || true
case "$1" in
  get) test -f "${root}/kept" && cat "${root}/kept" || { echo "credentials not found in native keychain"; exit 1; } ;;
  store) echo "$line" > "${root}/kept" ;;
  erase) rm "${root}/kept" ;;
  list) echo '{"h.example":"u"}' ;;
esac
`,
    );
    chmodSync(join(root, 'bin/docker-credential-test'), 0o755);
  }

  it('get, store and erase go through the helper of the host', async () => {
    putHelper();
    put('run/containers/auth.json', { credHelpers: { 'h.example': 'test' }, other: 1 });
    assert.equal(await userOf('h.example/x'), undefined);
    assert.equal(
      await saveCredentials('h.example', { username: 'u', password: 'p' }, { env }),
      'docker-credential-test',
    );
    assert.equal(readFileSync(join(root, 'kept'), 'utf8'), '{"ServerURL":"h.example","Username":"u","Secret":"p"}\n');
    assert.equal(await userOf('h.example/x'), 'u');
    writeFileSync(join(root, 'kept'), '{"Username":"<token>","Secret":"t"}');
    assert.deepEqual((await findCredentials('h.example', { env }))?.credentials, {
      kind: 'identity-token',
      token: 't',
    });
    assert.equal(await removeCredentials('h.example', { env }), true);
    assert.equal(await removeCredentials('h.example', { env }), false);
  });

  it('a store for all hosts is asked too, and forgets all', async () => {
    putHelper();
    put('run/containers/auth.json', { credsStore: 'test' });
    writeFileSync(join(root, 'kept'), '{"Username":"v","Secret":"s"}');
    assert.equal(await userOf('any.example/x'), 'v');
    await removeAllCredentials({ env });
    assert.equal(await userOf('any.example/x'), undefined);
  });

  it('helpers of the registry configuration are asked in their order, the files where they are named', async () => {
    putHelper();
    put('run/containers/auth.json', { auths: { 'h.example': encoded('file') } });
    writeFileSync(join(root, 'kept'), '{"Username":"helper","Secret":"s"}');
    assert.equal(await userOf('h.example/x', { helpers: ['test', 'containers-auth.json'] }), 'helper');
    assert.equal(await userOf('h.example/x', { helpers: ['containers-auth.json', 'test'] }), 'file');
    assert.equal(await userOf('h.example/x', { helpers: ['absent', 'containers-auth.json'] }), 'file');
    await assert.rejects(userOf('h.example/x', { helpers: ['absent'] }), /docker-credential-absent get failed/);
    const options = { env, helpers: ['absent', 'test'] };
    const login = { username: 'n', password: 'p' };
    assert.equal(await saveCredentials('h.example', login, options), 'docker-credential-test');
    assert.equal(await removeCredentials('h.example', { env, helpers: ['test', 'containers-auth.json'] }), true);
    assert.equal(await userOf('h.example', { helpers: ['test', 'containers-auth.json'] }), undefined);
  });

  it('a helper that fails, is missing or has a path for a name is an error', async () => {
    putHelper();
    for (const [name, why] of [
      ['absent', /cannot be started/],
      ['../evil', /not a helper name/],
      ['test', /not JSON/],
    ] as const) {
      writeFileSync(join(root, 'kept'), 'garbage');
      put('run/containers/auth.json', { credHelpers: { 'h.example': name } });
      await assert.rejects(
        findCredentials('h.example', { env }),
        (error) => isBuilderError(error, 'auth.file-invalid') && why.test(error.message),
      );
    }
  });
});

describe('saveCredentials and removeCredentials', () => {
  it('write a private file, keep what else is in it, and leave nothing beside it', async () => {
    const path = writableAuthFile({ env });
    assert.equal(path, join(root, 'run/containers/auth.json'));
    await saveCredentials('h.example/ns', { username: 'u', password: 'p' }, { env });
    assert.equal(statSync(path).mode & 0o777, 0o600);
    put('run/containers/auth.json', { ...JSON.parse(readFileSync(path, 'utf8')), credHelpers: { x: 'y' } });
    await saveCredentials('other.example', { username: 'v', password: 'q' }, { env });
    assert.deepEqual(JSON.parse(readFileSync(path, 'utf8')), {
      auths: { 'h.example/ns': encoded('u', 'p'), 'other.example': encoded('v', 'q') },
      credHelpers: { x: 'y' },
    });
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(join(root, 'run/containers')), ['auth.json']);
    assert.equal(await removeCredentials('h.example/ns', { env }), true);
    assert.equal(await removeCredentials('h.example/ns', { env }), false);
    assert.equal(await userOf('other.example'), 'v');
  });

  it('a file in Docker format knows its hub by the URL', async () => {
    const compatAuthFile = join(root, 'docker.json');
    await saveCredentials('docker.io', { username: 'u', password: 'p' }, { env, compatAuthFile });
    assert.deepEqual(Object.keys(JSON.parse(readFileSync(compatAuthFile, 'utf8')).auths), [
      'https://index.docker.io/v1/',
    ]);
    assert.equal(await userOf('docker.io/a', { compatAuthFile }), 'u');
    assert.equal(await removeCredentials('docker.io', { env, compatAuthFile }), true);
  });
});
