/**
 * A registry that means harm. It stands on loopback as the proxy of everything, so that one server is the registry
 * (`registry.example`) and every other host it sends a client to; it wants a login, and notes who sent that login
 * where.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { MEDIA } from '../../src/spec/media-type.ts';
import { FakeRegistry, type Intercept, type SeenRequest } from './fake-registry.ts';
import { type SampleImage, sampleImage, tinyTar } from './sample-image.ts';

export const LOGIN = { username: 'ann', password: 's3cret-of-ann' };
export const REGISTRY = 'registry.example';
export const REPOSITORY = 'team/app';
const AUTHORIZATION = `Basic ${Buffer.from(`${LOGIN.username}:${LOGIN.password}`).toString('base64')}`;

export class HostileRegistry implements AsyncDisposable {
  readonly #server: FakeRegistry;
  readonly image: SampleImage;
  /** Bytes of endless answers that were taken before the client hung up. */
  sentBytes = 0;
  #trick: Intercept = () => false;

  private constructor(server: FakeRegistry, image: SampleImage) {
    this.#server = server;
    this.image = image;
    server.intercept = (seen, response, request) => this.#answer(seen, response, request);
  }

  /** With a sound image under the tag `x`. */
  static async start(tars: readonly Buffer[] = [tinyTar('a'), Buffer.from(tinyTar('b'))]): Promise<HostileRegistry> {
    const image = sampleImage({ tars });
    const registry = new HostileRegistry(await FakeRegistry.start(), image);
    for (const content of image.blobs.values()) registry.#server.addBlob(content);
    registry.give(image.raw);
    return registry;
  }

  /** Environment in which every host is this server. */
  get env(): Record<string, string> {
    const proxy = `http://${this.#server.host}`;
    return { http_proxy: proxy, https_proxy: proxy, no_proxy: '', HTTP_PROXY: proxy, HTTPS_PROXY: proxy, NO_PROXY: '' };
  }

  /** Makes these bytes the manifest `x`. */
  give(manifest: Buffer | string | object, mediaType: string = MEDIA.ociManifest): void {
    const isRaw = typeof manifest === 'string' || Buffer.isBuffer(manifest);
    const raw = Buffer.from(isRaw ? (manifest as string) : JSON.stringify(manifest));
    this.#server.addManifest(REPOSITORY, 'x', raw, mediaType);
  }

  addManifest(document: object, mediaType: string): { mediaType: string; digest: string; size: number } {
    const raw = Buffer.from(JSON.stringify(document));
    return { mediaType, digest: this.#server.addManifest(REPOSITORY, 'other', raw, mediaType), size: raw.length };
  }

  addBlob(content: Buffer | string): { digest: string; size: number } {
    return this.#server.addBlob(content);
  }

  /** Other bytes under the digest of a blob. */
  replaceBlob(digest: string, content: Buffer): void {
    this.#server.blobs.set(digest, content);
  }

  blob(digest: string): Buffer {
    return this.#server.blobs.get(digest)!;
  }

  /** Answers requests itself when it returns true; comes before everything, the login included. */
  trick(trick: Intercept): void {
    this.#trick = trick;
  }

  get requests(): readonly SeenRequest[] {
    return this.#server.requests;
  }

  /** Requests that reached another host than the registry. */
  get foreign(): readonly SeenRequest[] {
    return this.requests.filter((seen) => seen.host !== REGISTRY);
  }

  /** Requests to other hosts that carried anything of a login. */
  get leaks(): readonly SeenRequest[] {
    return this.foreign.filter((seen) => {
      const headers = JSON.stringify(seen.headers) + seen.path;
      return seen.headers.authorization !== undefined || headers.includes(LOGIN.password);
    });
  }

  /** Writes until the client hangs up. */
  endless(response: ServerResponse, chunk: Buffer = Buffer.alloc(65536, 'x')): true {
    const more = (): void => {
      while (!response.destroyed && this.sentBytes < 1 << 30) {
        this.sentBytes += chunk.length;
        if (!response.write(chunk)) return void response.once('drain', more);
      }
    };
    more();
    return true;
  }

  #answer(seen: SeenRequest, response: ServerResponse, request: IncomingMessage): boolean {
    if (this.#trick(seen, response, request) === true) return true;
    if (seen.host !== REGISTRY) {
      response.writeHead(401, { 'www-authenticate': `Basic realm="${seen.host}"` }).end();
      return true;
    }
    if (seen.headers.authorization === AUTHORIZATION) return false;
    response.writeHead(401, { 'www-authenticate': 'Basic realm="registry"' }).end();
    return true;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server[Symbol.asyncDispose]();
  }
}
