/**
 * ADD from http and https: downloads into a file that is then copied like any other. Redirects are followed here, hop
 * by hop: only to http and https, never from the network to a private address, and without the credentials once the
 * origin changes.
 *
 * @see Dockerfile reference, "Adding files from URLs"
 */
import { createHash } from 'node:crypto';
import { closeSync, constants, fchmodSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { AgentPool } from '../registry/agent-pool.ts';
import { DEFAULT_TIMEOUTS, exchange } from '../registry/http-client.ts';
import type { HttpResponse, HttpTimeouts } from '../registry/http-exchange.ts';
import { isPrivateHost, sameOrigin } from '../registry/private-address.ts';
import { loadTlsFiles } from '../registry/tls-files.ts';
import { BuilderError } from '../report/builder-error.ts';
import { type Digest, digestFromHex, isDigest } from '../spec/digest.ts';
import type { Cancellable } from '../spec/target.ts';
import type { Timestamp } from '../spec/timestamp.ts';
import { writeFully } from '../sys/file-write.ts';
import { AT_FDCWD, lutimensat } from '../sys/libc.ts';

export interface FetchOptions extends Cancellable {
  /** An empty directory for the download. */
  readonly directory: string;
  /** `sha256:…`, as `--checksum` gives it. */
  readonly checksum?: string | undefined;
  /** Sent to the origin of the URL and to nobody else: `Authorization`, from the secrets of that host. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly verifyTls?: boolean | undefined;
  readonly certDir?: string | undefined;
  /** Proxy and certificate variables. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  readonly maxBytes?: number | undefined;
  readonly timeouts?: HttpTimeouts | undefined;
}

/** An earlier download of the same URL. */
export interface KnownDownload {
  readonly etag: string | undefined;
  /** As the server wrote it. */
  readonly lastModified: string | undefined;
  readonly digest: Digest;
}

/** A download, with mode 0600 and the time of `Last-Modified`. */
export interface RemoteFile {
  /** The file is `name` in `FetchOptions.directory`. */
  readonly name: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
  /** undefined when the server does not say; the file then has the time of the download. */
  readonly lastModified: Timestamp | undefined;
  /** What to ask the server with next time; undefined when the answer is not to be kept. */
  readonly validators: { readonly etag: string | undefined; readonly lastModified: string | undefined } | undefined;
}

/** An endless answer has to end; the largest public images of file systems are a tenth of this. */
export const MAX_REMOTE_BYTES = 64 * 1024 ** 3;
const MAX_REDIRECTS = 10;

/**
 * Downloads `url`. The file carries the name the URL ends in, or `download` where that is no usable name.
 * @throws `copy.fetch-failed`, `registry.request-failed` when no answer comes; `blob.digest-mismatch`; `copy.invalid`
 *   for a malformed checksum. Nothing is left behind then.
 */
export async function fetchUrl(text: string, o: FetchOptions): Promise<RemoteFile> {
  return (await fetchIfChanged(text, undefined, o))!;
}

/** The same, but gives undefined when the server, or the checksum, says that what is known is still right. */
export async function fetchIfChanged(
  text: string,
  known: KnownDownload | undefined,
  o: FetchOptions,
): Promise<RemoteFile | undefined> {
  const url = parseUrl(text);
  const expected = checksumOf(o.checksum);
  if (expected !== undefined && expected === known?.digest) return undefined;
  // What is known does not help where another content is asked for.
  const conditions = expected === undefined ? conditionsOf(known) : {};
  const env = o.env ?? process.env;
  const pool = new AgentPool({
    registryHost: url.host,
    verify: o.verifyTls !== false,
    files: () => loadTlsFiles(url.host, o.certDir, env),
    env,
  });
  try {
    const response = await request(url, o, pool, { conditions, isChecked: expected !== undefined });
    if (response.status !== 304) return await save(url, response, o, expected);
    response.discard();
    return undefined;
  } finally {
    pool.close();
  }
}

/**
 * The name a URL ends in; undefined where it has none or one that is no plain file name: empty, `.`, `..`, with a
 * slash or control characters once decoded.
 */
export function nameInUrl(text: string): string | undefined {
  const last = new URL(text).pathname.split('/').at(-1) ?? '';
  let name: string;
  try {
    name = decodeURIComponent(last);
  } catch {
    return undefined;
  }
  const isUsable = name !== '' && name !== '.' && name !== '..' && !/[/\x00-\x1f\x7f]/.test(name);
  return isUsable && Buffer.byteLength(name) <= 255 ? name : undefined;
}

function failed(url: URL, why: string, cause?: unknown): BuilderError {
  return new BuilderError('copy.fetch-failed', `cannot fetch ${shown(url)}: ${why}`, {
    ...(cause === undefined ? {} : { cause }),
    facts: { url: shown(url) },
  });
}

function loginRefused(url: URL, isGiven: boolean): BuilderError {
  const why = isGiven ? 'the server does not take the login' : 'the server asks for a login';
  const id = `HTTP_AUTH_TOKEN_${url.hostname}`;
  return new BuilderError('copy.fetch-failed', `cannot fetch ${shown(url)}: ${why} (status 401)`, {
    hint: `a build takes the login from the secret ${id}: --secret id=${id},env=VARIABLE`,
    facts: { url: shown(url) },
  });
}

/** Without user, password and query, which may hold secrets. */
function shown(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && (url.protocol === 'http:' || url.protocol === 'https:')) return url;
  throw new BuilderError('copy.fetch-failed', `cannot fetch ${JSON.stringify(text)}: it is not an http or https URL`);
}

function checksumOf(text: string | undefined): Digest | undefined {
  if (text === undefined || isDigest(text)) return text;
  throw new BuilderError('copy.invalid', `cannot use ${JSON.stringify(text)} as a checksum`, {
    hint: 'give sha256: and 64 hexadecimal digits in lower case',
  });
}

function conditionsOf(known: KnownDownload | undefined): Record<string, string> {
  const { etag, lastModified } = known ?? {};
  return {
    ...(etag === undefined ? {} : { 'If-None-Match': etag }),
    ...(lastModified === undefined ? {} : { 'If-Modified-Since': lastModified }),
  };
}

/** The first answer that is no redirect; always one of status 200, or 304 when asked with conditions. */
async function request(
  start: URL,
  o: FetchOptions,
  pool: AgentPool,
  { conditions, isChecked }: { readonly conditions: Record<string, string>; readonly isChecked: boolean },
): Promise<HttpResponse> {
  let url = start;
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const response = await exchange({
      purpose: `fetch ${shown(start)}`,
      method: 'GET',
      url: withoutLogin(url),
      headers: { ...conditions, ...(sameOrigin(url, start) ? { ...loginOf(start), ...o.headers } : {}) },
      agent: pool.agentFor(url),
      timeouts: o.timeouts ?? DEFAULT_TIMEOUTS,
      signal: o.signal,
    });
    if (response.status === 200) return response;
    if (response.status === 304 && Object.keys(conditions).length > 0) return response;
    const location = response.header('location');
    response.discard();
    if (![301, 302, 303, 307, 308].includes(response.status) || location === undefined) {
      if (response.status === 401) throw loginRefused(url, o.headers !== undefined);
      throw failed(url, `the server answers with status ${response.status}`);
    }
    url = redirectTarget(location, url, start, isChecked);
  }
  throw failed(start, `more than ${MAX_REDIRECTS} redirects`);
}

