/**
 * What the steps of a build do to a root filesystem. `prepare` finds everything a step reads, so that its key is known
 * before anything is mounted; `act` then does the work and gives the text of the history entry.
 */
import { chmodSync } from 'node:fs';
import { basename, join } from 'node:path';
import { digestSources } from '../container/content-digest.ts';
import { copyInto } from '../container/copy-into.ts';
import { resolveSources } from '../container/copy-source.ts';
import type { Engine } from '../container/engine.ts';
import type { FileMemory } from '../container/file-memory.ts';
import { parseMount } from '../container/run.ts';
import { type MountOrigins, stageMounts } from '../container/run-mounts.ts';
import { type ProcessRequest, runProcess } from '../container/run-process.ts';
import type { SecretSource } from '../container/secret-source.ts';
import type { SshAgent } from '../container/ssh-agent.ts';
import type { RunDefaults } from '../container/working-container.ts';
import type { RunStep, StepMount, WorkdirStep } from '../dockerfile/step.ts';
import { BuilderError, located } from '../report/builder-error.ts';
import { ownCapabilities } from '../run/capabilities.ts';
import { resolveUser } from '../run/user.ts';
import { digestOf } from '../spec/digest.ts';
import type { NetworkMode, RunMount } from '../spec/process-spec.ts';
import type { Timestamp } from '../spec/timestamp.ts';
import type { StepInput } from '../store/step-table.ts';
import { CleanupStack } from '../sys/dispose.ts';
import { writeFile } from '../sys/file-write.ts';
import { lchownat } from '../sys/libc.ts';
import { RootDirectory } from '../sys/root-directory.ts';
import type { BuildInputs } from './build-inputs.ts';
import { prepareCopy, shownPath } from './copy-action.ts';
import { discardedVolumes } from './discarded-volumes.ts';
import type { Entitlements } from './entitlements.ts';
import type { Origins } from './origins.ts';
import type { PostMortem } from './post-mortem.ts';
import type { Below, PreparedStep } from './prepared-step.ts';
import { requestedDevices } from './requested-devices.ts';
import type { SourceGate } from './source-gate.ts';
import type { StageRoot } from './stage-root.ts';
import { discardInputs, type FileList, type FileStep, filesystemInput, runInputs } from './step-inputs.ts';

export interface StepActionOptions {
  readonly engine: Engine;
  readonly origins: Origins;
  readonly run: RunDefaults;
  readonly allowed: Entitlements;
  readonly secrets: ReadonlyMap<string, SecretSource>;
  readonly agents: ReadonlyMap<string, SshAgent>;
  /** `os/arch[/variant]` */
  readonly platform: string;
  readonly cacheNamespace: string | undefined;
  readonly memory: FileMemory;
  /** mtime forced on what is copied. */
  readonly timestamp: Timestamp | undefined;
  /** `--mount` of the command line: added to every RUN. */
  readonly mounts: readonly string[];
  /** A RUN has the standard input of this process. */
  readonly stdin: boolean;
  /** What a RUN writes below a VOLUME is thrown away. */
  readonly compatVolumes: boolean;
  /** RUN steps still to come in the whole build, this one included. */
  readonly forecast: { runs: number };
  readonly tlsVerify: boolean | undefined;
  readonly certDir: string | undefined;
  /** What to do with a RUN that fails. */
  readonly postMortem: PostMortem | undefined;
  /** Told of what ADD fetches. */
  readonly inputs: BuildInputs;
  readonly gate: SourceGate;
}

const contentOfMount = (index: number): string => `content of mount ${index + 1}`;

export class StepActions implements AsyncDisposable {
  readonly #o: StepActionOptions;
  readonly #cleanup = new CleanupStack();
  readonly #roots = new Map<string, RootDirectory>();

  constructor(o: StepActionOptions) {
    this.#o = o;
  }

