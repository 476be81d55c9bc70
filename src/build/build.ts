/** `build`: a Dockerfile and a context become an image, or one for each of several platforms. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { FetchedInput } from '../attest/build-facts.ts';
import { BlobCache } from '../container/blob-cache.ts';
import { emitCopies, emitTransfer } from '../container/commit.ts';
import type { Engine } from '../container/engine.ts';
import { imageTimes, nowNanoseconds } from '../container/image-times.ts';
import { isStored } from '../container/layer-bytes.ts';
import { withMachineDefaults } from '../container/machine-defaults.ts';
import { extendList, findList, listEntry } from '../container/manifest-list.ts';
import type { StoredPredicates } from '../container/predicates.ts';
import { isRemoteName, sendImage } from '../container/push.ts';
import { checkRunDefaults } from '../container/run-defaults.ts';
import { prepareRuns } from '../container/run-process.ts';
import { writesFiles } from '../container/sbom-files.ts';
import { newImageName } from '../container/short-names.ts';
import { summarizeImage } from '../container/summaries.ts';
import { refuseSigning } from '../container/trust.ts';
import type { BuildOptions, BuildResult, BuiltImage } from '../container/verb-options.ts';
import { recordImage } from '../container/write-image.ts';
import { unusedBuildArgs } from '../dockerfile/build-args.ts';
import { consumedArgs } from '../dockerfile/evaluate.ts';
import type { BuildOp } from '../dockerfile/lower.ts';
import { Graph, type Vertex } from '../graph/graph.ts';
import { BuilderError, isBuilderError } from '../report/builder-error.ts';
import type { BuildExplanation } from '../report/explanation.ts';
import { schedule } from '../solver/schedule.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { parseImageName } from '../spec/image-name.ts';
import { formatPlatform } from '../spec/platform.ts';
import { CleanupStack } from '../sys/dispose.ts';
import { attestBuild, namedForPlatform, type SaidOfImage } from './attest-build.ts';
import { type AttestRequest, parseAttestations } from './attest-options.ts';
import { BuildCache } from './build-cache.ts';
import { BuildInputs } from './build-inputs.ts';
import { type BuildInput, readInput, requestFor } from './build-request.ts';
import { BUNDLE_MEMBER, writeBundle } from './cache-bundle.ts';
import { exportCache } from './cache-export.ts';
import { CacheImport } from './cache-import.ts';
import { type CacheDestination, type CachePlace, parseCacheFrom, parseCacheTo, placeName } from './cache-place.ts';
import { requireRunnable } from './emulation.ts';
import { exportImage } from './export-image.ts';
import { exportDirectory, exportTar } from './export-rootfs.ts';
import { tellLint } from './lint-warnings.ts';
import { type Output, parseOutput } from './output.ts';
import { inPhase } from './phase.ts';
import { PlatformBuild } from './platform-build.ts';
import { PostMortem } from './post-mortem.ts';
import { saveStages } from './saved-stages.ts';
import { sourceDateEpoch } from './source-date.ts';
import type { StageResult } from './stage-build.ts';
import { snapshotOf } from './stage-root.ts';
import { StepJournal } from './step-journal.ts';

/**
 * Builds the target stage and what it needs, and gives the image its names.
 * @throws `dockerfile.*` with a place in the file, `context.invalid`, `step.failed` with `facts.exitCode`,
 *   `platform.not-runnable`, `manifest.not-a-list`, the errors of pulling, copying, committing and sending
 */
export async function build(engine: Engine, asked: BuildOptions): Promise<BuildResult> {
  const given = { ...asked, run: withMachineDefaults(engine, asked.run) };
  let places = (given.cacheFrom ?? []).map((text) => parseCacheFrom(text, engine.cwd));
  const cacheTo = (given.cacheTo ?? []).map((text) => parseCacheTo(text, engine.cwd));
  if (given.layers !== true && places.length + cacheTo.length > 0) {
    throw new BuilderError(
      'usage.invalid',
      '--cache-from and --cache-to need --layers: otherwise no step is remembered',
    );
  }
  checkRunDefaults(given.run);
  BlobCache.of(engine, given);
  const isKept = given.debugShell === true || given.keepFailed === true;
  const postMortem = isKept ? new PostMortem(engine, given) : undefined;
  const input = await readInput(engine, given);
  const o = await withPlatforms(engine, given, input);
  for (;;) {
    try {
      return await buildOnce(engine, o, input, { places, cacheTo }, postMortem);
    } catch (error) {
      if (!isBuilderError(error) || error.code !== 'cache.damaged' || places.length === 0) throw error;
      // A hit that turned out to be none: once more without who told of it. What was run is remembered.
      const from = error.facts['cache'];
      places = places.filter((place) => placeName(place) !== from);
      engine.emit({ type: 'warning', code: 'cache.damaged', text: `${error.message}; it is left out` });
    }
  }
}

