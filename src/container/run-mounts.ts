/**
 * What a RUN sees besides its root filesystem: bind, cache, tmpfs, secret and ssh mounts. Everything is
 * staged in a private place and shown from there, so that what was checked is what is mounted: a source is resolved to
 * a descriptor inside its root first, and that descriptor is bound, whatever happens to the path meanwhile.
 */
import { chmodSync, closeSync, constants, copyFileSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ResolvedMount } from '../dockerfile/run-mount.ts';
import { BuilderError } from '../report/builder-error.ts';
import { cloneTree } from '../rootfs/clone-tree.ts';
import type { RunMount } from '../spec/process-spec.ts';
import { CleanupStack } from '../sys/dispose.ts';
import { writeFile } from '../sys/file-write.ts';
import { AT_FDCWD, errnoOf, lchownat, lutimensat, MS, mountCall, O_PATH, openat } from '../sys/libc.ts';
import { bindMount, unmount } from '../sys/mount.ts';
import { procPath, RootDirectory } from '../sys/root-directory.ts';
import { type CacheMount, holdCaches } from './cache-mounts.ts';
import type { Engine } from './engine.ts';
import { giveTo } from './mount-owner.ts';
import { readSecret, type SecretSource } from './secret-source.ts';
import type { SshAgent } from './ssh-agent.ts';
import { serveSshAgent } from './ssh-agent-server.ts';

/** Where mounts of one run come from. */
export interface MountOrigins<Mount extends ResolvedMount = ResolvedMount> {
  /** Root of the stage, image or context a bind or cache mount reads from; visible until the run ends. */
  open(mount: Mount): Promise<string>;
  readonly secrets: ReadonlyMap<string, SecretSource>;
  readonly agents: ReadonlyMap<string, SshAgent>;
  /** Prefix of cache ids, so that builds that must not share do not. */
  readonly cacheNamespace?: string;
}

/** Mounts ready for an executor. Disposing unmounts and forgets. */
export interface StagedMounts extends AsyncDisposable {
  /** What lies inside something else comes after it. */
  readonly mounts: readonly RunMount[];
  /** `K=V` for the process: secrets as variables, SSH_AUTH_SOCK. */
  readonly env: readonly string[];
}

/** @throws `path.escapes`, `copy.source-missing`, `usage.invalid` for a required secret or agent that is missing */
export async function stageMounts<Mount extends ResolvedMount>(
  engine: Engine,
  requests: readonly Mount[],
  origins: MountOrigins<Mount>,
): Promise<StagedMounts> {
  await using cleanup = new CleanupStack();
  const stage = new Stage(engine, origins as MountOrigins, cleanup, requests);
  await stage.holdCaches();
  const mounts: RunMount[] = [];
  const env: string[] = [];
  for (const request of requests) {
    const staged = await stage.add(request);
    mounts.push(...staged.mounts);
    env.push(...staged.env);
  }
  const held = cleanup.move();
  return { mounts: outermostFirst(mounts), env, [Symbol.asyncDispose]: () => held[Symbol.asyncDispose]() };
}

/** So that the order of the flags does not matter, as with BuildKit; of two on one place the later one shows. */
function outermostFirst(mounts: readonly RunMount[]): RunMount[] {
  const depth = ({ target }: RunMount): number => target.split('/').filter((part) => part !== '').length;
  return [...mounts].sort((a, b) => depth(a) - depth(b));
}

interface Staged {
  readonly mounts: readonly RunMount[];
  readonly env: readonly string[];
}
const NOTHING: Staged = { mounts: [], env: [] };
const SAFE = ['nosuid', 'nodev', 'noexec'] as const;

class Stage {
  readonly #engine: Engine;
  readonly #origins: MountOrigins;
  readonly #cleanup: CleanupStack;
  readonly #requests: readonly ResolvedMount[];
  readonly #caches = new Map<CacheMount, string>();
  #private: string | undefined;
  #count = 0;

