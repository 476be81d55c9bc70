/**
 * A Docker daemon with the BuildKit it has built in, from packages that were unpacked and not installed. It runs in
 * mount, network and process namespaces of its own and ends with this process, however that ends: the namespace's
 * first process waits for the end of its standard input, then takes the daemon and its folder away.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { digestOf } from '../../src/spec/digest.ts';
import { command, tryCommand } from './command.ts';
import { checkout } from './installation.ts';

/** Where docker.io and containerd of Debian were unpacked; `.ci/run` does it. */
const UNPACKED = process.env['SLIPWAY_TEST_DOCKER'] ?? join(checkout, 'build/docker');
/** The one with the BuildKit that the known differences are about. */
const VERSION = '20.10';
const START_TIMEOUT_MS = 60_000;

/**
 * First process of the namespaces. $1 is the folder, $2 node, $3 the file server. The loopback device has to be set up
 * in a new network namespace; the file server is in there because ADD is the daemon's.
 */
const FIRST_PROCESS = `
mount --make-rprivate / && mount -t tmpfs tmpfs /run && busybox ip link set lo up || exit 1
exec 3<&0
"$2" "$3" "$1/work" <&3 &
dockerd --data-root "$1/data" --exec-root /run/docker --pidfile /run/docker.pid --host "unix://$1/socket" \
  --storage-driver vfs --bridge none --iptables=false --ip-forward=false --cgroup-parent "slipway-\${1##*-}" \
  > "$1/log" 2>&1 3<&- &
cat <&3 > /dev/null
kill $! && wait $!
for group in /sys/fs/cgroup /sys/fs/cgroup/*; do
  [ ! -d "$group/slipway-\${1##*-}" ] || find "$group/slipway-\${1##*-}" -depth -type d -exec rmdir {} +
done
rm -rf --one-file-system "$1"
`;

/** Why there is no daemon on this machine, or false. */
export function noUnpackedDocker(): string | false {
  const programs = ['usr/sbin/dockerd', 'usr/bin/docker', 'usr/bin/containerd'].map((path) => join(UNPACKED, path));
  const missing = programs.find((path) => !existsSync(path));
  if (missing !== undefined) return `Docker is not unpacked: there is no ${missing}`;
  const version = tryCommand(programs[1]!, ['--version']).stdout.trim();
  return !version.includes(` ${VERSION}.`) && `the differences are those of Docker ${VERSION}, not of ${version}`;
}

export interface EngineImage {
  readonly author?: string;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly history: readonly { readonly created_by?: string; readonly empty_layer?: boolean }[];
  readonly rootfs: { readonly diff_ids?: readonly string[] };
}

export class BuildkitDaemon implements AsyncDisposable {
  readonly #folder: string;
  readonly #process: ChildProcess;
  #address = '';

  private constructor(folder: string) {
    this.#folder = folder;
    const program = join(checkout, 'build/test/support/file-server.js');
    const namespaces = ['--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc'];
    const first = ['sh', '-c', FIRST_PROCESS, 'sh', folder, process.execPath, program];
    this.#process = spawn('unshare', [...namespaces, ...first], {
      env: environment(folder),
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  }

  /** Starts the daemon with OCI layouts' `latest` as its images; gives the reason where it or a RUN cannot run. */
  static async start(layouts: Readonly<Record<string, string>>): Promise<BuildkitDaemon | string> {
    const folder = mkdtempSync(join(tmpdir(), 'slipway-buildkit-'));
    for (const name of ['work', 'home', 'probe']) mkdirSync(join(folder, name));
    const daemon = new BuildkitDaemon(folder);
    try {
      await daemon.#waitUntilReady();
      for (const [name, layout] of Object.entries(layouts)) await daemon.#load(layout, name);
      writeFileSync(join(folder, 'probe/Dockerfile'), `FROM ${Object.keys(layouts)[0]}\nRUN true\n`);
      await daemon.docker('build', '-q', '--network', 'none', join(folder, 'probe'));
      return daemon;
    } catch (error) {
      const { stderr, message } = error as Error & { stderr?: string };
      await daemon[Symbol.asyncDispose]();
      return `dockerd cannot run here: ${stderr?.trim() || message}`;
    }
  }

