/** A Docker daemon in this process: keeps archives by image name and answers the two requests that move images. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class FakeDockerDaemon implements AsyncDisposable {
  /** What was loaded, newest last. */
  readonly loaded: Buffer[] = [];
  /** Archive by name or id. */
  readonly images = new Map<string, Buffer>();
  readonly requests: string[] = [];
  /** When set, what loading an archive ends with. */
  loadError: string | undefined;
  readonly #folder: string;
  readonly #server: Server;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  static async start(): Promise<FakeDockerDaemon> {
    const daemon = new FakeDockerDaemon(mkdtempSync(join(tmpdir(), 'slipway-daemon-')));
    await new Promise<void>((resolve) => daemon.#server.listen(daemon.socket, resolve));
    return daemon;
  }

  get socket(): string {
    return join(this.#folder, 'docker.sock');
  }

  get env(): Record<string, string> {
    return { DOCKER_HOST: `unix://${this.socket}` };
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request;
    this.requests.push(`${method} ${url}`);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const name = /^\/images\/(.+)\/get$/.exec(url)?.[1];
    if (method === 'GET' && name !== undefined) {
      const archive = this.images.get(name);
      if (archive !== undefined) response.writeHead(200, { 'Content-Type': 'application/x-tar' }).end(archive);
      else response.writeHead(404).end(JSON.stringify({ message: `No such image: ${name}` }));
    } else if (method === 'POST' && url.startsWith('/images/load')) {
      this.loaded.push(Buffer.concat(chunks));
      response.writeHead(200, { 'Content-Type': 'application/json' });
      response.write('{"stream":"Loaded image: x\\n"}\n');
      // As the real one does: the status was sent long before anything went wrong.
      const error = this.loadError;
      response.end(error === undefined ? '' : JSON.stringify({ errorDetail: { message: error }, error }));
    } else response.writeHead(404).end('{"message":"page not found"}');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
