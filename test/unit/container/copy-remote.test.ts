import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { DownloadCache } from '../../../src/container/download-cache.ts';
import { gitLogin, httpLogin } from '../../../src/container/remote-login.ts';
import { fetchIfChanged, fetchUrl, nameInUrl } from '../../../src/container/remote-source.ts';
import { digestOf } from '../../../src/spec/digest.ts';

async function serve(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function directoryFor(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'fetch-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const env = {};

test('a file is saved under the name of the URL, mode 0600, with the time of Last-Modified', async (t) => {
  const base = await serve(t, (_, response) => {
    response.setHeader('Last-Modified', 'Thu, 01 Jan 2015 00:00:07 GMT');
    response.end('content');
  });
  const directory = directoryFor(t);
  const file = await fetchUrl(`${base}/a/some%20file.tgz?token=1`, { directory, env });
  assert.deepEqual(file, {
    name: 'some file.tgz',
    digest: digestOf('content'),
    sizeBytes: 7,
    lastModified: { seconds: 1420070407, nanoseconds: 0 },
    validators: { etag: undefined, lastModified: 'Thu, 01 Jan 2015 00:00:07 GMT' },
  });
  const stat = statSync(join(directory, 'some file.tgz'));
  assert.equal(stat.mode & 0o7777, 0o600);
  assert.equal(stat.mtimeMs, 1420070407000);
  assert.equal(readFileSync(join(directory, file.name), 'utf8'), 'content');
});

test('B63 names that are no plain file names are not used', () => {
  const names = ['/', '/a/', '/..%2f..%2fetc%2fx', '/%2e%2e', '/a%00b', '/a%0ab', '/%ff', `/${'x'.repeat(256)}`];
  for (const path of names) assert.equal(nameInUrl(`http://h${path}`), undefined, path);
  assert.equal(nameInUrl('http://h/a/b.tar.gz?x=/y#z'), 'b.tar.gz');
});

test('B63 Content-Disposition does not name the file', async (t) => {
  const base = await serve(t, (_, response) => {
    response.setHeader('Content-Disposition', 'attachment; filename=../../x');
    response.end('x');
  });
  const directory = directoryFor(t);
  assert.equal((await fetchUrl(`${base}/`, { directory, env })).name, 'download');
  assert.deepEqual(readdirSync(directory), ['download']);
});

test('X02 a checksum is verified and a mismatch leaves nothing behind', async (t) => {
  const base = await serve(t, (_, response) => response.end('content'));
  const directory = directoryFor(t);
  await fetchUrl(`${base}/f`, { directory, env, checksum: digestOf('content') });
  rmSync(join(directory, 'f'));
  await assert.rejects(fetchUrl(`${base}/f`, { directory, env, checksum: digestOf('other') }), {
    code: 'blob.digest-mismatch',
  });
  await assert.rejects(fetchUrl(`${base}/f`, { directory, env, checksum: 'md5:1' }), { code: 'copy.invalid' });
  assert.deepEqual(readdirSync(directory), []);
});

test('X02 credentials follow a redirect on the same origin and no further', async (t) => {
  const seen: [string, string | undefined][] = [];
  const note = (request: IncomingMessage): unknown => seen.push([request.url!, request.headers.authorization]);
  const other = await serve(t, (request, response) => {
    note(request);
    response.end('far');
  });
  const base = await serve(t, (request, response) => {
    note(request);
    const to = request.url === '/start' ? '/near' : `${other}/far`;
    response.writeHead(302, { Location: to }).end();
  });
  const headers = { Authorization: 'Bearer secret' };
  await fetchUrl(`${base}/start`, { directory: directoryFor(t), env, headers });
  assert.deepEqual(seen, [
    ['/start', 'Bearer secret'],
    ['/near', 'Bearer secret'],
    ['/far', undefined],
  ]);
});

test('a login in the URL is sent as a header and not shown', async (t) => {
  let seen: string | undefined;
  const base = await serve(t, (request, response) => {
    seen = request.headers.authorization;
    response.writeHead(404).end();
  });
  const url = base.replace('http://', 'http://me:pass@');
  await assert.rejects(fetchUrl(`${url}/f?key=1`, { directory: directoryFor(t), env }), (error: Error) => {
    assert.match(error.message, /status 404/);
    assert.doesNotMatch(error.message, /pass|key/);
    return true;
  });
  assert.equal(seen, `Basic ${Buffer.from('me:pass').toString('base64')}`);
});

for (const [to, why] of [
  ['file:///etc/passwd', /scheme "file:"/],
  ['http://169.254.169.254/latest/meta-data', /private address 169\.254\.169\.254/],
  ['http://2852039166/', /private address/],
  ['http://localhost:1/', /private address/],
  ['/again', /more than 10 redirects/],
] as const) {
  test(`X02 a redirect to ${to} is not followed`, async (t) => {
    const base = await serve(t, (_, response) => response.writeHead(302, { Location: to }).end());
    const directory = directoryFor(t);
    await assert.rejects(
      fetchUrl(`${base}/f`, { directory, env }),
      (error: { code: string; message: string }) => error.code === 'copy.fetch-failed' && why.test(error.message),
    );
    assert.deepEqual(readdirSync(directory), []);
  });
}

test('other schemes are refused', async (t) => {
  for (const url of ['ftp://h/f', 'file:///etc/passwd', 'nothing']) {
    await assert.rejects(fetchUrl(url, { directory: directoryFor(t), env }), { code: 'copy.fetch-failed' });
  }
});

test('X02 an answer that ends early, never ends or stands still is an error', async (t) => {
  const base = await serve(t, (request, response) => {
    if (request.url === '/short') {
      response.writeHead(200, { 'Content-Length': '100' }).write('x');
      setTimeout(() => response.destroy(), 50);
    } else if (request.url === '/large') {
      response.writeHead(200, { 'Content-Length': '100000' }).end('x'.repeat(100000));
    } else if (request.url === '/endless') {
      const more = (): void => void response.write('x'.repeat(1000), () => setImmediate(more));
      more();
    } else response.write('x');
  });
  const directory = directoryFor(t);
  const timeouts = { headersMs: 1000, idleMs: 200 };
  for (const path of ['/short', '/large', '/endless', '/still']) {
    await assert.rejects(fetchUrl(base + path, { directory, env, maxBytes: 10_000, timeouts }), path);
    assert.deepEqual(readdirSync(directory), [], path);
  }
});

test('what did not change is not sent again, and what did is', async (t) => {
  let content = 'one';
  const answered: number[] = [];
  const base = await serve(t, (request, response) => {
    const etag = `"${content}"`;
    response.statusCode = request.headers['if-none-match'] === etag ? 304 : 200;
    answered.push(response.statusCode);
    response.setHeader('ETag', etag);
    response.end(response.statusCode === 304 ? undefined : content);
  });
  const url = `${base}/file`;
  const folder = directoryFor(t);
  const cache = new DownloadCache(join(folder, 'cache'));
  const get = async (name: string): Promise<string> => {
    const directory = join(folder, name);
    mkdirSync(directory);
    const known = cache.find(url);
    const file = await fetchIfChanged(url, known, { directory, env });
    const place = file === undefined ? cache.folderOf(known!) : cache.keep(url, directory, file);
    return readFileSync(join(place, 'file'), 'utf8');
  };
  assert.equal(await get('1'), 'one');
  assert.equal(await get('2'), 'one');
  content = 'two';
  assert.equal(await get('3'), 'two');
  assert.equal(await get('4'), 'two');
  assert.deepEqual(answered, [200, 304, 200, 304]);
  cache.sweep(60_000);
  assert.equal(cache.find(url)?.digest, digestOf('two'));
  assert.equal(readdirSync(join(folder, 'cache/downloads/files')).length, 1);
  cache.sweep(0);
  assert.equal(cache.find(url), undefined);
});

test('a kept download that was cut short is not used', async (t) => {
  const folder = directoryFor(t);
  const cache = new DownloadCache(folder);
  mkdirSync(join(folder, 'd'));
  writeFileSync(join(folder, 'd/f'), 'whole');
  const validators = { etag: '"x"', lastModified: undefined };
  const download = { name: 'f', digest: digestOf('whole'), sizeBytes: 5, lastModified: undefined, validators };
  const place = cache.keep('http://h/f', join(folder, 'd'), download);
  assert.ok(existsSync(place));
  assert.equal(cache.find('http://h/f')?.etag, '"x"');
  writeFileSync(join(place, 'f'), 'wh');
  assert.equal(cache.find('http://h/f'), undefined);
});

test('with a checksum nothing is asked when the right content is known', async (t) => {
  const base = await serve(t, (_, response) => response.end('content'));
  const known = { etag: '"x"', lastModified: undefined, digest: digestOf('content') };
  const o = { directory: directoryFor(t), env };
  assert.equal(await fetchIfChanged('http://127.0.0.1:1/f', known, { ...o, checksum: digestOf('content') }), undefined);
  // Known to be another content: no conditions, so that the server sends it.
  const other = { ...known, digest: digestOf('else') };
  const file = await fetchIfChanged(`${base}/f`, other, { ...o, checksum: digestOf('content') });
  assert.equal(file?.digest, digestOf('content'));
});

test('no-store is respected', async (t) => {
  const base = await serve(t, (_, response) => {
    response.setHeader('ETag', '"x"').setHeader('Cache-Control', 'private, No-Store').end('x');
  });
  assert.equal((await fetchUrl(`${base}/f`, { directory: directoryFor(t), env })).validators, undefined);
});

test('logins are secrets named by host, for http and for git', () => {
  const secret = (id: string) => [id, { id, kind: 'env', variable: id }] as const;
  const values = {
    HTTP_AUTH_TOKEN_h: 'T',
    'HTTP_AUTH_HEADER_h:81': 'Custom x',
    GIT_AUTH_TOKEN: 'G',
    'GIT_AUTH_TOKEN.h': 'H',
  };
  const secrets = new Map(Object.keys(values).map(secret));
  assert.equal(httpLogin('https://h/x', secrets, values), 'Bearer T');
  assert.equal(httpLogin('https://h:81/x', secrets, values), 'Custom x');
  assert.equal(httpLogin('https://other/x', secrets, values), undefined);
  const basic = (token: string) => `Basic ${Buffer.from(`x-access-token:${token}`).toString('base64')}`;
  assert.equal(gitLogin('https://h/x.git', secrets, values), basic('H'));
  assert.equal(gitLogin('https://other/x.git', secrets, values), basic('G'));
  assert.equal(gitLogin('git@h:x', secrets, values), undefined);
  assert.throws(
    () => httpLogin('https://h/x', secrets, { ...values, HTTP_AUTH_TOKEN_h: 'a\r\nX: y' }),
    /more than one line/,
  );
});