  prepare(step: FileStep, below: Below): Promise<PreparedStep> {
    switch (step.kind) {
      case 'run':
        return this.#prepareRun(step, below.chain);
      case 'workdir':
        return Promise.resolve(this.#prepareWorkdir(step, below.chain));
      default:
        return prepareCopy({ ...this.#o, rootOf: (path) => this.#rootOf(path) }, step, below);
    }
  }

  // --- WORKDIR

  #prepareWorkdir(step: WorkdirStep, chain: string | undefined): PreparedStep {
    const inputs = [
      filesystemInput(chain),
      { name: 'directory', value: step.path },
      { name: 'owner', value: step.owner },
    ];
    return {
      quick: undefined,
      reads: async () => ({ inputs, lists: [] }),
      act: async (rootPath) => {
        makeDirectory(rootPath, step);
        return undefined;
      },
    };
  }

  async makeWorkdir(step: WorkdirStep, root: StageRoot): Promise<void> {
    if (step.path !== '/') makeDirectory(await root.writable(), step);
  }

  /** Roots stay open until the stage ends: sources refer to them. */
  #rootOf(path: string): RootDirectory {
    let root = this.#roots.get(path);
    if (root === undefined) {
      root = this.#cleanup.use(new RootDirectory(path));
      this.#roots.set(path, root);
    }
    return root;
  }

  // --- RUN

  async #prepareRun(written: RunStep, chain: string | undefined): Promise<PreparedStep> {
    refuseForbidden(written, this.#o.allowed, this.#o.run.network);
    const step = this.#withMounts(written);
    this.#o.forecast.runs -= 1;
    const discarded = this.#o.compatVolumes ? discardedVolumes(step, this.#o.run) : [];
    const inputs = (mounted: readonly StepInput[]): StepInput[] => [
      ...runInputs(step, chain, this.#o.platform, this.#o.run, mounted),
      ...discardInputs(discarded),
    ];
    const known = this.#o.stdin ? undefined : await this.#knownMounts(step);
    return {
      isOnce: this.#o.stdin,
      quick: known === undefined ? undefined : inputs(known),
      reads: async () => {
        const lists = await this.#mountedContent(step);
        return { inputs: inputs(lists.map(({ name, digest }) => ({ name, value: digest }))), lists };
      },
      act: async (rootPath, id) => {
        await this.#run(step, rootPath, id, discarded);
        return undefined;
      },
    };
  }

  /** A mount of the command line reads from the build context or from an image. */
  #withMounts(step: RunStep): RunStep {
    if (this.#o.mounts.length === 0) return step;
    const added = this.#o.mounts.map((text): StepMount => {
      const mount = parseMount(text, step.workdir);
      const from = 'from' in mount ? mount.from : undefined;
      if (from !== undefined) return { ...mount, content: { kind: 'image', reference: from } };
      return { ...mount, content: mount.type === 'cache' ? { kind: 'scratch' } : undefined };
    });
    return { ...step, mounts: [...step.mounts, ...added] };
  }

