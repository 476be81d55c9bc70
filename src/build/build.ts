/** `build`: a Dockerfile and a context become an image. */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { emitCopies, emitTransfer, squashLayer } from '../container/commit.ts';
import type { Engine } from '../container/engine.ts';
import { baseAnnotations } from '../container/from.ts';
import { findIgnoreFile, readIgnoreRules } from '../container/ignore-rules.ts';
import { type ImageTimes, imageTimes } from '../container/image-times.ts';
import { type LocalImage, loadImage, newImageName } from '../container/local-image.ts';
import { pullImage } from '../container/pull.ts';
import { isRemoteName, sendImage } from '../container/push.ts';
import { prepareRuns } from '../container/run-process.ts';
import { parseSecret } from '../container/secret-source.ts';
import { parseSshAgent } from '../container/ssh-agent.ts';
import { StatCache } from '../container/stat-cache.ts';
import { unpack } from '../container/unpack.ts';
import type { BuildOptions, BuildResult } from '../container/verb-options.ts';
import { recordImage, type WrittenImage, writeImage } from '../container/write-image.ts';
import { unusedBuildArgs } from '../dockerfile/build-args.ts';
import { consumedArgs } from '../dockerfile/evaluate.ts';
import { buildInstructions } from '../dockerfile/instructions.ts';
import { parseDockerfile } from '../dockerfile/parser.ts';
import { findTarget, neededStages, planStages, type Stage, type StagePlan, stageLabel } from '../dockerfile/stages.ts';
import { serializeConfig } from '../image/serialize-config.ts';
import { BuilderError } from '../report/builder-error.ts';
import { schedule } from '../solver/schedule.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { chainIdOfAll, digestOf, hexOf } from '../spec/digest.ts';
import { applyEdits, setEnv, setLabel, unsetEnv, unsetLabel, without } from '../spec/edit-config.ts';
import type { EditConfig, HistoryEntry, ImageConfig } from '../spec/image-config.ts';
import type { ImageFormat } from '../spec/media-type.ts';
import { formatPlatform, hostPlatform, platformScore } from '../spec/platform.ts';
import { IDENTITY_LABEL, VERSION } from '../spec/version.ts';
import { buildArguments } from './build-arguments.ts';
import { BuildCache } from './build-cache.ts';
import { type BuildContext, openContext, readAllStdin } from './build-context.ts';
import { readContainerfile } from './containerfile.ts';
import { exportRootfs, parseOutput } from './export-rootfs.ts';
import { type NamedContext, openNamedContexts } from './named-context.ts';
import { Origins } from './origins.ts';
import { buildStage, type StageResult } from './stage-build.ts';
import { type LayerState, NO_LAYERS, StageRoot } from './stage-root.ts';
import { StepActions } from './step-actions.ts';

/**
 * Builds the target stage and what it needs, and gives the image its names.
 * @throws `dockerfile.*` with a place in the file, `context.invalid`, `step.failed` with `facts.exitCode`, the errors of
 *   pulling, copying and committing
 */
export async function build(engine: Engine, o: BuildOptions): Promise<BuildResult> {
  if (o.rm === false) {
    throw new BuilderError(
      'usage.unsupported',
      '--rm=false is not supported: builds make no working containers that could be kept',
    );
  }
  const outputs = (o.outputs ?? []).map((text) => parseOutput(text, engine.cwd));
  const names = localNames(o.tags ?? []);
  const context = await openContext(engine, o.context, readAllStdin);
  const request = await readRequest(engine, o, context);
  await using run = new BuildRun(engine, o, request);
  const result = await run.build();
  const image = await run.commit(result, names);
  for (const output of outputs) await exportRootfs(engine, result.root.snapshot, output);
  return image;
}

/** Names in the store, full; others keep their transport. */
function localNames(tags: readonly string[]): { readonly local: string[]; readonly remote: string[] } {
  return {
    local: tags.filter((tag) => !isRemoteName(tag)).map(newImageName),
    remote: tags.filter(isRemoteName),
  };
}