/** With every platform named that is to be built. */
async function withPlatforms(engine: Engine, o: BuildOptions, input: BuildInput): Promise<BuildOptions> {
  if (o.allPlatforms !== true) return o;
  if ((o.platforms ?? []).length > 0) {
    engine.emit({ type: 'warning', text: '--all-platforms takes the place of --platform' });
  }
  const { allPlatforms } = await import('./all-platforms.ts');
  const platforms = await allPlatforms(engine, o, input);
  engine.emit({ type: 'note', text: `Building for ${platforms.map(formatPlatform).join(', ')}` });
  return { ...o, platforms };
}

interface Caches {
  readonly places: readonly CachePlace[];
  readonly cacheTo: readonly CacheDestination[];
}

async function buildOnce(
  outer: Engine,
  o: BuildOptions,
  input: BuildInput,
  caches: Caches,
  postMortem: PostMortem | undefined,
): Promise<BuildResult> {
  // The first failure ends whatever else is running.
  const cancel = new AbortController();
  const signal = AbortSignal.any([cancel.signal, ...(outer.signal === undefined ? [] : [outer.signal])]);
  const journal = new StepJournal();
  const emit = journal.tap(outer.emit);
  await using imports = new CacheImport({ ...outer, signal, emit }, o, caches.places);
  const engine: Engine = {
    ...outer,
    signal,
    emit,
    ...(caches.places.length === 0 ? {} : { remoteLayers: imports }),
  };
  const startedOn = nowNanoseconds();
  const outputs = (o.outputs ?? []).map((text) => parseOutput(text, engine.cwd));
  const wanted = parseAttestations(o, engine.cwd);
  refuseUnsupported(o, outputs, wanted);
  const names = targetNames(o, outputs);
  const isSent = names.remote.length > 0 || outputs.some((output) => output.type === 'image' && output.push);
  if (!isSent) refuseSigning(o);
  // Told before hours of building, not after.
  if (o.manifest !== undefined) findList(engine, o.manifest);
  await using stack = new CleanupStack();
  const cache = buildCache(engine, o, { isDryRun: false, imports });
  const runs = await planAll(engine, o, input, cache, stack, { postMortem });
  tellLint(engine, runs);
  engine.emit({
    type: 'build-started',
    at: Date.now(),
    platform: runs.map(({ platform }) => formatPlatform(platform)).join(','),
    stages: runs.flatMap(({ plannedStages }) => plannedStages),
  });
  engine.emit({ type: 'steps-planned', steps: runs.flatMap(({ plannedSteps }) => plannedSteps) });
  await runAll(engine, o, runs, cancel);
  for (const run of runs) run.endTrace();
  const said: SaidOfImage[] = [];
  const moment = { options: o, journal, startedOn, name: publicName(names) };
  for (const run of runs) said.push(await attestBuild(engine, wanted, run, moment));
  if (outputs.length > 0 && outputs.every(({ type }) => type === 'cacheonly')) {
    await cache.keepImported();
    await exportSteps(engine, o, runs, caches.cacheTo);
    input.gate.end();
    const nothing: BuildResult = { id: undefined, manifest: undefined, names: [], images: [] };
    tellEnd(engine, nothing);
    return nothing;
  }
  for (const run of runs) await fetchLayers(engine, run);
  await cache.keepImported();
  const images: BuiltImage[] = [];
  const isInline = caches.cacheTo.some(({ place }) => place.type === 'inline');
  for (const [i, run] of runs.entries()) images.push(await commit(engine, o, run, names, said[i]!.stored, isInline));
  warnUnusedArguments(engine, input, runs);
  const result = await finish(engine, o, images);
  for (const output of outputs) {
    await inPhase(engine.emit, 'export', undefined, () => writeOutput(engine, o, output, runs, images, said));
  }
  await exportSteps(engine, o, runs, caches.cacheTo);
  input.gate.end();
  tellEnd(engine, result);
  return result;
}

