/**
 * Talking to a Docker daemon: which address the environment names, and the two requests that move images.
 * @see Docker Engine API, "Export an image" and "Import images"; docker(1), DOCKER_HOST, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH
 */
import { existsSync, readFileSync } from 'node:fs';
import type { IncomingMessage, RequestOptions } from 'node:http';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { BuilderError } from '../../report/builder-error.ts';
import type { Bytes, Cancellable } from '../../spec/target.ts';
import { homeDirectory, runtimeDirectory } from '../../sys/user-directories.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export interface DaemonOptions extends Cancellable {
  readonly env: Environment;
  /** `ca.pem`, `cert.pem` and `key.pem`; default DOCKER_CERT_PATH. */
  readonly certDir?: string | undefined;
  /** Default: as DOCKER_TLS_VERIFY says. */
  readonly tlsVerify?: boolean | undefined;
}

interface Address {
  /** As messages name it. */
  readonly text: string;
  readonly isTls: boolean;
  readonly options: RequestOptions & { readonly rejectUnauthorized?: boolean };
}

const SYSTEM_SOCKET = '/var/run/docker.sock';
const CONNECT_TIMEOUT_MS = 10_000;
/** Of an answer that tells of an error. */
const MAX_ERROR_BYTES = 64 * 1024;

/** @throws `transport.unsupported` for an address of a kind that cannot be used */
function daemonAddress(o: DaemonOptions): Address {
  const text = o.env['DOCKER_HOST'] || defaultHost(o.env);
  if (text.startsWith('unix://')) return { text, isTls: false, options: { socketPath: text.slice('unix://'.length) } };
  const match = /^(tcp|http|https):\/\/(\[[0-9a-fA-F:]+\]|[^/:]+)(?::(\d{1,5}))?(\/.*)?$/.exec(text);
  if (match === null) {
    throw new BuilderError('transport.unsupported', `cannot reach a Docker daemon at ${JSON.stringify(text)}`, {
      hint: 'DOCKER_HOST may be unix:///PATH, tcp://HOST:PORT, http://HOST:PORT or https://HOST:PORT',
    });
  }
  const [, scheme, host = '', port] = match;
  const wantsCheck = (o.env['DOCKER_TLS_VERIFY'] ?? '') !== '';
  const isTls =
    scheme === 'https' || (scheme === 'tcp' && (wantsCheck || Boolean(o.env['DOCKER_TLS']) || o.certDir !== undefined));
  const place = { host: host.replace(/^\[|\]$/g, ''), port: Number(port ?? (isTls ? 2376 : 2375)) };
  if (!isTls) return { text, isTls, options: place };
  const isChecked = o.tlsVerify ?? (wantsCheck || !o.env['DOCKER_TLS']);
  return { text, isTls, options: { ...place, ...tlsFiles(o), rejectUnauthorized: isChecked } };
}

/** A daemon of the user's own listens in the runtime directory. */
function defaultHost(env: Environment): string {
  const runtime = runtimeDirectory(env);
  const own = runtime === undefined ? SYSTEM_SOCKET : join(runtime, 'docker.sock');
  return `unix://${!existsSync(SYSTEM_SOCKET) && existsSync(own) ? own : SYSTEM_SOCKET}`;
}

function tlsFiles(o: DaemonOptions): { ca?: Buffer; cert?: Buffer; key?: Buffer } {
  const directory = o.certDir ?? (o.env['DOCKER_CERT_PATH'] || join(homeDirectory(o.env), '.docker'));
  const read = (name: string): Buffer | undefined => {
    const path = join(directory, name);
    return existsSync(path) ? readFileSync(path) : undefined;
  };
  const [ca, cert, key] = [read('ca.pem'), read('cert.pem'), read('key.pem')];
  return { ...(ca === undefined ? {} : { ca }), ...(cert === undefined || key === undefined ? {} : { cert, key }) };
}

/**
 * The archive `docker save` writes of an image.
 * @param image name or id, well-formed
 * @throws `image.not-known`, `transport.failed`
 */