/** Everything read before anything is built. */
interface BuildRequest {
  readonly context: BuildContext;
  readonly plan: StagePlan;
  readonly target: number;
  readonly needed: readonly number[];
  readonly buildArgs: ReadonlyMap<string, string>;
  readonly contexts: ReadonlyMap<string, NamedContext>;
  readonly containerfile: string | undefined;
}

async function readRequest(engine: Engine, o: BuildOptions, context: BuildContext): Promise<BuildRequest> {
  const files =
    o.files !== undefined && o.files.length > 0
      ? o.files
      : context.file === undefined
        ? []
        : [resolve(context.dir, context.file)];
  const { source, path } = readContainerfile({
    files,
    contextDir: context.dir,
    cwd: engine.cwd,
    readStdin: () => readFileSync('/dev/stdin', 'utf8'),
  });
  const buildArgs = buildArguments(o.buildArgs ?? [], o.buildArgFiles ?? [], engine.env, engine.cwd);
  const contexts = await openNamedContexts(engine, o.buildContexts ?? []);
  const parsed = parseDockerfile(source);
  for (const diagnostic of parsed.warnings) engine.emit({ type: 'diagnostic', diagnostic });
  const target = o.platform ?? hostPlatform();
  const plan = planStages(buildInstructions(parsed), {
    platforms: { build: hostPlatform(), target },
    buildArgs,
    contexts: new Set(contexts.keys()),
    ...(o.target === undefined ? {} : { target: o.target }),
  });
  const index = findTarget(plan, o.target);
  const needed =
    o.skipUnusedStages === false
      ? plan.stages.map((stage) => stage.index).filter((i) => i <= index)
      : neededStages(plan, index);
  return { context, plan, target: index, needed, buildArgs, contexts, containerfile: path };
}

class BuildRun implements AsyncDisposable {
  readonly #engine: Engine;
  readonly #o: BuildOptions;
  readonly #r: BuildRequest;
  readonly #times: ImageTimes;
  readonly #cache: BuildCache;
  readonly #done = new Map<number, StageResult>();
  readonly #bases = new Map<number, LocalImage | undefined>();
  readonly #baseNames = new Map<number, string>();
  readonly #forecast: { runs: number };
  #statCache: StatCache | undefined;

  constructor(engine: Engine, o: BuildOptions, request: BuildRequest) {
    this.#engine = engine;
    this.#o = o;
    this.#r = request;
    const wanted = request.needed.flatMap((index) => request.plan.stages[index]!.instructions);
    this.#forecast = { runs: wanted.filter(({ kind }) => kind === 'run').length };
    const epoch = request.buildArgs.get('SOURCE_DATE_EPOCH') ?? engine.env['SOURCE_DATE_EPOCH'];
    const sourceDateEpoch =
      o.sourceDateEpoch ??
      (o.timestamp === undefined && epoch !== undefined && epoch !== '' ? epochOf(epoch) : undefined);
    this.#times = imageTimes({ timestamp: o.timestamp, sourceDateEpoch, rewriteTimestamp: o.rewriteTimestamp });
    this.#cache = new BuildCache(engine, { reads: o.layers === true && o.noCache !== true, writes: o.layers === true });
  }

  async build(): Promise<StageResult> {
    const { plan, needed, target } = this.#r;
    const nodes = needed.map((key) => ({
      key,
      needs: [...new Set(plan.stages[key]!.dependencies.map(({ index }) => index))].filter((index) =>
        needed.includes(index),
      ),
    }));
    if (this.#forecast.runs > 0 && this.#o.layers !== true) void prepareRuns(this.#engine, this.#o.run ?? {});
    const concurrency =
      this.#o.jobs === undefined
        ? 1
        : this.#o.jobs === 0
          ? Math.max(availableParallelism(), needed.length)
          : this.#o.jobs;
    await schedule(nodes, (index, _, signal) => this.#stage(plan.stages[index]!, signal), {
      concurrency,
      signal: this.#engine.signal,
    });
    this.#statCache?.save();
    return this.#done.get(target)!;
  }