  constructor(engine: Engine, origins: MountOrigins, cleanup: CleanupStack, requests: readonly ResolvedMount[]) {
    this.#engine = engine;
    this.#origins = origins;
    this.#cleanup = cleanup;
    this.#requests = requests;
  }

  async holdCaches(): Promise<void> {
    const mounts = this.#requests.filter((request) => request.type === 'cache');
    const origin = {
      namespace: this.#origins.cacheNamespace ?? '',
      open: (mount: CacheMount) => this.#origins.open(mount),
    };
    const paths = await holdCaches(this.#engine, mounts, origin, this.#cleanup);
    for (const [i, mount] of mounts.entries()) this.#caches.set(mount, paths[i]!);
  }

  add(request: ResolvedMount): Promise<Staged> | Staged {
    switch (request.type) {
      case 'bind':
        return this.#bind(request);
      case 'cache': {
        const { target, readOnly } = request;
        return { mounts: [{ type: 'bind', source: this.#caches.get(request)!, target, readOnly }], env: [] };
      }
      case 'tmpfs': {
        const { target, sizeBytes, mode } = request;
        const size = sizeBytes === undefined ? {} : { sizeBytes };
        return { mounts: [{ type: 'tmpfs', target, ...size, ...(mode === undefined ? {} : { mode }) }], env: [] };
      }
      case 'secret':
        return this.#secret(request);
      case 'ssh':
        return this.#ssh(request);
    }
  }

  async #bind(m: Extract<ResolvedMount, { type: 'bind' }>): Promise<Staged> {
    const source = await this.#pin(await this.#origins.open(m), m);
    const { target } = m;
    if (m.readOnly && !this.#lacksMountPoint(source, target)) {
      return { mounts: [{ type: 'bind', source, target, readOnly: true }], env: [] };
    }
    // Writes never reach the source: they go to a copy, or to a layer, that is thrown away.
    const stat = statSync(source);
    const isDirectory = stat.isDirectory();
    // Opening a FIFO waits for somebody to write to it.
    if (!isDirectory && !stat.isFile()) {
      const message = `cannot mount ${JSON.stringify(m.source)} for writing: it is neither a file nor a directory`;
      throw new BuilderError('copy.invalid', message, { span: m.span });
    }
    if (isDirectory && this.#engine.snapshots.driver !== 'vfs') {
      return { mounts: [{ type: 'overlay', source, target }], env: [] };
    }
    const copy = await this.#copy(source, isDirectory);
    return { mounts: [{ type: 'bind', source: copy, target, readOnly: false }], env: [] };
  }

  /** Whether another mount goes on a place below `target` that the source does not have and nobody may make there. */
  #lacksMountPoint(source: string, target: string): boolean {
    const below = this.#requests.flatMap((request) =>
      request.target?.startsWith(`${target}/`) === true ? [request.target.slice(target.length + 1)] : [],
    );
    if (below.length === 0 || !statSync(source).isDirectory()) return false;
    using directory = new RootDirectory(source);
    return below.some((path) => directory.stat(path, true) === undefined);
  }

  /** On disk, since it may be large; forgotten with the program's scratch directory, or when the run ends. */
  async #copy(source: string, isDirectory: boolean): Promise<string> {
    const place = join(this.#engine.store.scratch.directory('bind'), 'copy');
    if (!isDirectory) {
      const { uid, gid, mode, mtime } = statSync(source);
      copyFileSync(source, place, constants.COPYFILE_FICLONE);
      lchownat(AT_FDCWD, place, uid, gid);
      chmodSync(place, mode & 0o7777);
      lutimensat(AT_FDCWD, place, { seconds: Math.floor(mtime.getTime() / 1000), nanoseconds: 0 });
      return place;
    }
    mkdirSync(place);
    const [from, to] = [source, place].map((path) =>
      openat(AT_FDCWD, path, constants.O_RDONLY | constants.O_DIRECTORY),
    );
    try {
      await cloneTree(from!, to!, { signal: this.#engine.signal });
    } finally {
      closeSync(from!);
      closeSync(to!);
    }
    return place;
  }

  /** Binds what the source is inside `root` to a private place and gives that place. */
  async #pin(root: string, { source, isAlone, span }: Extract<ResolvedMount, { type: 'bind' }>): Promise<string> {
    using directory = new RootDirectory(root);
    let fd: number;
    try {
      fd = directory.open(source === '/' ? '.' : source, O_PATH);
    } catch (cause) {
      const errno = errnoOf(cause);
      if (errno !== 'ENOENT' && errno !== 'ENOTDIR') throw cause;
      const message = `there is nothing to mount at ${JSON.stringify(source)}`;
      throw new BuilderError('copy.source-missing', message, { cause, span });
    }
    try {
      const isDirectory = statSync(procPath(fd)).isDirectory();
      const place = this.#place(isDirectory);
      bindMount(procPath(fd), place, { recursive: isAlone !== true });
      this.#cleanup.defer(() => unmount(place));
      return place;
    } finally {
      closeSync(fd);
    }
  }

  #freePath(): string {
    this.#count += 1;
    return join(this.#privatePlace(), String(this.#count));
  }

  #place(isDirectory: boolean): string {
    const path = this.#freePath();
    if (isDirectory) mkdirSync(path);
    else writeFile(path, '');
    return path;
  }

  /** A tmpfs nobody else sees: secrets never touch a disk. */
  #privatePlace(): string {
    if (this.#private !== undefined) return this.#private;
    const path = this.#engine.store.scratch.directory('mounts');
    mountCall('tmpfs', path, 'tmpfs', MS.NOSUID | MS.NODEV, 'mode=0700');
    this.#cleanup.defer(() => unmount(path));
    this.#private = path;
    return path;
  }

  #secret(m: Extract<ResolvedMount, { type: 'secret' }>): Staged {
    const source = this.#origins.secrets.get(m.id);
    if (source === undefined) {
      if (!m.required) return NOTHING;
      const message = `the step needs the secret ${JSON.stringify(m.id)}, and none of that id was given`;
      throw new BuilderError('usage.invalid', message, { span: m.span, hint: `pass --secret id=${m.id},src=FILE` });
    }
    const value = readSecret(source, this.#engine.env);
    if (m.env !== undefined && value.includes(0)) {
      const message = `the secret ${JSON.stringify(m.id)} holds a zero byte, which no environment variable can`;
      throw new BuilderError('usage.invalid', message, { span: m.span, hint: 'give it a target= instead of env=' });
    }
    const env = m.env === undefined ? [] : [`${m.env}=${value.toString('utf8')}`];
    if (m.target === undefined) return { mounts: [], env };
    const path = this.#place(false);
    writeFile(path, value);
    giveTo(path, m, 'the secret', m.span);
    chmodSync(path, m.mode ?? 0o400);
    return { mounts: [{ type: 'bind', source: path, target: m.target, readOnly: true, options: SAFE }], env };
  }

  async #ssh(m: Extract<ResolvedMount, { type: 'ssh' }>): Promise<Staged> {
    const agent = this.#origins.agents.get(m.id);
    if (agent === undefined) {
      if (!m.required) return NOTHING;
      const message = `the step needs the ssh agent ${JSON.stringify(m.id)}, and none of that id was given`;
      throw new BuilderError('usage.invalid', message, { span: m.span, hint: `pass --ssh ${m.id}` });
    }
    const source = this.#freePath();
    this.#cleanup.use(await serveSshAgent(agent, source));
    giveTo(source, m, 'the socket of the ssh agent', m.span);
    chmodSync(source, m.mode ?? 0o600);
    return {
      mounts: [{ type: 'bind', source, target: m.target, readOnly: false, options: SAFE }],
      env: [`SSH_AUTH_SOCK=${m.target}`],
    };
  }
}