async function exportSteps(
  engine: Engine,
  o: BuildOptions,
  runs: readonly PlatformBuild[],
  destinations: readonly CacheDestination[],
): Promise<void> {
  if (destinations.length === 0) return;
  const steps = runs.map(({ exportedSteps }) => exportedSteps);
  const all = { min: steps.flatMap(({ min }) => min), max: steps.flatMap(({ max }) => max) };
  await inPhase(engine.emit, 'export', undefined, () => exportCache(engine, o, destinations, all));
}

/** An image in the store is whole: what other caches promised of it is fetched now, if nobody needed it before. */
async function fetchLayers(engine: Engine, { result }: PlatformBuild): Promise<void> {
  const { remoteLayers } = engine;
  if (remoteLayers === undefined) return;
  for (const diffId of result.root.diffIds) {
    if (remoteLayers.has(diffId) && !(await isStored(engine, diffId))) await remoteLayers.fetch(diffId);
  }
}

/** What `build` would do with the same options, and why, for each platform. Nothing is run; the store stays as it is. */
export async function explainBuild(engine: Engine, o: BuildOptions): Promise<readonly BuildExplanation[]> {
  const given = { ...o, run: withMachineDefaults(engine, o.run), layers: true };
  const input = await readInput(engine, given);
  const options = await withPlatforms(engine, given, input);
  await using stack = new CleanupStack();
  const places = (o.cacheFrom ?? []).map((text) => parseCacheFrom(text, engine.cwd));
  await using imports = new CacheImport(engine, o, places);
  const cache = buildCache(engine, options, { isDryRun: true, imports });
  const runs = await planAll(engine, options, input, cache, stack, { isDryRun: true });
  for (const run of runs) {
    await schedule(run.lowered.graph, (vertex) => run.run(vertex), { concurrency: 1, signal: engine.signal });
  }
  return runs.map(({ explanation }) => explanation);
}

function refuseUnsupported(o: BuildOptions, outputs: readonly Output[], wanted: AttestRequest): void {
  if (o.rm === false) {
    throw new BuilderError(
      'usage.unsupported',
      '--rm=false is not supported: builds make no working containers that could be kept',
    );
  }
  if (o.layerLabels !== undefined && o.saveStages !== true) {
    throw new BuilderError(
      'usage.unsupported',
      '--layer-label is not supported without --save-stages: remembered steps are no images that could be labelled',
    );
  }
  if (o.format === 'docker' && (wanted.sbom !== undefined || wanted.provenance !== undefined)) {
    throw new BuilderError('usage.unsupported', 'images in Docker format can have no attestations', {
      hint: 'leave --format docker out, or write the SBOM to a file with --sbom-output',
    });
  }
  if ((o.platforms?.length ?? 0) < 2) return;
  if (wanted.files !== undefined && writesFiles(wanted.files)) {
    throw new BuilderError('usage.unsupported', 'the SBOMs of several platforms cannot be written to one file', {
      hint: 'use --sbom=true, which attests each image, or --sbom-image-output',
    });
  }
  if (outputs.some(({ type }) => type === 'tar')) {
    throw new BuilderError('usage.unsupported', 'the files of several platforms cannot be written as one tar', {
      hint: 'use type=local, which gives each platform a directory of its own',
    });
  }
  if (outputs.some(({ type }) => type === 'docker')) {
    throw new BuilderError('usage.unsupported', 'several platforms cannot be written as one docker archive', {
      hint: 'use type=oci',
    });
  }
}

function buildCache(engine: Engine, o: BuildOptions, more: { isDryRun: boolean; imports: CacheImport }): BuildCache {
  const { isDryRun, imports } = more;
  return new BuildCache(engine, {
    reads: o.layers === true && o.noCache !== true && o.cacheTtlMs !== 0,
    writes: o.layers === true && !isDryRun,
    maxAgeMs: o.cacheTtlMs,
    isDryRun,
    imports,
  });
}

async function planAll(
  engine: Engine,
  o: BuildOptions,
  input: BuildInput,
  cache: BuildCache,
  stack: CleanupStack,
  { isDryRun = false, postMortem }: { readonly isDryRun?: boolean; readonly postMortem?: PostMortem | undefined },
): Promise<PlatformBuild[]> {
  const platforms = o.platforms === undefined || o.platforms.length === 0 ? [undefined] : o.platforms;
  const requests = platforms.map((platform) => requestFor(input, o, platform));
  const times = imageTimes({ ...o, sourceDateEpoch: await sourceDateEpoch(engine, o, requests[0]!) });
  return Promise.all(
    requests.map(async (request) => {
      const inputs = new BuildInputs();
      for (const fetched of fetchedContexts(input)) inputs.add(fetched);
      const label = requests.length > 1 ? formatPlatform(request.platform) : undefined;
      const run = await PlatformBuild.plan({
        engine,
        options: o,
        request,
        times,
        cache,
        label,
        isDryRun,
        inputs,
        postMortem,
      });
      stack.use(run);
      if (!isDryRun) requireRunnable(run.lowered.stages, request.platform);
      return run;
    }),
  );
}

