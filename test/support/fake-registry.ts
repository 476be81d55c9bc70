/**
 * A registry in this process, on loopback: keeps blobs and manifests in memory, records every request, and lets a test
 * answer any request itself (`intercept`) to be broken or hostile. It also serves as forward proxy for every http URL,
 * so that a test can have many hosts: requests then carry the host they were meant for.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { resolve } from 'node:path';
import { type Digest, digestOf } from '../../src/spec/digest.ts';
import { MEDIA } from '../../src/spec/media-type.ts';

export interface SeenRequest {
  readonly method: string;
  /** Host the client meant, with port. */
  readonly host: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
}

export type Intercept = (seen: SeenRequest, response: ServerResponse, request: IncomingMessage) => boolean | undefined;

export interface StoredManifest {
  readonly mediaType: string;
  readonly content: Buffer;
}

export class FakeRegistry implements AsyncDisposable {
  readonly requests: SeenRequest[] = [];
  readonly blobs = new Map<string, Buffer>();
  /** `repository:reference` → manifest; reference is a tag or digest. */
  readonly manifests = new Map<string, StoredManifest>();
  /** Answers a request itself when it returns true. */
  intercept: Intercept | undefined;
  /** Whether it lists referrers itself, and says so. */
  keepsReferrers = false;
  /** Repositories a blob can be mounted from. */
  canMount = true;
  #server: Server;
  #sockets = new Set<Socket>();
  #uploads = new Map<string, Buffer>();

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<FakeRegistry> {
    const server = createServer();
    const registry = new FakeRegistry(server);
    server.on('request', (request, response) => {
      registry.#serve(request, response).catch(() => response.destroy());
    });
    // As a proxy it tunnels nothing: TLS to any host fails, plain http works.
    server.on('connect', (_request, socket) => socket.destroy());
    server.on('connection', (socket) => {
      registry.#sockets.add(socket);
      socket.on('close', () => registry.#sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return registry;
  }

  /** `127.0.0.1:port` */
  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Environment in which every http host is this server and no credential file exists. */
  get proxyEnv(): Record<string, string> {
    return { ...this.plainEnv, http_proxy: `http://${this.host}`, https_proxy: `http://${this.host}` };
  }

  get plainEnv(): Record<string, string> {
    return {
      HOME: '/nonexistent',
      XDG_RUNTIME_DIR: '/nonexistent',
      PATH: process.env['PATH'] ?? '',
      CONTAINERS_POLICY_JSON: resolve('test/corpus/accepting-policy.json'),
    };
  }

  addBlob(content: Buffer | string): { readonly digest: Digest; readonly size: number } {
    const bytes = Buffer.from(content);
    const digest = digestOf(bytes);
    this.blobs.set(digest, bytes);
    return { digest, size: bytes.length };
  }

  addManifest(repository: string, tag: string, document: unknown, mediaType: string = MEDIA.ociManifest): Digest {
    const content = Buffer.isBuffer(document) ? document : Buffer.from(JSON.stringify(document));
    const digest = digestOf(content);
    this.manifests.set(`${repository}:${tag}`, { mediaType, content });
    this.manifests.set(`${repository}:${digest}`, { mediaType, content });
    return digest;
  }

  /** Requests as `METHOD path`, for whole-value assertions. */
  get trace(): string[] {
    return this.requests.map((seen) => `${seen.method} ${seen.path}`);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', `http://${request.headers.host}`);
    const seen: SeenRequest = {
      method: request.method ?? '',
      host: url.host,
      path: url.pathname + url.search,
      headers: request.headers,
    };
    this.requests.push(seen);
    response.on('error', () => {});
    if (this.intercept?.(seen, response, request) === true) return;
    const body = await readAll(request);
    this.#route(seen, url, body, response);
  }

  #route(seen: SeenRequest, url: URL, body: Buffer, response: ServerResponse): void {
    if (url.pathname === '/v2/') return void response.writeHead(200).end('{}');
    const match = /^\/v2\/(.+)\/(blobs\/uploads|blobs|manifests|tags)\/(.*)$/.exec(url.pathname);
    if (match === null) return void response.writeHead(404).end();
    const [, repository, kind, last] = match as unknown as [string, string, string, string];
    if (kind === 'blobs/uploads') this.#upload(seen, url, repository, last, body, response);
    else if (kind === 'blobs') this.#blob(seen, last, response);
    else if (kind === 'manifests') this.#manifest(seen, repository, last, body, response);
    else this.#tags(repository, response);
  }

  #tags(repository: string, response: ServerResponse): void {
    const tags = [...this.manifests.keys()]
      .filter((key) => key.startsWith(`${repository}:`) && !key.includes(':sha256:'))
      .map((key) => key.slice(repository.length + 1));
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ name: repository, tags }));
  }

  #blob(seen: SeenRequest, digest: string, response: ServerResponse): void {
    const content = this.blobs.get(digest);
    if (content === undefined) return void specError(response, 404, 'BLOB_UNKNOWN', 'blob unknown to registry');
    const range = /^bytes=(\d+)-$/.exec(seen.headers.range ?? '');
    const from = range === null ? 0 : Number(range[1]);
    response.writeHead(range === null ? 200 : 206, {
      'content-type': 'application/octet-stream',
      'content-length': content.length - from,
      ...(range === null ? {} : { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` }),
    });
    response.end(seen.method === 'HEAD' ? undefined : content.subarray(from));
  }

  #manifest(seen: SeenRequest, repository: string, reference: string, body: Buffer, response: ServerResponse): void {
    if (seen.method === 'PUT') {
      const digest = this.addManifest(repository, reference, body, seen.headers['content-type'] ?? '');
      const { subject } = JSON.parse(body.toString('utf8')) as { subject?: { digest: string } };
      const kept = this.keepsReferrers && subject !== undefined ? { 'oci-subject': subject.digest } : {};
      return void response.writeHead(201, { 'docker-content-digest': digest, ...kept }).end();
    }
    const manifest = this.manifests.get(`${repository}:${reference}`);
    if (manifest === undefined) return void specError(response, 404, 'MANIFEST_UNKNOWN', 'manifest unknown');
    if (seen.method === 'DELETE') {
      for (const [key, { content }] of this.manifests) {
        if (key.startsWith(`${repository}:`) && digestOf(content) === reference) this.manifests.delete(key);
      }
      return void response.writeHead(202).end();
    }
    response.writeHead(200, {
      'content-type': manifest.mediaType,
      'content-length': manifest.content.length,
      'docker-content-digest': digestOf(manifest.content),
    });
    response.end(seen.method === 'HEAD' ? undefined : manifest.content);
  }

  #upload(seen: SeenRequest, url: URL, repository: string, id: string, body: Buffer, response: ServerResponse): void {
    if (seen.method === 'POST') {
      const mount = url.searchParams.get('mount');
      if (mount !== null && this.canMount && this.blobs.has(mount)) return void response.writeHead(201).end();
      const fresh = String(this.#uploads.size + 1);
      this.#uploads.set(fresh, Buffer.alloc(0));
      return void response.writeHead(202, { location: `/v2/${repository}/blobs/uploads/${fresh}?state=a%2Bb` }).end();
    }
    const before = this.#uploads.get(id);
    if (before === undefined) return void specError(response, 404, 'BLOB_UPLOAD_UNKNOWN', 'no such upload');
    const location = `/v2/${repository}/blobs/uploads/${id}?state=a%2Bb`;
    const received = Buffer.concat([before, body]);
    const range = `0-${Math.max(0, received.length - 1)}`;
    if (seen.method === 'GET') return void response.writeHead(204, { location, range }).end();
    this.#uploads.set(id, received);
    if (seen.method === 'PATCH') return void response.writeHead(202, { location, range }).end();
    const digest = `sha256:${createHash('sha256').update(received).digest('hex')}`;
    if (url.searchParams.get('digest') !== digest) {
      return void specError(response, 400, 'DIGEST_INVALID', 'provided digest did not match uploaded content');
    }
    this.blobs.set(digest, received);
    response.writeHead(201, { location: `/v2/${repository}/blobs/${digest}` }).end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export function specError(response: ServerResponse, status: number, code: string, message: string): void {
  response
    .writeHead(status, { 'content-type': 'application/json' })
    .end(JSON.stringify({ errors: [{ code, message }] }));
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
