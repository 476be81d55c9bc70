/**
 * Signatures beside a registry: files `REPOSITORY@sha256=HEX/signature-N` below a directory or a URL, numbered from 1;
 * the first that is missing ends the list.
 * @see containers/image docs/signature-protocols.md, "docker/distribution registries: separate storage"
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { BuilderError } from '../report/builder-error.ts';
import { type Digest, hexOf } from '../spec/digest.ts';
import { type ImageSignature, MAX_SIGNATURE_BYTES, parseSignatureFile } from '../spec/image-signature.ts';
import type { QualifiedReference } from '../spec/reference.ts';
import { callerUid } from '../sys/host.ts';
import { homeDirectory } from '../sys/user-directories.ts';
import type { AgentPool } from './agent-pool.ts';
import { readBounded } from './bounded-body.ts';
import { DEFAULT_TIMEOUTS, exchange } from './http-client.ts';
import type { HttpResponse } from './http-exchange.ts';
import { followable, sameOrigin } from './private-address.ts';
import type { Environment } from './proxy.ts';
import { lookasideOf, type SignatureStores } from './registries-d.ts';
import { errorOfResponse, redactUrl } from './registry-error.ts';
import { DEFAULT_RETRIES, withRetry } from './retry.ts';
import { loadTlsFiles } from './tls-files.ts';
import { basicAuthorization } from './token.ts';

/** Nobody signs an image more often; a server that answers every number would never end. */
const MAX_SIGNATURES = 128;
const MAX_REDIRECTS = 5;

export interface LookasideOptions {
  readonly env: Environment;
  readonly retries?: number | undefined;
  readonly retryDelayMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The URL of a repository's signatures; every store has one, if only the user's own directory.
 * @throws `trust.invalid` for what is no URL of a directory or of a web server
 */
export function lookasideBase(
  stores: SignatureStores,
  reference: QualifiedReference,
  access: 'read' | 'write',
  { env }: Pick<LookasideOptions, 'env'>,
): URL {
  const own =
    callerUid(env) !== 0
      ? join(homeDirectory(env), '.local/share/containers/sigstore')
      : '/var/lib/containers/sigstore';
  const text = lookasideOf(stores, reference, access) ?? `file://${encodeURI(own)}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['file:', 'http:', 'https:'].includes(url.protocol)) {
    throw new BuilderError(
      'trust.invalid',
      `the signature store ${JSON.stringify(text)} cannot be used: it is no file, http or https URL`,
    );
  }
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/${reference.repository}`;
  return url;
}

/** Where the signature of that number is. @param base as `lookasideBase` gives it */
export function signatureUrl(base: URL, digest: Digest, number: number): URL {
  const url = new URL(base);
  url.pathname = `${base.pathname}@sha256=${hexOf(digest)}/signature-${number}`;
  return url;
}

/** The path of a `file:` URL. */
export function pathOfUrl(url: URL): string {
  return decodeURIComponent(url.pathname);
}

/**
 * All signatures of a manifest.
 * @throws `signature.invalid`, `registry.request-failed`
 */
export async function readLookaside(
  base: URL,
  digest: Digest,
  o: LookasideOptions,
): Promise<readonly ImageSignature[]> {
  if (base.protocol === 'file:') {
    return readNumbered(async (number) => readSignatureFile(pathOfUrl(signatureUrl(base, digest, number))));
  }
  // Most stores of signatures are directories, and most commands never ask a web server.
  const { AgentPool } = await import('./agent-pool.ts');
  const pool = new AgentPool({
    registryHost: base.host,
    verify: true,
    files: () => loadTlsFiles(base.host, undefined, o.env),
    env: o.env,
  });
  try {
    return await readNumbered((number) => download(signatureUrl(base, digest, number), pool, o));
  } finally {
    pool.close();
  }
}

/** Reads signatures 1, 2, … until one is missing. */
export async function readNumbered(
  read: (number: number) => Promise<ImageSignature | undefined>,
): Promise<readonly ImageSignature[]> {
  const all: ImageSignature[] = [];
  for (let number = 1; number <= MAX_SIGNATURES; number++) {
    const found = await read(number);
    if (found === undefined) return all;
    all.push(found);
  }
  throw new BuilderError('signature.invalid', `the image has more than ${MAX_SIGNATURES} signatures`);
}

/** Undefined when there is no such file. @throws `signature.invalid` */
export async function readSignatureFile(path: string): Promise<ImageSignature | undefined> {
  // Without waiting for whoever might write into a FIFO of that name.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK;
  const file = await open(path, flags).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR') return undefined;
    throw new BuilderError('signature.invalid', `cannot read the signature ${path}: ${cause.code}`, { cause });
  });
  if (file === undefined) return undefined;
  try {
    const found = await file.stat();
    if (found.isFile() && found.size <= MAX_SIGNATURE_BYTES) return parseSignatureFile(await file.readFile(), path);
    throw new BuilderError('signature.invalid', `cannot read the signature ${path}: it is too large, or no file`);
  } finally {
    await file.close();
  }
}

async function download(url: URL, pool: AgentPool, o: LookasideOptions): Promise<ImageSignature | undefined> {
  const policy = { retries: o.retries ?? DEFAULT_RETRIES, delayMs: o.retryDelayMs, signal: o.signal };
  return withRetry(policy, async () => {
    const attempt = { purpose: `fetch the signature ${redactUrl(url)}`, method: 'GET', url };
    const response = await follow(attempt, pool, o);
    if (response.status === 404) {
      response.discard();
      return undefined;
    }
    if (response.status !== 200) throw await errorOfResponse(attempt, response);
    const { content, isTruncated } = await readBounded(response.body, MAX_SIGNATURE_BYTES);
    if (isTruncated) {
      throw new BuilderError('signature.invalid', `cannot read the signature ${redactUrl(url)}: it is too large`);
    }
    return parseSignatureFile(content, redactUrl(url));
  });
}

async function follow(
  attempt: { readonly purpose: string; readonly method: string; readonly url: URL },
  pool: AgentPool,
  o: LookasideOptions,
): Promise<HttpResponse> {
  let { url } = attempt;
  for (let hop = 0; ; hop++) {
    const headers = sameOrigin(url, attempt.url) ? loginOf(attempt.url) : {};
    const request = {
      ...attempt,
      method: 'GET',
      url: withoutLogin(url),
      headers,
      timeouts: DEFAULT_TIMEOUTS,
      signal: o.signal,
    };
    const response = await exchange({ ...request, agent: pool.agentFor(url) });
    const location = response.header('location');
    const isRedirect = response.status >= 301 && response.status <= 308 && location !== undefined;
    if (!isRedirect || hop === MAX_REDIRECTS) return response;
    response.discard();
    url = followable(location, url, attempt.url, 'redirect');
  }
}

/** The login in the URL that registries.d has, for its own server and nobody else. */
function loginOf({ username, password }: URL): Record<string, string> {
  if (username === '' && password === '') return {};
  const login = { username: decodeURIComponent(username), password: decodeURIComponent(password) };
  return { Authorization: basicAuthorization(login) };
}

function withoutLogin(url: URL): URL {
  const bare = new URL(url);
  bare.username = '';
  bare.password = '';
  return bare;
}