function fetchedContexts({ context, contexts }: BuildInput): FetchedInput[] {
  const named = [...contexts.values()].map((place) => (place.kind === 'directory' ? place.input : undefined));
  return [context.input, ...named].flatMap((input) => input ?? []);
}

/** Side by side by default: what waits for a network or sleeps must not hold up the rest. */
const LEAST_JOBS = 4;

/** Steps that read one input take turns in the order of the file, unless somebody asks for more. */
function usualJobs({ stdin }: BuildOptions): number {
  return stdin === true ? 1 : Math.max(LEAST_JOBS, availableParallelism());
}

interface PlatformOp {
  readonly run: PlatformBuild;
  readonly vertex: Vertex<BuildOp>;
}

async function runAll(
  engine: Engine,
  o: BuildOptions,
  runs: readonly PlatformBuild[],
  cancel: AbortController,
): Promise<void> {
  if (o.layers !== true && runs.some((run) => run.hasRuns)) void prepareRuns(engine, o.run ?? {});
  const graph = new Graph(runs.flatMap(verticesOf));
  await schedule(graph, ({ op: { run, vertex } }) => run.run(vertex), {
    concurrency: o.jobs ?? usualJobs(o),
    signal: engine.signal,
    cancel,
  });
}

/** Graphs of several platforms are one, each with keys of its own. */
function verticesOf(run: PlatformBuild, position: number): Vertex<PlatformOp>[] {
  const own = (key: string): string => `${position}/${key}`;
  return run.lowered.graph.vertices.map((vertex) => ({
    ...vertex,
    key: own(vertex.key),
    needs: vertex.needs.map(own),
    op: { run, vertex },
  }));
}

interface TargetNames {
  /** In the store, full. */
  readonly local: readonly string[];
  /** Elsewhere, with their transport. */
  readonly remote: readonly string[];
}

function targetNames({ tags = [], platforms = [] }: BuildOptions, outputs: readonly Output[]): TargetNames {
  // Of several platforms such a name stands for the list of all.
  const stored = platforms.length > 1 ? [] : outputs.filter((output) => output.type === 'image' && output.isStored);
  const named = stored.flatMap((output) => (output.type === 'image' ? output.names : []));
  return {
    local: [...tags.filter((tag) => !isRemoteName(tag)), ...named].map(newImageName),
    remote: tags.filter(isRemoteName),
  };
}

/** Writes the image, names it, and says so in Buildah's words. */
async function commit(
  outer: Engine,
  o: BuildOptions,
  run: PlatformBuild,
  names: TargetNames,
  predicates: readonly Descriptor[],
  isInline: boolean,
): Promise<BuiltImage> {
  const engine: Engine = { ...outer, emit: run.emit };
  const { image } = run;
  // Squashed, the image has none of the layers its steps made.
  const result = isInline && o.squash !== true ? withBundle(run) : run.result;
  const isLocal = names.local.length > 0 || names.remote.length === 0;
  const isTold = isLocal && o.layers !== true;
  if (o.saveStages === true) await saveStages(engine, o, run);
  if (isTold) emitTransfer(engine, 'Getting image source signatures');
  const written = await inPhase(engine.emit, 'commit', undefined, async () => {
    const made = await image.write(result);
    if (isTold) emitCopies(engine, result.root.layers, made.configDigest);
    const created = image.createdOf(result.config);
    if (isLocal) await recordImage(engine, made, names.local, { created, predicates });
    if (isTold) emitTransfer(engine, 'Writing manifest to image destination');
    return made;
  });
  const said: StoredPredicates = new Map([[written.manifest.digest, predicates]]);
  for (const name of names.remote) {
    await inPhase(engine.emit, 'push', undefined, () => sendImage(engine, written.manifest, name, o, said));
  }
  run.say('commit', `--> ${written.id.slice(0, 12)}`);
  return { id: written.id, manifest: written.manifest, platform: run.platform };
}

