/** One target for one platform: the graph of its steps, and what running a vertex means. */
import type { AddedFile } from '../container/added-files.ts';
import type { IgnoreRules } from '../container/copy-source.ts';
import type { Engine } from '../container/engine.ts';
import { FileMemory } from '../container/file-memory.ts';
import { findIgnoreFile, readIgnoreRules } from '../container/ignore-rules.ts';
import type { ImageTimes } from '../container/image-times.ts';
import { peekImage } from '../container/pull.ts';
import { type LayerStack, unpack } from '../container/unpack.ts';
import type { BuildOptions } from '../container/verb-options.ts';
import type { WorkingContainer } from '../container/working-container.ts';
import type { EvaluatedStage, EvaluatedStep } from '../dockerfile/evaluate-plan.ts';
import { type BuildOp, type LoweredBuild, lower, readStages } from '../dockerfile/lower.ts';
import { type Stage, stageLabel } from '../dockerfile/stages.ts';
import type { Vertex } from '../graph/graph.ts';
import { BuilderError } from '../report/builder-error.ts';
import type { Emit, PlannedStage, PlannedStep } from '../report/event.ts';
import type { BuildExplanation } from '../report/explanation.ts';
import type { SnapshotId } from '../rootfs/snapshotter.ts';
import { chainIdOfAll } from '../spec/digest.ts';
import { formatPlatform, type Platform } from '../spec/platform.ts';
import { CleanupStack } from '../sys/dispose.ts';
import type { BuildCache } from './build-cache.ts';
import { type BuildInputs, imageInput } from './build-inputs.ts';
import type { BuildRequest } from './build-request.ts';
import { BuildTrace, type TracedBase, traceTable } from './build-trace.ts';
import type { ExportedSteps } from './cache-export.ts';
import { withFiles } from './embedded-files.ts';
import { type Entitlements, parseEntitlements } from './entitlements.ts';
import { type FindImage, pulledImage } from './find-image.ts';
import { Origins } from './origins.ts';
import { requirePlannedSources } from './planned-sources.ts';
import type { PostMortem } from './post-mortem.ts';
import { type BaseImage, StageBases } from './stage-base.ts';
import { StageBuild, type StageResult } from './stage-build.ts';
import { emitOfStage, plannedSteps } from './stage-events.ts';
import { StagePreview } from './stage-preview.ts';
import { type LayerState, StageRoot } from './stage-root.ts';
import { StepActions } from './step-actions.ts';
import { timeInputs } from './step-inputs.ts';
import { configId, TargetImage } from './target-image.ts';

export interface PlatformBuildOptions {
  readonly engine: Engine;
  readonly options: BuildOptions;
  readonly request: BuildRequest;
  readonly times: ImageTimes;
  readonly cache: BuildCache;
  /** `os/arch`, when it is one of several. */
  readonly label: string | undefined;
  /** Nothing is run, fetched to be kept, or written. */
  readonly isDryRun?: boolean;
  /** Told of everything that is fetched. */
  readonly inputs: BuildInputs;
  /** What to do with a step that fails. */
  readonly postMortem?: PostMortem | undefined;
}

/** Goes through the steps of a stage, in order. */
interface StageDriver {
  step(index: number, evaluated: EvaluatedStep): Promise<void>;
  end(): Promise<StageResult>;
}

export class PlatformBuild implements AsyncDisposable {
  readonly #b: PlatformBuildOptions;
  readonly #lowered: LoweredBuild;
  readonly #bases: StageBases;
  readonly #drivers = new Map<number, StageDriver>();
  readonly #done = new Map<number, StageResult>();
  readonly #cleanup = new CleanupStack();
  /** RUN steps still to come. */
  readonly #forecast: { runs: number };
  readonly #allowed: Entitlements;
  readonly #ignore: IgnoreRules | undefined;
  readonly #trace: BuildTrace;
  #isTraced = false;
  readonly #memory: FileMemory;