export async function exportImage(image: string, o: DaemonOptions): Promise<Bytes> {
  const address = daemonAddress(o);
  const purpose = `read image ${image} from the Docker daemon at ${address.text}`;
  const response = await send(address, purpose, 'GET', `/images/${image}/get`, undefined, o.signal);
  if (response.statusCode === 200) return failing(response, purpose);
  const why = await errorOf(response);
  if (response.statusCode === 404) {
    throw new BuilderError('image.not-known', `cannot ${purpose}: it has no such image`);
  }
  throw new BuilderError('transport.failed', `cannot ${purpose}: ${why}`);
}

/** Has the daemon load an archive. @throws `transport.failed` with what the daemon says */
export async function importImages(archive: Readable, o: DaemonOptions): Promise<void> {
  const address = daemonAddress(o);
  const purpose = `load an image into the Docker daemon at ${address.text}`;
  const response = await send(address, purpose, 'POST', '/images/load?quiet=1', archive, o.signal);
  if (response.statusCode !== 200) {
    throw new BuilderError('transport.failed', `cannot ${purpose}: ${await errorOf(response)}`);
  }
  // The answer is 200 before the daemon has read a byte; what went wrong comes as one of its lines.
  let rest = '';
  for await (const chunk of failing(response, purpose)) {
    const lines = (rest + Buffer.from(chunk).toString('utf8')).split('\n');
    rest = (lines.pop() ?? '').slice(-MAX_ERROR_BYTES);
    for (const line of lines) refuseError(line, purpose);
  }
  refuseError(rest, purpose);
}

function refuseError(line: string, purpose: string): void {
  const why = messageOf(line, ['error']);
  if (why !== undefined) throw new BuilderError('transport.failed', `cannot ${purpose}: ${why}`);
}

/** A member of a JSON object that is a text; undefined when there is none. */
function messageOf(json: string, names: readonly string[]): string | undefined {
  try {
    const parsed = JSON.parse(json) as Readonly<Record<string, unknown>> | null;
    const found = names.map((name) => parsed?.[name]).find((value) => typeof value === 'string');
    return found as string | undefined;
  } catch {
    return undefined;
  }
}

async function errorOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response) {
    text += String(chunk);
    if (text.length > MAX_ERROR_BYTES) break;
  }
  return messageOf(text, ['message']) ?? `it answered with status ${response.statusCode}`;
}

/** A connection that breaks off is the daemon's failure, wherever its bytes are read. */
async function* failing(response: IncomingMessage, purpose: string): Bytes {
  try {
    yield* response as AsyncIterable<Uint8Array>;
  } catch (cause) {
    throw new BuilderError('transport.failed', `cannot ${purpose}: the connection broke off`, { cause });
  }
}

async function send(
  address: Address,
  purpose: string,
  method: string,
  path: string,
  body: Readable | undefined,
  signal: AbortSignal | undefined,
): Promise<IncomingMessage> {
  const { request } = address.isTls ? await import('node:https') : await import('node:http');
  try {
    return await new Promise<IncomingMessage>((resolve, reject) => {
      const headers = { Host: 'docker', ...(body === undefined ? {} : { 'Content-Type': 'application/x-tar' }) };
      const sent = request({
        ...address.options,
        method,
        path,
        headers,
        agent: false,
        ...(signal === undefined ? {} : { signal }),
      });
      const late = () => sent.destroy(new Error(`no connection within ${CONNECT_TIMEOUT_MS / 1000} s`));
      const timer = setTimeout(late, CONNECT_TIMEOUT_MS);
      sent.once('socket', (socket) => socket.once('connect', () => clearTimeout(timer)));
      sent.once('close', () => clearTimeout(timer));
      sent.once('response', resolve);
      sent.once('error', reject);
      if (body === undefined) sent.end();
      else pipeline(body, sent).catch(reject);
    });
  } catch (cause) {
    signal?.throwIfAborted();
    throw unreachable(address, purpose, cause as NodeJS.ErrnoException);
  }
}

function unreachable(address: Address, purpose: string, cause: NodeJS.ErrnoException): BuilderError {
  const hint =
    cause.code === 'EACCES'
      ? 'ask to be let into the group that may use the socket, or set DOCKER_HOST'
      : 'start the daemon, or say in DOCKER_HOST where it listens';
  return new BuilderError('transport.failed', `cannot ${purpose}: ${cause.message}`, {
    cause,
    hint,
    facts: { daemon: address.text },
  });
}