/** The image tells of its own steps. */
function withBundle({ result, exportedSteps }: PlatformBuild): StageResult {
  const bundle = writeBundle(exportedSteps.min, result.root.diffIds);
  return { ...result, config: { ...result.config, [BUNDLE_MEMBER]: bundle } };
}

/** Puts the images into the list, if there is one, and tells the names. */
async function finish(engine: Engine, o: BuildOptions, images: readonly BuiltImage[]): Promise<BuildResult> {
  const last = images.at(-1)!;
  const names = engine.store.images.list().find(({ id }) => id === last.id)?.names ?? [];
  for (const name of names) engine.emit({ type: 'step-line', step: 'commit', text: `Successfully tagged ${name}` });
  if (o.manifest !== undefined) {
    const entries = images.map(({ manifest }) => listEntry(engine, manifest));
    const list = await extendList(engine, o.manifest, entries);
    return { id: list.id, manifest: list.manifest, names: list.names, images };
  }
  if (images.length > 1 && names.length > 0) {
    engine.emit({
      type: 'warning',
      text: `${images.length} platforms were built: ${names.join(', ')} now stands for ${formatPlatform(last.platform)}; --manifest NAME makes a list of all`,
    });
  }
  return { id: last.id, manifest: last.manifest, names, images };
}

/** An image that only went elsewhere has no size here. */
function tellEnd(engine: Engine, { id, names }: BuildResult): void {
  const record = engine.store.images.list().find((image) => image.id === id);
  const size = record === undefined ? {} : { sizeBytes: summarizeImage(engine, record).sizeBytes };
  engine.emit({ type: 'build-finished', at: Date.now(), ...(id === undefined ? {} : { id }), names, ...size });
}

async function writeOutput(
  engine: Engine,
  o: BuildOptions,
  output: Output,
  runs: readonly PlatformBuild[],
  images: readonly BuiltImage[],
  said: readonly SaidOfImage[],
): Promise<void> {
  switch (output.type) {
    case 'cacheonly':
      return;
    case 'local': {
      const isSplit = output.split ?? runs.length > 1;
      for (const [i, { result, platform, image }] of runs.entries()) {
        const { predicates } = said[i]!;
        const named = runs.length > 1 && !isSplit ? namedForPlatform(predicates, platform) : predicates;
        const exported = { predicates: named, seconds: secondsOf(image.createdOf(result.config)) };
        const folder = isSplit ? join(output.dest, formatPlatform(platform).replaceAll('/', '_')) : output.dest;
        await exportDirectory(engine, await snapshotOf(engine, result.root), folder, exported);
      }
      return;
    }
    case 'tar': {
      const { result, image } = runs[0]!;
      const { predicates } = said[0]!;
      const exported = { predicates, seconds: secondsOf(image.createdOf(result.config)) };
      return exportTar(engine, await snapshotOf(engine, result.root), output.dest, exported);
    }
    default:
      return exportImage(
        engine,
        images.map(({ manifest }) => manifest),
        output,
        o,
        new Map(images.map(({ manifest }, i) => [manifest.digest, said[i]!.stored])),
      );
  }
}

function secondsOf(time: string): number {
  return Math.floor(Date.parse(time) / 1000);
}

/** What to call the image in documents: a name in a registry or here. Paths of this machine tell nobody anything. */
function publicName({ local, remote }: TargetNames): string {
  const inRegistry = remote.map(parseImageName).find(({ transport }) => transport === 'docker')?.location;
  return local[0] ?? inRegistry ?? 'image';
}

function warnUnusedArguments(engine: Engine, input: BuildInput, runs: readonly PlatformBuild[]): void {
  const consumed = new Set<string>();
  for (const { lowered, request } of runs) {
    for (const { name } of request.plan.global.declared) consumed.add(name);
    for (const { final } of lowered.stages.values()) for (const name of consumedArgs(final)) consumed.add(name);
  }
  const unused = unusedBuildArgs(input.buildArgs, consumed);
  if (unused.length === 0) return;
  const text = `[Warning] one or more build args were not consumed: [${unused.map(({ name }) => name).join(' ')}]`;
  engine.emit({ type: 'step-line', step: 'warning', text });
  for (const { name, suggestion } of unused) {
    if (suggestion === undefined) continue;
    engine.emit({ type: 'note', text: `build argument ${name} is not declared: did you mean ${suggestion}?` });
  }
}
