/**
 * Whoever can read and write the storage that Podman, Buildah and skopeo share. Its format is theirs alone, so one of
 * these programs moves the image between it and a directory.
 */
import { spawn } from 'node:child_process';
import { BuilderError } from '../../report/builder-error.ts';
import { findProgram } from '../../sys/host.ts';
import { currentNamespace } from '../../sys/user-namespace.ts';
import type { StorageImage } from './storage-image.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The words of a command that copies between a storage image and a `dir:` image. */
interface StorageTool {
  readonly path: string;
  /** Commands, run one after another. */
  readonly read: (image: StorageImage, directory: string) => readonly (readonly string[])[];
  readonly write: (image: StorageImage, directory: string, policy: string) => readonly (readonly string[])[];
}

/** The image was accepted when it came here; moving it on is no new occasion to ask. */
export const ACCEPTING_POLICY = '{"default":[{"type":"insecureAcceptAnything"}]}';
const MAX_TEXT = 64 * 1024;

/** @throws `transport.unsupported` when none of them is installed */
export function findStorageTool(what: string): StorageTool {
  const skopeo = findProgram('skopeo');
  if (skopeo !== undefined) return skopeoTool(skopeo);
  const podman = findProgram('podman') ?? findProgram('buildah');
  if (podman !== undefined) return podmanTool(podman);
  throw new BuilderError(
    'transport.unsupported',
    `cannot ${what}: the storage of Podman and Buildah is reached through skopeo or podman, and neither is installed`,
    { hint: 'install one of them (apt-get install skopeo, dnf install skopeo), or use oci-archive: on both sides' },
  );
}

function skopeoTool(path: string): StorageTool {
  const copy = (...words: readonly string[]) => [['--insecure-policy', 'copy', ...words]];
  return {
    path,
    // The layers come out in another form than they went in, so no signature would fit: these tools refuse a copy with one.
    read: (image, directory) => copy('--remove-signatures', `containers-storage:${image.location}`, `dir:${directory}`),
    write: (image, directory) => copy(`dir:${directory}`, `containers-storage:${image.location}`),
  };
}

/** Podman and Buildah have these words in common. */
function podmanTool(path: string): StorageTool {
  const store = ({ driver, graphRoot, runRoot, options }: StorageImage): string[] => [
    ...(driver === '' ? [] : ['--storage-driver', driver]),
    ...(graphRoot === '' ? [] : ['--root', graphRoot]),
    ...(runRoot === '' ? [] : ['--runroot', runRoot]),
    ...options.flatMap((option) => ['--storage-opt', option]),
  ];
  return {
    path,
    read: (image, directory) => [
      [...store(image), 'push', '--quiet', '--remove-signatures', image.id ?? image.name ?? '', `dir:${directory}`],
    ],
    write: (image, directory, policy) => {
      const id = image.configId ?? '';
      return [
        [...store(image), 'pull', '--quiet', '--signature-policy', policy, `dir:${directory}`],
        ...(image.name === undefined ? [] : [[...store(image), 'tag', id, image.name]]),
      ];
    },
  };
}

/** Runs one command to its end. @throws `image.not-known`, `transport.failed` with the last thing it said */
export async function runStorageTool(
  path: string,
  args: readonly string[],
  what: string,
  env: Environment,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { code, said } = await runToEnd(path, args, toolEnvironment(env), signal);
  signal?.throwIfAborted();
  if (code === 0) return;
  const isMissing = /does not resolve to an image|image not known|identifier is not an image/.test(said);
  throw new BuilderError(
    isMissing ? 'image.not-known' : 'transport.failed',
    isMissing ? `cannot ${what}: there is no such image` : `cannot ${what}: ${lastWords(said, path)}`,
  );
}

/** These programs enter a user namespace of their own unless they are told that they are in it already. */
function toolEnvironment(env: Environment): Environment {
  const { rootlessUid, rootlessGid } = currentNamespace();
  if (rootlessUid === undefined) return env;
  return {
    ...env,
    _CONTAINERS_USERNS_CONFIGURED: 'done',
    _CONTAINERS_ROOTLESS_UID: String(rootlessUid),
    _CONTAINERS_ROOTLESS_GID: String(rootlessGid ?? rootlessUid),
  };
}

function runToEnd(
  path: string,
  args: readonly string[],
  env: Environment,
  signal: AbortSignal | undefined,
): Promise<{ readonly code: number | null; readonly said: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(path, args, { env: { ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
    const stop = (): void => void child.kill('SIGTERM');
    signal?.addEventListener('abort', stop, { once: true });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString('utf8')).slice(-MAX_TEXT);
    });
    child.once('error', (cause) => reject(new BuilderError('sys.spawn-failed', `cannot start ${path}`, { cause })));
    child.once('close', (code) => {
      signal?.removeEventListener('abort', stop);
      resolve({ code, said });
    });
  });
}

/** The last line, without what a logger puts around it. */
function lastWords(said: string, path: string): string {
  const line = said.trim().split('\n').at(-1) ?? '';
  const message =
    /\bmsg="((?:[^"\\]|\\.)*)"/.exec(line)?.[1]?.replaceAll(/\\(["\\])/g, '$1') ?? line.replace(/^Error: /, '');
  const name = path.slice(path.lastIndexOf('/') + 1);
  return message === '' ? `${name} failed and said nothing` : `${name}: ${message}`;
}