  async #stage(stage: Stage, signal: AbortSignal): Promise<void> {
    const engine: Engine = { ...this.#engine, signal };
    const { needed } = this.#r;
    const prefix = needed.length > 1 ? `[${needed.indexOf(stage.index) + 1}/${needed.length}] ` : '';
    engine.emit({
      type: 'step-line',
      step: `${stage.index}.1`,
      text: `${prefix}STEP 1/${stage.instructions.length + 1}: ${this.#fromText(stage)}`,
    });
    const base = await this.#base(engine, stage);
    const options = this.#o;
    await using root = new StageRoot(engine, base.layers, this.#times.layer, base.unpack);
    await using origins = new Origins(engine, {
      contextDir: this.#r.context.dir,
      contexts: this.#r.contexts,
      stage: (index) => this.#stageState(index),
      pull: this.#pullOptions(stage),
    });
    const ignoreFile = findIgnoreFile(this.#r.context.dir, this.#r.containerfile, options.ignoreFile, engine.cwd);
    await using actions = new StepActions({
      engine,
      origins,
      ignore: this.#r.context.isLocal || options.ignoreFile !== undefined ? readIgnoreRules(ignoreFile) : undefined,
      run: options.run ?? {},
      secrets: new Map(
        (options.secrets ?? [])
          .map((text) => parseSecret(text, engine.env, engine.cwd))
          .map((secret) => [secret.id, secret]),
      ),
      agents: new Map(
        (options.ssh ?? [])
          .map((text) => parseSshAgent(text, engine.env, engine.cwd))
          .map((agent) => [agent.id, agent]),
      ),
      platform: formatPlatform(stage.platform ?? options.platform ?? hostPlatform()),
      cacheNamespace: this.#r.buildArgs.get('BUILDKIT_CACHE_MOUNT_NS'),
      statCache: () => this.#openStatCache(),
      timestamp: this.#times.layer.mtime,
      mounts: options.mounts ?? [],
      forecast: this.#forecast,
      tlsVerify: options.tlsVerify,
      certDir: options.certDir,
    });
    const isTarget = stage.index === this.#r.target;
    const result = await buildStage({
      engine,
      plan: this.#r.plan,
      stage,
      prefix,
      layers: options.layers === true,
      format: options.format ?? 'oci',
      times: this.#times,
      cache: this.#cache,
      buildArgs: this.#r.buildArgs,
      baseConfig: base.config,
      parent: base.parent,
      baseName: base.name,
      root,
      actions,
      identify: (config) => (isTarget ? this.#finalId(config) : idOf(config, options.format ?? 'oci')),
      onCommit: isTarget ? () => this.#sayCommit(prefix) : undefined,
      isBase: options.layers === true || this.#isBase(stage),
    });
    this.#done.set(stage.index, result);
  }

  /** Id the target's image will have. */
  #finalId(config: ImageConfig): string {
    const created = this.#createdOf(config);
    return idOf({ ...this.#finalConfig(config, created), created }, this.#o.format ?? 'oci');
  }

  /** Whether another stage that is built stands on this one. */
  #isBase(stage: Stage): boolean {
    return this.#r.needed.some((index) => {
      const { base } = this.#r.plan.stages[index]!;
      return base.kind === 'stage' && base.index === stage.index;
    });
  }

  #sayCommit(prefix: string): void {
    const [first] = this.#o.tags ?? [];
    this.#engine.emit({
      type: 'step-line',
      step: 'commit',
      text: `${prefix}${first === undefined ? 'COMMIT' : `COMMIT ${first}`}`,
    });
  }

  #stageState(index: number): { readonly state: LayerState; readonly name: string } {
    const result = this.#done.get(index);
    if (result === undefined) throw new BuilderError('build.failed', `stage ${index} is read before it was built`);
    return { state: result.root, name: stageLabel(this.#r.plan.stages[index]!) };
  }

  /** The FROM line as shown: a stage is named by the image it came to. */
  #fromText(stage: Stage): string {
    const text = stage.from.raw.text.text;
    if (stage.index === this.#r.plan.stages[0]!.index && this.#o.from !== undefined) return `FROM ${this.#o.from}`;
    if (stage.base.kind !== 'stage') return text;
    return text.replace(stage.from.image.text, this.#done.get(stage.base.index)?.imageId ?? stage.from.image.text);
  }

  async #base(engine: Engine, stage: Stage): Promise<BaseOfStage> {
    const isFirst = stage.index === this.#r.plan.stages[0]!.index;
    const source =
      isFirst && this.#o.from !== undefined ? ({ kind: 'image', reference: this.#o.from } as const) : stage.base;
    switch (source.kind) {
      case 'scratch':
        return {
          layers: NO_LAYERS,
          unpack: async () => undefined,
          config: undefined,
          parent: undefined,
          name: undefined,
        };
      case 'stage': {
        const parent = this.#done.get(source.index)!;
        const { snapshot } = parent.root;
        return {
          layers: parent.root,
          unpack: async () => snapshot,
          config: undefined,
          parent,
          name: parent.imageId.slice(0, 12),
        };
      }
      case 'context': {
        const context = this.#r.contexts.get(source.name);
        if (context?.kind === 'image') return this.#imageBase(engine, stage, context.reference);
        throw new BuilderError(
          'context.invalid',
          `the build context ${source.name} is a directory and cannot be the base of a stage`,
          {
            span: stage.from.span,
          },
        );
      }
      case 'image':
        return this.#imageBase(engine, stage, source.reference);
    }
  }

  async #imageBase(engine: Engine, stage: Stage, reference: string): Promise<BaseOfStage> {
    const { record, name } = await pullImage(engine, reference, this.#pullOptions(stage));
    const image = loadImage(engine, record);
    this.#warnPlatform(stage, reference, image);
    this.#bases.set(stage.index, image);
    this.#baseNames.set(stage.index, name);
    const layers: LayerState = {
      layers: image.layers,
      diffIds: image.diffIds,
      chain: chainIdOfAll(image.diffIds),
      snapshot: undefined,
    };
    return {
      layers,
      unpack: () => unpack(engine, image),
      config: this.#inherited(image.config),
      parent: undefined,
      name: name === '' ? record.id.slice(0, 12) : name,
    };
  }

  #inherited(config: ImageConfig): ImageConfig {
    if (this.#o.inheritLabels !== false) return config;
    const { Labels: _, ...rest } = config.config ?? {};
    return { ...config, config: rest };
  }

  #warnPlatform(stage: Stage, reference: string, image: LocalImage): void {
    const want = stage.platform ?? this.#o.platform;
    if (want === undefined || platformScore(want, image.config) !== undefined) return;
    this.#engine.emit({
      type: 'warning',
      code: 'InvalidBaseImagePlatform',
      text: `base image ${reference} was pulled with platform ${formatPlatform(image.config)}, expected ${formatPlatform(want)}`,
    });
  }

  #pullOptions(stage: Stage) {
    const { tlsVerify, certDir, authfile, creds, retries, retryDelayMs, pull, platform } = this.#o;
    const wanted = stage.platform ?? platform;
    return {
      ...(tlsVerify === undefined ? {} : { tlsVerify }),
      ...(certDir === undefined ? {} : { certDir }),
      ...(authfile === undefined ? {} : { authfile }),
      ...(creds === undefined ? {} : { creds }),
      ...(retries === undefined ? {} : { retries }),
      ...(retryDelayMs === undefined ? {} : { retryDelayMs }),
      ...(wanted === undefined ? {} : { platform: wanted }),
      policy: pull ?? ('missing' as const),
    };
  }

  #openStatCache(): StatCache {
    this.#statCache ??= StatCache.open(join(this.#engine.store.paths.cache));
    return this.#statCache;
  }

  #warnUnusedArguments(): void {
    const consumed = new Set(this.#r.plan.global.declared.map(({ name }) => name));
    for (const result of this.#done.values()) for (const name of consumedArgs(result.state)) consumed.add(name);
    const unused = unusedBuildArgs(this.#r.buildArgs, consumed);
    if (unused.length === 0) return;
    const text = `[Warning] one or more build args were not consumed: [${unused.map(({ name }) => name).join(' ')}]`;
    this.#engine.emit({ type: 'step-line', step: 'warning', text });
    for (const { name, suggestion } of unused) {
      if (suggestion !== undefined)
        this.#engine.emit({
          type: 'note',
          text: `build argument ${name} is not declared: did you mean ${suggestion}?`,
        });
    }
  }

  /** Writes the image, names it, and says so in Buildah's words. */
  async commit(
    result: StageResult,
    names: { readonly local: readonly string[]; readonly remote: readonly string[] },
  ): Promise<BuildResult> {
    const engine = this.#engine;
    const isLocal = names.local.length > 0 || names.remote.length === 0;
    const isTold = isLocal && this.#o.layers !== true;
    if (isTold) emitTransfer(engine, 'Getting image source signatures');
    const written = await this.#write(result);
    if (isTold) emitCopies(engine, result.root.layers, written.configDigest);
    const created = this.#createdOf(result.config);
    if (names.local.length > 0 || names.remote.length === 0)
      await recordImage(engine, written, names.local, { created });
    for (const name of names.remote) await sendImage(engine, written.manifest, name, this.#o);
    engine.emit({ type: 'step-line', step: 'commit', text: `--> ${written.id.slice(0, 12)}` });
    this.#warnUnusedArguments();
    const known = engine.store.images.list().find((image) => image.id === written.id)?.names ?? [];
    for (const name of known) engine.emit({ type: 'step-line', step: 'commit', text: `Successfully tagged ${name}` });
    return { id: written.id, manifest: written.manifest, names: known };
  }

  /** With a commit per step the image is as old as its last step, so that a rebuild from the cache is the same image. */
  #createdOf(config: ImageConfig): string {
    const last = this.#o.layers === true ? config.history?.at(-1)?.created : undefined;
    return last ?? this.#times.now();
  }

  async #write(result: StageResult): Promise<WrittenImage> {
    const o = this.#o;
    const created = this.#createdOf(result.config);
    const config = this.#finalConfig(result.config, created);
    const squash: Descriptor | undefined =
      o.squash === true && result.root.snapshot !== undefined
        ? await squashLayer(this.#engine, { id: result.root.snapshot }, this.#times)
        : undefined;
    const base = this.#bases.get(this.#rootStage());
    const history = squash === undefined ? (config.history ?? []) : squashedHistory(config.history ?? []);
    return writeImage(this.#engine, {
      format: o.format ?? 'oci',
      layers: squash === undefined ? result.root.layers : [squash],
      config: {
        ...config,
        created,
        rootfs: { type: 'layers', diff_ids: squash === undefined ? result.root.diffIds : [squash.digest as never] },
        history: o.omitHistory === true ? [] : history,
      },
      annotations: this.#annotations(created),
      ...(base === undefined ? {} : { parent: `sha256:${base.record.id}` }),
    });
  }

  /** The stage at the bottom of the target's chain of FROMs. */
  #rootStage(): number {
    let stage = this.#r.plan.stages[this.#r.target]!;
    while (stage.base.kind === 'stage') stage = this.#r.plan.stages[stage.base.index]!;
    return stage.index;
  }

  #finalConfig(config: ImageConfig, created: string): ImageConfig {
    const o = this.#o;
    const edits: EditConfig[] = [];
    const history: HistoryEntry[] = [];
    const say = (text: string): void => {
      history.push({ created, created_by: `/bin/sh -c #(nop) ${text}`, empty_layer: true });
    };
    for (const name of o.unsetEnv ?? []) edits.push(unsetEnv(name));
    for (const name of o.unsetLabels ?? []) edits.push(unsetLabel(name));
    for (const entry of o.env ?? []) {
      const [name, value] = splitPair(entry, (bare) => this.#engine.env[bare]);
      if (value === undefined) continue;
      edits.push(setEnv(name, value));
      say(`ENV "${name}"="${value}"`);
    }
    for (const entry of o.labels ?? []) {
      const [name, value] = splitPair(entry, () => '');
      edits.push(setLabel(name, value ?? ''));
      say(`LABEL "${name}"="${value ?? ''}"`);
    }
    if (o.identityLabel ?? !this.#times.fixed) edits.push(setLabel(IDENTITY_LABEL, VERSION));
    const edited = applyEdits(config, edits);
    if (history.length === 0) return edited;
    const hasSteps = (this.#r.plan.stages[this.#r.target]?.instructions.length ?? 0) > 0;
    const before = edited.history ?? [];
    // One layer for the whole stage belongs to its last line, and these are lines of the stage.
    if (o.layers !== true && hasSteps) return { ...edited, history: moveLayer(before, history) };
    return { ...edited, history: [...before, ...history] };
  }

  #annotations(created: string): Readonly<Record<string, string>> {
    const o = this.#o;
    const root = this.#rootStage();
    const base = this.#bases.get(root);
    const inherited = o.inheritAnnotations === false ? {} : (base?.manifest.annotations ?? {});
    let map = baseAnnotations(inherited, this.#baseNames.get(root) ?? '', base?.record.manifest);
    if (o.createdAnnotation !== false) map = { ...map, 'org.opencontainers.image.created': created };
    for (const entry of o.annotations ?? []) {
      const [name, value] = splitPair(entry, () => '');
      map = { ...map, [name]: value ?? '' };
    }
    for (const name of o.unsetAnnotations ?? []) map = without(map, name);
    return map;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#statCache?.save();
  }
}

interface BaseOfStage {
  readonly layers: LayerState;
  readonly unpack: () => Promise<LayerState['snapshot']>;
  readonly config: ImageConfig | undefined;
  readonly parent: StageResult | undefined;
  /** For history comments. */
  readonly name: string | undefined;
}

function idOf(config: ImageConfig, format: ImageFormat): string {
  return hexOf(digestOf(serializeConfig(config, format)));
}

function splitPair(entry: string, bare: (name: string) => string | undefined): [string, string | undefined] {
  const at = entry.indexOf('=');
  return at === -1 ? [entry, bare(entry)] : [entry.slice(0, at), entry.slice(at + 1)];
}

/** Appends `after`; its last entry takes layer and comment over from the last one before. */
function moveLayer(before: readonly HistoryEntry[], after: readonly HistoryEntry[]): HistoryEntry[] {
  const { comment, empty_layer: isEmpty, ...own } = before.at(-1) ?? {};
  const { empty_layer: _, ...last } = after.at(-1) ?? {};
  const heir = { ...last, ...(comment === undefined ? {} : { comment }), ...(isEmpty ? { empty_layer: true } : {}) };
  return [...before.slice(0, -1), { ...own, empty_layer: true }, ...after.slice(0, -1), heir];
}

function squashedHistory(history: readonly HistoryEntry[]): HistoryEntry[] {
  const { empty_layer: _, ...last } = history.at(-1) ?? {};
  return [last];
}

/** @throws `usage.invalid` */
function epochOf(text: string): number {
  if (/^\d{1,12}$/.test(text)) return Number(text);
  throw new BuilderError(
    'usage.invalid',
    `SOURCE_DATE_EPOCH is ${JSON.stringify(text)}: it must be a number of seconds`,
  );
}
