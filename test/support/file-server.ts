/**
 * Program: serves a folder by HTTP on loopback; the first line it prints is its address. SLIPWAY_TEST_LOGIN asks everybody
 * for that `Authorization`, and a line of JSON is printed for each request: whether it had it, and whether the arguments of
 * any process hold SLIPWAY_TEST_TOKEN.
 */
import { spawn } from 'node:child_process';
import { createReadStream, readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, normalize } from 'node:path';

const folder = process.argv[2] ?? '.';
const login = process.env['SLIPWAY_TEST_LOGIN'];
const server = createServer((request, response) => {
  if (login !== undefined && !isAllowed(request)) {
    response.writeHead(401, { 'www-authenticate': 'Basic realm="test"' }).end();
    return;
  }
  const url = new URL(request.url ?? '/', 'http://loopback');
  const path = join(folder, normalize(decodeURIComponent(url.pathname)));
  // A repository is served by git itself: a shallow fetch needs its own protocol.
  if (/\.git\//.test(url.pathname)) serveGit(url, request, response);
  else serveFile(path, response);
});
server.listen(0, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
process.stdin.resume().on('end', () => process.exit(0));

function isAllowed({ url, headers }: IncomingMessage): boolean {
  const isAllowed = headers.authorization === login;
  console.log(JSON.stringify({ url, isAllowed, isSeen: isSeen(process.env['SLIPWAY_TEST_TOKEN'] ?? '') }));
  return isAllowed;
}

/** Whether anybody's arguments hold the text, for all users of the machine to read. */
function isSeen(text: string): boolean {
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return processes.some((id) => {
    try {
      return readFileSync(`/proc/${id}/cmdline`, 'utf8').includes(text);
    } catch {
      return false;
    }
  });
}

function serveFile(path: string, response: ServerResponse): void {
  try {
    const stat = statSync(path);
    if (!stat.isFile()) throw new Error('no file');
    response.writeHead(200, { 'content-length': stat.size, 'last-modified': stat.mtime.toUTCString() });
    createReadStream(path).pipe(response);
  } catch {
    response.writeHead(404).end('not found\n');
  }
}

/** git-http-backend speaks CGI: headers, an empty line, the body. */
function serveGit(url: URL, request: IncomingMessage, response: ServerResponse): void {
  const env = {
    ...process.env,
    GIT_PROJECT_ROOT: folder,
    GIT_HTTP_EXPORT_ALL: '1',
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: 'safe.directory',
    GIT_CONFIG_VALUE_0: '*',
    GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
    REQUEST_METHOD: request.method ?? 'GET',
    PATH_INFO: decodeURIComponent(url.pathname),
    QUERY_STRING: url.search.slice(1),
    CONTENT_TYPE: String(request.headers['content-type'] ?? ''),
    HTTP_CONTENT_ENCODING: String(request.headers['content-encoding'] ?? ''),
  };
  const child = spawn('git', ['http-backend'], { env, stdio: ['pipe', 'pipe', 'inherit'] });
  request.pipe(child.stdin);
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.on('close', () => {
    const all = Buffer.concat(chunks);
    const end = all.indexOf('\r\n\r\n');
    const headers = all
      .subarray(0, end)
      .toString('latin1')
      .split('\r\n')
      .map((line) => line.split(': ') as [string, string]);
    const status = headers.find(([name]) => name === 'Status')?.[1];
    for (const [name, value] of headers) if (name !== 'Status') response.setHeader(name, value);
    response.writeHead(Number(status?.split(' ')[0] ?? 200)).end(all.subarray(end + 4));
  });
}