function redirectTarget(location: string, from: URL, start: URL, isChecked: boolean): URL {
  if (!URL.canParse(location, from.href)) throw failed(start, 'it redirects to something that is no URL');
  const url = new URL(location, from);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw failed(start, `it redirects to a URL of scheme ${JSON.stringify(url.protocol)}`);
  }
  // With a checksum it does not matter who could change the bytes on the way.
  if (from.protocol === 'https:' && url.protocol === 'http:' && !isChecked) {
    throw failed(start, `it redirects from https to plain http (${shown(url)})`);
  }
  // The services of a cloud machine or a local network are not for a foreign server to name.
  if (isPrivateHost(url.hostname) && url.hostname !== start.hostname) {
    throw failed(start, `it redirects to the private address ${url.host}`);
  }
  return url;
}

function loginOf(url: URL): Record<string, string> {
  if (url.username === '' && url.password === '') return {};
  const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return { Authorization: `Basic ${Buffer.from(login).toString('base64')}` };
}

function withoutLogin(url: URL): URL {
  const bare = new URL(url);
  bare.username = '';
  bare.password = '';
  return bare;
}

async function save(
  url: URL,
  response: HttpResponse,
  o: FetchOptions,
  expected: Digest | undefined,
): Promise<RemoteFile> {
  const name = nameInUrl(url.href) ?? 'download';
  const path = join(o.directory, name);
  const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
  try {
    const { sizeBytes, digest } = await receive(url, response, fd, o.maxBytes ?? MAX_REMOTE_BYTES);
    if (expected !== undefined && digest !== expected) {
      throw new BuilderError('blob.digest-mismatch', `cannot use ${shown(url)}: it is ${digest}, not ${expected}`, {
        facts: { url: shown(url), expected, actual: digest },
      });
    }
    fchmodSync(fd, 0o600);
    const lastModified = timeOf(response.header('last-modified'));
    if (lastModified !== undefined) lutimensat(AT_FDCWD, path, lastModified);
    return { name, digest, sizeBytes, lastModified, validators: validatorsOf(response) };
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
}

function validatorsOf(response: HttpResponse): RemoteFile['validators'] {
  const [etag, lastModified] = [response.header('etag'), response.header('last-modified')];
  const isKept = !/\bno-store\b/i.test(response.header('cache-control') ?? '');
  return isKept && (etag ?? lastModified) !== undefined ? { etag, lastModified } : undefined;
}

async function receive(
  url: URL,
  response: HttpResponse,
  fd: number,
  maxBytes: number,
): Promise<{ readonly sizeBytes: number; readonly digest: Digest }> {
  const hash = createHash('sha256');
  const promised = /^\d{1,15}$/.test(response.header('content-length') ?? '')
    ? Number(response.header('content-length'))
    : undefined;
  if (promised !== undefined && promised > maxBytes) {
    response.discard();
    throw failed(url, `it is larger than ${maxBytes} bytes`);
  }
  let sizeBytes = 0;
  for await (const chunk of response.body) {
    sizeBytes += chunk.length;
    if (sizeBytes > maxBytes) throw failed(url, `it is larger than ${maxBytes} bytes`);
    hash.update(chunk);
    writeFully(fd, chunk);
  }
  if (promised !== undefined && promised !== sizeBytes) {
    throw failed(url, `the answer has ${sizeBytes} bytes, not the ${promised} promised`);
  }
  return { sizeBytes, digest: digestFromHex(hash.digest('hex')) };
}

/** What a `Last-Modified` header says, if it says anything. */
export function timeOf(header: string | undefined): Timestamp | undefined {
  const milliseconds = Date.parse(header ?? '');
  return Number.isNaN(milliseconds) ? undefined : { seconds: Math.floor(milliseconds / 1000), nanoseconds: 0 };
}