  /** Folder of the contexts; what is in it, the daemon finds at `address` too. */
  get work(): string {
    return join(this.#folder, 'work');
  }

  get address(): string {
    return this.#address;
  }

  /** Runs the client; an error has what it said as `stderr`. */
  async docker(...words: readonly string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(join(UNPACKED, 'usr/bin/docker'), words, {
      env: { ...environment(this.#folder), DOCKER_HOST: `unix://${this.#folder}/socket`, DOCKER_BUILDKIT: '1' },
      maxBuffer: 1 << 26,
    });
    return stdout.trim();
  }

  /** The config as it is stored. */
  image(id: string): EngineImage {
    return JSON.parse(readFileSync(this.#stored('imagedb/content', id), 'utf8')) as EngineImage;
  }

  /** The folder in which the storage driver keeps an image's whole tree; undefined when it has no layer. */
  treeOf({ rootfs }: EngineImage): string | undefined {
    const { diff_ids: layers = [] } = rootfs;
    if (layers.length === 0) return undefined;
    const chain = layers.reduce((parent, layer) => digestOf(Buffer.from(`${parent} ${layer}`)));
    return join(this.#folder, 'data/vfs/dir', readFileSync(join(this.#stored('layerdb', chain), 'cache-id'), 'utf8'));
  }

  /** Ends when everything of the daemon is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('close', resolve));
    const isRunning = this.#process.exitCode === null && this.#process.signalCode === null;
    this.#process.stdin?.end();
    if (isRunning) await ended;
    tryCommand('rm', ['-rf', '--one-file-system', this.#folder]);
  }

  async #waitUntilReady(): Promise<void> {
    let said = '';
    this.#process.stderr?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    createInterface({ input: this.#process.stdout! }).once('line', (line) => {
      this.#address = line;
    });
    const until = Date.now() + START_TIMEOUT_MS;
    for (;;) {
      if (this.#process.exitCode !== null) throw new Error(`its namespaces cannot be made: ${said.trim()}`);
      const answers = await this.docker('version').then(
        () => true,
        () => false,
      );
      if (answers && this.#address !== '') return;
      const log = tryCommand('tail', ['-n3', join(this.#folder, 'log')]).stdout;
      if (/^failed to start daemon|level=fatal/m.test(log) || Date.now() > until)
        throw new Error(log.trim() || 'no answer');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async #load(layout: string, name: string): Promise<void> {
    const archive = join(this.#folder, 'image.tar');
    command('skopeo', [
      '--insecure-policy',
      'copy',
      '-q',
      `oci:${layout}:latest`,
      `docker-archive:${archive}:${name}:latest`,
    ]);
    await this.docker('load', '-q', '-i', archive);
    await this.docker('tag', name, `localhost/${name}`);
    rmSync(archive);
  }

  #stored(kind: string, digest: string): string {
    return join(this.#folder, 'data/image/vfs', kind, digest.replace(':', '/'));
  }
}

function environment(folder: string): NodeJS.ProcessEnv {
  const system = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  const libraries = ['usr/lib', 'lib'].flatMap((path) => foldersOf(join(UNPACKED, path)));
  return {
    PATH: `${UNPACKED}/usr/sbin:${UNPACKED}/usr/bin:${system}`,
    LD_LIBRARY_PATH: libraries.join(':'),
    HOME: join(folder, 'home'),
    LANG: 'C.UTF-8',
  };
}

/** A folder and its own folders, one of which is named after the machine's architecture. */
function foldersOf(path: string): string[] {
  if (!existsSync(path)) return [];
  const names = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [path, ...names.map(({ name }) => join(path, name))];
}