  /** What tells the content of all bind mounts apart without reading it. */
  async #knownMounts(step: RunStep): Promise<StepInput[] | undefined> {
    const inputs: StepInput[] = [];
    for (const [i, mount] of step.mounts.entries()) {
      if (mount.type !== 'bind') continue;
      const value = await this.#o.origins.identify(mount.content);
      if (value === undefined) return undefined;
      inputs.push({ name: contentOfMount(i), value });
    }
    return inputs.length === 0 ? undefined : inputs;
  }

  /** What bind mounts show, by content. */
  async #mountedContent(step: RunStep): Promise<FileList[]> {
    const found: FileList[] = [];
    for (const [i, mount] of step.mounts.entries()) {
      if (mount.type !== 'bind') continue;
      try {
        found.push({ name: contentOfMount(i), ...(await this.#contentBelow(mount)) });
      } catch (error) {
        throw located(error, mount.span);
      }
    }
    return found;
  }

  async #contentBelow(mount: StepMount & { readonly type: 'bind' }): Promise<Omit<FileList, 'name'>> {
    const origin = await this.#o.origins.get(mount.content);
    const { source } = mount;
    // The digest of a whole root is that of its layers.
    if (origin.identity !== undefined && /^[/.]*$/.test(source)) {
      return { digest: digestOf(origin.identity), sources: [], records: undefined };
    }
    const sources = await resolveSources({
      root: this.#rootOf(origin.path),
      rootName: origin.name,
      patterns: [source === '' ? '.' : source],
      ignore: origin.ignore,
      allowWildcard: false,
      signal: this.#o.engine.signal,
    });
    const { digest, records } = await digestSources(sources, {
      memory: this.#o.memory,
      preserveOwnership: true,
      records: this.#o.engine.store.contentLists,
    });
    return { digest, sources: sources.map(shownPath), records };
  }

  async #run(step: RunStep, rootPath: string, id: string, discarded: readonly string[]): Promise<void> {
    const { engine, run } = this.#o;
    const origins: MountOrigins<StepMount> = {
      open: (mount) =>
        this.#pathOf(mount).catch((error: unknown) => {
          throw located(error, mount.span);
        }),
      secrets: this.#o.secrets,
      agents: this.#o.agents,
      ...(this.#o.cacheNamespace === undefined ? {} : { cacheNamespace: this.#o.cacheNamespace }),
    };
    const devices = await requestedDevices(step, this.#o.allowed, run.cdiDirectories, engine.emit);
    await using staged = await stageMounts(engine, step.mounts, origins);
    const script = this.#stageScript(step);
    const output = (stream: 'stdout' | 'stderr') => (data: Uint8Array) =>
      engine.emit({ type: 'step-output', step: id, stream, data });
    const request: ProcessRequest = {
      rootPath,
      args: step.argv,
      env: step.env,
      extraEnv: [...step.proxyEnv, ...staged.env],
      cwd: step.workdir,
      user: step.user,
      defaults: step.security === 'insecure' ? withoutConfinement(run) : run,
      ...(step.network === 'default' ? {} : { network: step.network }),
      mounts: [...staged.mounts, ...script],
      discardedVolumes: discarded,
      ...(devices === undefined ? {} : { deviceEdits: devices }),
      terminal: false,
      expectsMore: this.#o.forecast.runs > 0,
      io: { stdin: this.#o.stdin ? 'inherit' : 'ignore', stdout: output('stdout'), stderr: output('stderr') },
    };
    const status = await runProcess(engine, request);
    if (status.kind === 'exited' && status.code === 0) return;
    const words = status.kind === 'exited' ? `exit status ${status.code}` : `killed by ${status.signal}`;
    if (engine.signal?.aborted !== true) await this.#o.postMortem?.openShell(request, id, words, step.shell);
    throw new BuilderError('step.failed', `while running runtime: ${words}`, {
      span: step.span,
      facts: status.kind === 'exited' ? { exitCode: status.code } : { signal: status.signal },
    });
  }

  /** Root a mount reads from. What the ignore file hides is not shown to a RUN either. */
  async #pathOf(mount: StepMount): Promise<string> {
    const origin = await this.#o.origins.get(mount.content);
    if (origin.ignore === undefined || mount.type !== 'bind') return origin.path;
    const { engine } = this.#o;
    const copy = engine.store.scratch.directory('context');
    const sources = await resolveSources({
      root: this.#rootOf(origin.path),
      patterns: [mount.source === '' ? '.' : mount.source],
      ignore: origin.ignore,
      allowWildcard: false,
      signal: engine.signal,
    });
    const destination = mount.source.replace(/^\/+/, '');
    await copyInto(engine, {
      rootPath: copy,
      sources,
      destination: `/${destination}`,
      preserveOwnership: true,
      cache: this.#o.memory.files,
    });
    return copy;
  }

  /** A heredoc with a shebang appears as an executable file. */
  #stageScript(step: RunStep): RunMount[] {
    const { script } = step;
    if (script === undefined) return [];
    const path = join(this.#o.engine.store.scratch.directory('script'), 'script');
    writeFile(path, script.content);
    chmodSync(path, script.mode);
    return [{ type: 'bind', source: path, target: join('/dev/pipes', basename(script.path)), readOnly: true }];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#cleanup[Symbol.asyncDispose]();
  }
}

/** What a Dockerfile may not have without the caller's consent is refused by name. */
function refuseForbidden(step: RunStep, allowed: Entitlements, network: NetworkMode | undefined): void {
  if (step.security === 'insecure' && !allowed.insecure) {
    throw new BuilderError('usage.invalid', 'RUN --security=insecure is not allowed in this build', {
      span: step.span,
      hint: 'if you trust this file with every privilege of yours, pass --allow security.insecure',
    });
  }
  // Who cuts a build off from the host's network does not mean the Dockerfile to undo it.
  if (step.network === 'host' && !allowed.hostNetwork && (network ?? 'host') !== 'host') {
    throw new BuilderError('usage.invalid', `RUN --network=host is not allowed in a build with --network=${network}`, {
      span: step.span,
      hint: 'if the Dockerfile may use the network of this machine, pass --allow network.host',
    });
  }
}

/** Every capability there is to give, no filter of system calls, nothing of /proc and /sys hidden. */
function withoutConfinement(run: RunDefaults): RunDefaults {
  return {
    ...run,
    addCapabilities: ownCapabilities(),
    dropCapabilities: [],
    securityOptions: ['seccomp=unconfined', 'unmask=ALL'],
  };
}

function makeDirectory(rootPath: string, step: WorkdirStep): void {
  using root = new RootDirectory(rootPath);
  const owner = step.owner === '' ? { uid: 0, gid: 0 } : resolveUser(rootPath, step.owner);
  root.makeDirectories(step.path, 0o755, (parent, name) => {
    if (owner.uid !== 0 || owner.gid !== 0) lchownat(parent, name, owner.uid, owner.gid);
  });
}
