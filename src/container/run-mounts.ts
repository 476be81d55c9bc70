/**
 * What a RUN sees besides its root filesystem: bind, cache, tmpfs, secret and ssh mounts, and volumes. Everything is
 * staged in a private place and shown from there, so that what was checked is what is mounted: a source is resolved to
 * a descriptor inside its root first, and that descriptor is bound, whatever happens to the path meanwhile.
 */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import type { ResolvedMount } from '../dockerfile/run-mount.ts';
import { BuilderError } from '../report/builder-error.ts';
import { cloneTree } from '../rootfs/clone-tree.ts';
import { removeTree } from '../rootfs/remove-tree.ts';
import type { RunMount } from '../spec/process-spec.ts';
import { CleanupStack } from '../sys/dispose.ts';
import { FileLock } from '../sys/file-lock.ts';
import { AT_FDCWD, errnoOf, MS, mountCall, O_PATH, openat } from '../sys/libc.ts';
import { bindMount, unmount } from '../sys/mount.ts';
import { procPath, RootDirectory } from '../sys/root-directory.ts';
import type { Engine } from './engine.ts';
import { readSecret, type SecretSource } from './secret-source.ts';
import type { SshAgent } from './ssh-agent.ts';

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
  readonly mounts: readonly RunMount[];
  /** `K=V` for the process: secrets as variables, SSH_AUTH_SOCK. */
  readonly env: readonly string[];
}

/** @throws `path.escapes`, `copy.source-missing`, `usage.invalid` for a required secret or agent that is missing */
export async function stageMounts<Mount extends ResolvedMount>(
  engine: Engine,
  requests: readonly Mount[],
  volumes: readonly string[],
  origins: MountOrigins<Mount>,
): Promise<StagedMounts> {
  await using cleanup = new CleanupStack();
  const stage = new Stage(engine, origins as MountOrigins, cleanup);
  const mounts: RunMount[] = [];
  const env: string[] = [];
  for (const request of requests) {
    const staged = await stage.add(request);
    mounts.push(...staged.mounts);
    env.push(...staged.env);
  }
  for (const volume of volumes) mounts.push(parseVolume(volume, engine.cwd));
  const held = cleanup.move();
  return { mounts, env, [Symbol.asyncDispose]: () => held[Symbol.asyncDispose]() };
}

interface Staged {
  readonly mounts: readonly RunMount[];
  readonly env: readonly string[];
}
const NOTHING: Staged = { mounts: [], env: [] };

class Stage {
  readonly #engine: Engine;
  readonly #origins: MountOrigins;
  readonly #cleanup: CleanupStack;
  #private: string | undefined;
  #count = 0;

  constructor(engine: Engine, origins: MountOrigins, cleanup: CleanupStack) {
    this.#engine = engine;
    this.#origins = origins;
    this.#cleanup = cleanup;
  }

  add(request: ResolvedMount): Promise<Staged> | Staged {
    switch (request.type) {
      case 'bind':
        return this.#bind(request);
      case 'cache':
        return this.#cache(request);
      case 'tmpfs': {
        const { target, sizeBytes } = request;
        return { mounts: [{ type: 'tmpfs', target, ...(sizeBytes === undefined ? {} : { sizeBytes }) }], env: [] };
      }
      case 'secret':
        return this.#secret(request);
      case 'ssh':
        return this.#ssh(request);
    }
  }

