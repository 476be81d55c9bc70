/** A real registry (Debian's docker-registry) on a free port of the loopback interface. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { command, findProgram } from './command.ts';

export interface RegistryOptions {
  /** Serve TLS with a certificate made for this registry; its authority is `certificateFolder`/ca.crt. */
  readonly tls?: boolean;
  readonly user?: { readonly name: string; readonly password: string };
}

export class RegistryServer implements AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** Folder for --cert-dir, when the registry speaks TLS. */
  readonly certificateFolder: string;
  readonly #folder: string;
  readonly #process: ChildProcess;

  private constructor(host: string, folder: string, process: ChildProcess) {
    this.host = host;
    this.#folder = folder;
    this.certificateFolder = join(folder, 'certs');
    this.#process = process;
  }

  static async start(o: RegistryOptions = {}): Promise<RegistryServer> {
    const folder = mkdtempSync(join(tmpdir(), 'slipway-registry-'));
    chmodSync(folder, 0o755);
    const host = `127.0.0.1:${await freePort()}`;
    mkdirSync(join(folder, 'certs'));
    if (o.tls === true) makeCertificate(folder);
    if (o.user !== undefined) {
      const line = command('htpasswd', ['-Bbn', o.user.name, o.user.password]);
      writeFileSync(join(folder, 'htpasswd'), line);
    }
    writeFileSync(join(folder, 'config.yml'), configuration(folder, host, o));
    const log = openSync(join(folder, 'log'), 'a');
    const program = findProgram('docker-registry') ?? 'docker-registry';
    const child = spawn(program, ['serve', join(folder, 'config.yml')], { stdio: ['ignore', log, log] });
    // A test run that is cut off must not leave a server behind.
    process.once('exit', () => child.kill('SIGKILL'));
    const server = new RegistryServer(host, folder, child);
    await server.#ready();
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    if (this.#process.exitCode === null) {
      this.#process.kill('SIGKILL');
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #ready(): Promise<void> {
    const port = Number(this.host.split(':')[1]);
    for (let attempt = 0; attempt < 200; attempt++) {
      if (this.#process.exitCode !== null) break;
      if (await answers(port)) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`docker-registry does not start: ${readFileSync(join(this.#folder, 'log'), 'utf8').slice(-2000)}`);
  }
}

function configuration(folder: string, host: string, o: RegistryOptions): string {
  const tls =
    o.tls === true ? ['  tls:', `    certificate: ${folder}/server.crt`, `    key: ${folder}/server.key`] : [];
  const auth = o.user === undefined ? [] : ['auth:', '  htpasswd:', '    realm: test', `    path: ${folder}/htpasswd`];
  return [
    'version: 0.1',
    'log: { level: warn }',
    'storage:',
    `  filesystem: { rootdirectory: ${folder}/data }`,
    '  delete: { enabled: true }',
    'http:',
    `  addr: ${host}`,
    ...tls,
    ...auth,
    '',
  ].join('\n');
}

function makeCertificate(folder: string): void {
  command('openssl', [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost'],
    ...['-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'],
    ...['-keyout', join(folder, 'server.key'), '-out', join(folder, 'server.crt')],
  ]);
  writeFileSync(join(folder, 'certs/ca.crt'), readFileSync(join(folder, 'server.crt')));
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