  /** Looks the base images up and lowers the file. @throws what `lower` and pulling throw */
  static async plan(b: PlatformBuildOptions): Promise<PlatformBuild> {
    const bases = new StageBases(b.engine, b.options, b.request, (index) => stageIdOf(b, index), findImage(b));
    const lowered = await lower(b.request.plan, {
      target: b.request.target,
      buildArgs: b.request.buildArgs,
      includeUnused: b.options.skipUnusedStages === false,
      resolveBase: (stage) => bases.resolve(stage),
    });
    const { gate, contexts } = b.request;
    requirePlannedSources(gate, lowered, contexts, (stage) => bases.pullOptions(stage).platform);
    return new PlatformBuild(b, lowered, bases);
  }

  private constructor(b: PlatformBuildOptions, lowered: LoweredBuild, bases: StageBases) {
    this.#b = b;
    this.#lowered = lowered;
    this.#bases = bases;
    this.#memory = new FileMemory(b.engine.store.paths.cache);
    const { engine, options, request } = b;
    const steps = [...lowered.stages.values()].flatMap((stage) => stage.steps);
    this.#forecast = { runs: steps.filter(({ step }) => step.kind === 'run').length };
    this.#allowed = parseEntitlements(options.allow ?? []);
    const ignoreFile = findIgnoreFile(request.context.dir, request.containerfile, options.ignoreFile, engine.cwd);
    const isIgnoring = request.context.isLocal || options.ignoreFile !== undefined;
    this.#ignore = isIgnoring ? readIgnoreRules(ignoreFile) : undefined;
    this.#trace = this.#openTrace();
  }