  async #bind(m: Extract<ResolvedMount, { type: 'bind' }>): Promise<Staged> {
    const source = await this.#pin(await this.#origins.open(m), m.source);
    const { target } = m;
    // Writes never reach the source: they go to a layer that is thrown away.
    const mount: RunMount = m.readOnly
      ? { type: 'bind', source, target, readOnly: true }
      : { type: 'overlay', source, target };
    return { mounts: [mount], env: [] };
  }

  /** Binds what `path` is inside `root` to a private place and gives that place. */
  async #pin(root: string, path: string): Promise<string> {
    using directory = new RootDirectory(root);
    let fd: number;
    try {
      fd = directory.open(path === '' ? '.' : path, O_PATH);
    } catch (cause) {
      if (errnoOf(cause) !== 'ENOENT') throw cause;
      throw new BuilderError('copy.source-missing', `there is nothing to mount at ${JSON.stringify(path)}`, { cause });
    }
    try {
      const isDirectory = statSync(procPath(fd)).isDirectory();
      const place = this.#place(isDirectory);
      bindMount(procPath(fd), place, { recursive: true });
      this.#cleanup.defer(() => unmount(place));
      return place;
    } finally {
      closeSync(fd);
    }
  }

  #place(isDirectory: boolean): string {
    this.#count += 1;
    const path = join(this.#privatePlace(), String(this.#count));
    if (isDirectory) mkdirSync(path);
    else writeFileSync(path, '');
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

  async #cache(m: Extract<ResolvedMount, { type: 'cache' }>): Promise<Staged> {
    const { store } = this.#engine;
    const root = join(store.paths.cache, 'mounts');
    mkdirSync(root, { recursive: true, mode: 0o700 });
    const identity = JSON.stringify([this.#origins.cacheNamespace ?? '', m.id, m.from ?? '', m.source]);
    const name = createHash('sha256').update(identity).digest('hex').slice(0, 32);
    const path = await this.#holdCache(root, name, m.sharing);
    if (!existsSync(path)) await this.#makeCache(path, m);
    const { target, readOnly } = m;
    return { mounts: [{ type: 'bind', source: path, target, readOnly }], env: [] };
  }

  /** Takes the cache as its sharing asks: together, one after the other, or a fresh one beside a busy one. */
  async #holdCache(root: string, name: string, sharing: 'shared' | 'private' | 'locked'): Promise<string> {
    const { signal } = this.#engine;
    const lockOf = (n: number): string => join(root, `${name}.${n}.lock`);
    const pathOf = (n: number): string => join(root, n === 0 ? name : `${name}.${n}`);
    if (sharing !== 'private') {
      const lock = await FileLock.acquire(lockOf(0), sharing === 'locked' ? 'exclusive' : 'shared', { signal });
      this.#cleanup.use(lock);
      return pathOf(0);
    }
    for (let n = 0; ; n++) {
      const lock = FileLock.try(lockOf(n), 'exclusive');
      if (lock === undefined) continue;
      this.#cleanup.use(lock);
      return pathOf(n);
    }
  }

  async #makeCache(path: string, m: Extract<ResolvedMount, { type: 'cache' }>): Promise<void> {
    using _ = await FileLock.acquire(`${path}.make`, 'exclusive', { signal: this.#engine.signal });
    if (existsSync(path)) return;
    const fresh = `${path}.new`;
    removeTree(fresh);
    mkdirSync(fresh, { mode: 0o700 });
    if (m.from !== undefined) {
      using from = new RootDirectory(await this.#origins.open(m));
      const source = from.openDirectory(m.source === '' ? '.' : m.source);
      const to = openat(AT_FDCWD, fresh, constants.O_RDONLY | constants.O_DIRECTORY);
      try {
        await cloneTree(source, to, { signal: this.#engine.signal });
      } finally {
        closeSync(source);
        closeSync(to);
      }
    }
    chownSync(fresh, m.uid ?? 0, m.gid ?? 0);
    chmodSync(fresh, m.mode ?? 0o755);
    renameSync(fresh, path);
  }

  #secret(m: Extract<ResolvedMount, { type: 'secret' }>): Staged {
    const source = this.#origins.secrets.get(m.id);
    if (source === undefined) {
      if (!m.required) return NOTHING;
      throw new BuilderError(
        'usage.invalid',
        `the step needs the secret ${JSON.stringify(m.id)}, and none of that id was given`,
        {
          span: m.span,
          hint: `pass --secret id=${m.id},src=FILE`,
        },
      );
    }
    const value = readSecret(source, this.#engine.env);
    const env = m.env === undefined ? [] : [`${m.env}=${value.toString('utf8')}`];
    if (m.target === undefined) return { mounts: [], env };
    const path = this.#place(false);
    writeFileSync(path, value);
    chownSync(path, m.uid ?? 0, m.gid ?? 0);
    chmodSync(path, m.mode ?? 0o400);
    return {
      mounts: [
        { type: 'bind', source: path, target: m.target, readOnly: true, options: ['nosuid', 'nodev', 'noexec'] },
      ],
      env,
    };
  }

  #ssh(m: Extract<ResolvedMount, { type: 'ssh' }>): Staged {
    const agent = this.#origins.agents.get(m.id);
    if (agent === undefined) {
      if (!m.required) return NOTHING;
      throw new BuilderError(
        'usage.invalid',
        `the step needs the ssh agent ${JSON.stringify(m.id)}, and none of that id was given`,
        {
          span: m.span,
          hint: `pass --ssh ${m.id}`,
        },
      );
    }
    return {
      mounts: [
        {
          type: 'bind',
          source: agent.socket,
          target: m.target,
          readOnly: false,
          options: ['nosuid', 'nodev', 'noexec'],
        },
      ],
      env: [`SSH_AUTH_SOCK=${m.target}`],
    };
  }
}

const PROPAGATION = new Set([
  'private',
  'rprivate',
  'slave',
  'rslave',
  'shared',
  'rshared',
  'unbindable',
  'runbindable',
]);
/** Words other tools write and that ask for nothing here; SELinux labels are not applied. */
const HARMLESS = new Set([
  'rw',
  'z',
  'Z',
  'bind',
  'rbind',
  'exec',
  'dev',
  'suid',
  'cached',
  'delegated',
  'consistent',
  'copy',
  'nocopy',
]);

/** `source:target[:options]`. @throws `usage.invalid`, `usage.unsupported` */
export function parseVolume(text: string, cwd: string): RunMount {
  const [source = '', target, options = '', ...rest] = text.split(':');
  const bad = (why: string): BuilderError =>
    new BuilderError('usage.invalid', `invalid volume ${JSON.stringify(text)}: ${why}`);
  if (target === undefined || source === '' || rest.length > 0) throw bad('write SOURCE:TARGET[:OPTIONS]');
  if (!isAbsolute(target)) throw bad('the path inside the container must be absolute');
  const path = resolve(cwd, source);
  if (!existsSync(path)) throw bad(`there is no ${path}`);
  let readOnly = false;
  let overlay = false;
  let propagation: string | undefined;
  const flags: ('nosuid' | 'nodev' | 'noexec')[] = [];
  for (const word of options.split(',').filter((part) => part !== '')) {
    if (word === 'ro') readOnly = true;
    else if (word === 'O') overlay = true;
    else if (word === 'nosuid' || word === 'nodev' || word === 'noexec') flags.push(word);
    else if (PROPAGATION.has(word)) propagation = word;
    else if (word === 'U')
      throw new BuilderError(
        'usage.unsupported',
        `volume option U (change the owner of the source) is not supported: ${text}`,
      );
    else if (!HARMLESS.has(word)) throw bad(`unknown option ${JSON.stringify(word)}`);
  }
  if (overlay) return { type: 'overlay', source: path, target };
  return {
    type: 'bind',
    source: path,
    target,
    readOnly,
    ...(propagation === undefined ? {} : { propagation }),
    ...(flags.length === 0 ? {} : { options: flags }),
  };
}