  #openTrace(): BuildTrace {
    const { engine, options, request } = this.#b;
    const { context } = request;
    const identity = {
      file: request.containerfile ?? '-',
      context: context.isLocal ? context.dir : (options.context ?? context.dir),
      platform: formatPlatform(request.platform),
    };
    const stages = [...this.#lowered.stages.values()].map(({ stage, steps }) => ({
      index: stage.index,
      name: stageLabel(stage),
      from: stage.from.raw.text.text,
      base: baseOf(this.#bases.imageOf(stage.index)),
      steps: steps.map(({ step }) => ({ kind: step.kind, text: step.stepText })),
    }));
    const names = request.plan.stages.map(stageLabel);
    return new BuildTrace(identity, stages, names, traceTable(engine).get(BuildTrace.idOf(identity)));
  }

  /** Everything fetched so far. */
  get inputs(): BuildInputs {
    return this.#b.inputs;
  }

  get times(): ImageTimes {
    return this.#b.times;
  }

  get request(): BuildRequest {
    return this.#b.request;
  }

  get platform(): Platform {
    return this.#b.request.platform;
  }

  /** What the ignore file of the context leaves out. */
  get ignoreRules(): IgnoreRules | undefined {
    return this.#ignore;
  }

  /** What base images really are for, by stage. */
  get basePlatforms(): ReadonlyMap<number, Platform> {
    const found = [...this.#lowered.stages.keys()].map((index) => [index, this.#bases.imageOf(index)] as const);
    return new Map(found.flatMap(([index, base]) => (base === undefined ? [] : [[index, base.image.config] as const])));
  }

  get lowered(): LoweredBuild {
    return this.#lowered;
  }

  get hasRuns(): boolean {
    return this.#forecast.runs > 0;
  }

  /** What will be built, for displays. */
  get plannedStages(): readonly PlannedStage[] {
    const { label } = this.#b;
    return [...this.#lowered.stages.values()].map(({ stage, steps }) => ({
      id: this.stageId(stage.index),
      name: label === undefined ? stageLabel(stage) : `${label} ${stageLabel(stage)}`,
      steps: steps.length + 1,
    }));
  }

  get plannedSteps(): readonly PlannedStep[] {
    return plannedSteps(this.#lowered, (index) => this.stageId(index));
  }

  /** What the target came to. @throws RangeError before its last vertex has run */
  get result(): StageResult {
    return this.#resultOf(this.#lowered.target);
  }

  /** Puts files that were made about the target on top of it. @param created RFC 3339 */
  async embed(files: readonly AddedFile[], created: string): Promise<void> {
    const result = await withFiles(this.#b.engine, this.result, files, this.#b.times, created);
    this.#done.set(this.#lowered.target, result);
  }

  /** Steps that others may reuse: of the stages the image stands on, and of all. */
  get exportedSteps(): ExportedSteps {
    const own = [...this.#done.values()];
    const min: StageResult[] = [];
    for (let index: number | undefined = this.#lowered.target; index !== undefined; ) {
      min.unshift(this.#resultOf(index));
      const base: Stage['base'] = this.#stage(index).stage.base;
      index = base.kind === 'stage' ? base.index : undefined;
    }
    return { min: min.flatMap(({ steps }) => steps), max: own.flatMap(({ steps }) => steps) };
  }

  /** What every stage that was built came to, by index. */
  get results(): ReadonlyMap<number, StageResult> {
    return this.#done;
  }

  /** What the target becomes in the end. */
  get image(): TargetImage {
    const { engine, options, times } = this.#b;
    return new TargetImage({
      engine,
      options,
      times,
      base: this.#rootImage(this.#stage(this.#lowered.target).stage),
      hasSteps: this.#stage(this.#lowered.target).stage.instructions.length > 0,
    });
  }

  /** Does what a vertex stands for. */
  async run({ op }: Vertex<BuildOp>): Promise<void> {
    const { postMortem } = this.#b;
    try {
      if (postMortem === undefined) await this.#act(op);
      else await postMortem.guard(this.stageId(op.stage), () => this.#act(op));
    } catch (error) {
      this.#tellEnd(op.stage, this.#b.engine.signal?.aborted === true ? 'canceled' : 'failed');
      throw error;
    }
    if (op.kind === 'end') this.#tellEnd(op.stage, 'built');
  }

  async #act(op: BuildOp): Promise<void> {
    switch (op.kind) {
      case 'begin':
        if (this.#b.isDryRun === true) this.#beginPreview(this.#stage(op.stage));
        else this.#begin(this.#stage(op.stage));
        return;
      case 'step':
        return this.#drivers.get(op.stage)!.step(op.index, op.evaluated);
      case 'end':
        this.#done.set(op.stage, await this.#drivers.get(op.stage)!.end());
        return;
    }
  }

  #tellEnd(stage: number, outcome: 'built' | 'failed' | 'canceled'): void {
    this.#b.engine.emit({ type: 'stage-finished', stage: this.stageId(stage), outcome, at: Date.now() });
  }

  #begin(evaluated: EvaluatedStage): void {
    const { options, times, cache } = this.#b;
    const { stage } = evaluated;
    const engine = this.#engineOf(stage);
    const prefix = this.#prefixOf(stage);
    const isTarget = stage.index === this.#lowered.target;
    const parent = stage.base.kind === 'stage' ? this.#resultOf(stage.base.index) : undefined;
    const bottom = parent === undefined ? this.#bases.bottomOf(stage) : undefined;
    engine.emit({
      type: 'step-line',
      step: `${this.stageId(stage.index)}.1`,
      text: `${prefix}STEP 1/${evaluated.steps.length + 1}: ${this.#fromText(stage, parent)}`,
    });
    const root = new StageRoot(engine, parent?.root ?? bottom!.layers, times.layer);
    const image = isTarget ? this.image : undefined;
    this.#cleanup.use(root);
    this.#drivers.set(
      stage.index,
      new StageBuild({
        engine,
        evaluated,
        prefix,
        id: this.stageId(stage.index),
        layers: options.layers === true,
        format: options.format ?? 'oci',
        times,
        cache,
        trace: this.#trace,
        history: parent?.config.history ?? this.#bases.imageOf(stage.index)?.image.config.history ?? [],
        baseName: parent?.imageId.slice(0, 12) ?? bottom?.name,
        base: containerBase(this.#rootImage(stage)),
        usage: options.usage === true,
        postMortem: this.#b.postMortem,
        root,
        actions: this.#actionsFor(stage),
        identify: (config) => image?.idOf(config) ?? configId(config, options.format ?? 'oci'),
        onCommit: isTarget ? () => this.#sayCommit(prefix) : undefined,
        isBase: options.layers === true || this.#isBase(stage),
      }),
    );
  }

  #beginPreview(evaluated: EvaluatedStage): void {
    const { engine, cache, times } = this.#b;
    const { stage } = evaluated;
    const parent = stage.base.kind === 'stage' ? this.#resultOf(stage.base.index) : undefined;
    const driver = stage.base.kind === 'stage' ? this.#drivers.get(stage.base.index) : undefined;
    const outcome = driver instanceof StagePreview ? driver.foregone : undefined;
    const text = `the stage ${parent?.imageId}, on which it stands, ${outcome === 'miss' ? 'would' : 'may'} be built again`;
    const preview = new StagePreview({
      engine,
      evaluated,
      cache,
      trace: this.#trace,
      actions: this.#actionsFor(stage),
      layers: parent?.root ?? this.#bases.bottomOf(stage).layers,
      unpack: (layers) => unpackedAlready(engine, layers),
      timeInputs: timeInputs(times),
      below: outcome === undefined ? undefined : { outcome, cause: { kind: 'above', text } },
      rebuiltStage: (step) => {
        const rebuilt = readStages(step).find((index) => !this.#resultOf(index).isCached);
        return rebuilt === undefined ? undefined : stageLabel(this.#stage(rebuilt).stage);
      },
    });
    this.#drivers.set(stage.index, preview);
  }

  #actionsFor(stage: Stage): StepActions {
    const { options, request, times } = this.#b;
    const engine = this.#engineOf(stage);
    const origins = new Origins(engine, {
      contextDir: request.context.dir,
      ignore: this.#ignore,
      contexts: request.contexts,
      stage: (index) => this.#stageState(index),
      pull: this.#bases.pullOptions(stage),
      stageNames: request.plan.stages.slice(0, stage.index).flatMap(({ name }) => name ?? []),
      find: findImage(this.#b),
      unpack: (stack) => (this.#b.isDryRun === true ? unpackedAlready(engine, stack) : unpack(engine, stack)),
    });
    const actions = new StepActions({
      engine,
      origins,
      run: options.run ?? {},
      allowed: this.#allowed,
      secrets: request.secrets,
      agents: request.agents,
      platform: formatPlatform(stage.platform ?? request.platform),
      cacheNamespace: request.buildArgs.get('BUILDKIT_CACHE_MOUNT_NS'),
      memory: this.#memory,
      timestamp: times.layer.mtime,
      mounts: options.mounts ?? [],
      stdin: options.stdin === true,
      compatVolumes: options.compatVolumes === true,
      forecast: this.#forecast,
      tlsVerify: options.tlsVerify,
      certDir: options.certDir,
      inputs: this.#b.inputs,
      postMortem: this.#b.postMortem,
      gate: request.gate,
    });
    this.#cleanup.use(origins);
    this.#cleanup.use(actions);
    return actions;
  }

  #engineOf({ index }: Stage): Engine {
    return { ...this.#b.engine, emit: emitOfStage(this.#b.engine.emit, this.stageId(index)) };
  }

  #stage(index: number): EvaluatedStage {
    return this.#lowered.stages.get(index)!;
  }

  #resultOf(index: number): StageResult {
    const result = this.#done.get(index);
    if (result === undefined) throw new RangeError(`stage ${index} is read before it was built`);
    return result;
  }

  #stageState(index: number): { readonly state: LayerState; readonly name: string } {
    return { state: this.#resultOf(index).root, name: stageLabel(this.#stage(index).stage) };
  }

  /** Says a line of Buildah's about this platform. */
  say(step: string, text: string): void {
    this.#b.engine.emit({ type: 'step-line', step, text: `${this.#platformPrefix}${text}` });
  }

  /** Tells what this platform alone does when its steps are done; of several, by the stage it comes from. */
  get emit(): Emit {
    const { engine, label } = this.#b;
    return label === undefined ? engine.emit : emitOfStage(engine.emit, this.stageId(this.#lowered.target));
  }

  get #platformPrefix(): string {
    return this.#b.label === undefined ? '' : `[${this.#b.label}] `;
  }

  /** Id of a stage in events. */
  stageId(index: number): string {
    return stageIdOf(this.#b, index);
  }

  /**
   * `[linux/arm64] ` when there are several platforms; `[2/3] ` when the target is not the first stage of the file, whose
   * stages are counted whether they are built or not.
   */
  #prefixOf(stage: Stage): string {
    const count = this.#lowered.target + 1;
    const place = count > 1 ? `[${stage.index + 1}/${count}] ` : '';
    return `${this.#platformPrefix}${place}`;
  }

  /** Whether another stage that is built stands on this one. */
  #isBase({ index }: Stage): boolean {
    return [...this.#lowered.stages.values()].some(
      ({ stage: { base } }) => base.kind === 'stage' && base.index === index,
    );
  }

  /** The image at the bottom of a stage's chain of FROMs. */
  #rootImage(top: Stage): BaseImage | undefined {
    let stage = top;
    while (stage.base.kind === 'stage') ({ stage } = this.#stage(stage.base.index));
    return this.#bases.imageOf(stage.index);
  }

  /** The FROM line as shown: a stage is named by the image it came to. */
  #fromText(stage: Stage, parent: StageResult | undefined): string {
    const { options, request } = this.#b;
    const text = stage.from.raw.text.text;
    if (stage.index === request.plan.stages[0]!.index && options.from !== undefined) return `FROM ${options.from}`;
    return parent === undefined ? text : text.replace(stage.from.image.text, parent.imageId);
  }

  #sayCommit(prefix: string): void {
    const { engine, options } = this.#b;
    const [first] = options.tags ?? [];
    engine.emit({
      type: 'step-line',
      step: this.stageId(this.#lowered.target),
      text: `${prefix}${first === undefined ? 'COMMIT' : `COMMIT ${first}`}`,
    });
  }

  /** Why the steps were run, or would be. */
  get explanation(): BuildExplanation {
    return this.#trace.explanation(this.#b.isDryRun === true);
  }

  /** Tells why steps were run, if asked, and keeps it for whoever asks later. Once; a build that fails ends with it. */
  endTrace(): void {
    const { engine, options, isDryRun } = this.#b;
    if (options.layers !== true || isDryRun === true || this.#isTraced) return;
    this.#isTraced = true;
    const trace = this.#trace.trace();
    traceTable(engine).put(BuildTrace.idOf(trace), trace);
    if (options.explain === true) engine.emit({ type: 'explained', explanation: this.explanation });
  }

  /** Discards what was not sealed. What was learned about files is kept. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.#b.isDryRun !== true) this.#memory.save();
      this.endTrace();
    } finally {
      await this.#cleanup[Symbol.asyncDispose]();
    }
  }
}

/** Images are inputs of the build, whoever reads them. */
function findImage({ isDryRun, inputs, request }: PlatformBuildOptions): FindImage {
  const find = request.gate.images(isDryRun === true ? peekImage : pulledImage);
  return async (engine, reference, o) => {
    const found = await find(engine, reference, o);
    inputs.add(imageInput(found.image, found.name === '' ? reference : found.name));
    return found;
  };
}

function baseOf(base: BaseImage | undefined): TracedBase | undefined {
  return base === undefined ? undefined : { reference: base.reference, digest: base.image.record.manifest.digest };
}

/** @throws `snapshot.not-known` */
async function unpackedAlready(engine: Engine, { diffIds }: LayerStack): Promise<SnapshotId | undefined> {
  const chain = chainIdOfAll(diffIds);
  if (chain === undefined) return undefined;
  const known = engine.store.layers.snapshotOf(chain);
  if (known !== undefined && (await engine.snapshots.has({ id: known.id as SnapshotId })))
    return known.id as SnapshotId;
  throw new BuilderError('snapshot.not-known', 'it reads an image whose layers are not here');
}

/** Of a stage in events; the platform keeps those of several apart. */
function stageIdOf({ label }: Pick<PlatformBuildOptions, 'label'>, index: number): string {
  return `${label === undefined ? '' : `${label} `}${index}`;
}

/** As working containers know what they stand on. */
function containerBase(base: BaseImage | undefined): WorkingContainer['base'] {
  if (base === undefined) return undefined;
  const { id, manifest } = base.image.record;
  return { name: base.name, id, digest: manifest.digest, manifest };
}
