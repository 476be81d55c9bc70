/** `build`: a Dockerfile and a context become an image. */
import { availableParallelism } from 'node:os';
import { emitCopies, emitTransfer } from '../container/commit.ts';
import type { Engine } from '../container/engine.ts';
import { type ImageTimes, imageTimes } from '../container/image-times.ts';
import { newImageName } from '../container/local-image.ts';
import { isRemoteName, sendImage } from '../container/push.ts';
import { prepareRuns } from '../container/run-process.ts';
import { summarizeImage } from '../container/summaries.ts';
import type { BuildOptions, BuildResult } from '../container/verb-options.ts';
import { recordImage } from '../container/write-image.ts';
import { unusedBuildArgs } from '../dockerfile/build-args.ts';
import { consumedArgs } from '../dockerfile/evaluate.ts';
import { BuilderError } from '../report/builder-error.ts';
import { schedule } from '../solver/schedule.ts';
import { BuildCache } from './build-cache.ts';
import { type BuildRequest, readRequest } from './build-request.ts';
import { exportRootfs, parseOutput } from './export-rootfs.ts';
import { PlatformBuild } from './platform-build.ts';
import { snapshotOf } from './stage-root.ts';

/**
 * Builds the target stage and what it needs, and gives the image its names.
 * @throws `dockerfile.*` with a place in the file, `context.invalid`, `step.failed` with `facts.exitCode`, the errors of
 *   pulling, copying and committing
 */
export async function build(outer: Engine, o: BuildOptions): Promise<BuildResult> {
  if (o.rm === false) {
    throw new BuilderError(
      'usage.unsupported',
      '--rm=false is not supported: builds make no working containers that could be kept',
    );
  }
  // The first failure ends whatever else is running.
  const cancel = new AbortController();
  const signal = AbortSignal.any([cancel.signal, ...(outer.signal === undefined ? [] : [outer.signal])]);
  const engine: Engine = { ...outer, signal };
  const outputs = (o.outputs ?? []).map((text) => parseOutput(text, engine.cwd));
  const names = targetNames(o.tags ?? []);
  const request = await readRequest(engine, o);
  const cache = new BuildCache(engine, { reads: o.layers === true && o.noCache !== true, writes: o.layers === true });
  const times = buildTimes(engine, o, request);
  await using run = await PlatformBuild.plan({ engine, options: o, request, times, cache });
  await runAll(engine, o, run, cancel);
  const image = await commit(engine, o, run, names);
  warnUnusedArguments(engine, request, run);
  tellNames(engine, image);
  for (const output of outputs) await exportRootfs(engine, await snapshotOf(engine, run.result.root), output);
  tellEnd(engine, image);
  return image;
}

/** Side by side by default: what waits for a network or sleeps must not hold up the rest. */
const LEAST_JOBS = 4;

async function runAll(engine: Engine, o: BuildOptions, run: PlatformBuild, cancel: AbortController): Promise<void> {
  if (run.hasRuns && o.layers !== true) void prepareRuns(engine, o.run ?? {});
  await schedule(run.lowered.graph, (vertex) => run.run(vertex), {
    concurrency: o.jobs ?? Math.max(LEAST_JOBS, availableParallelism()),
    signal: engine.signal,
    cancel,
  });
}

interface TargetNames {
  /** In the store, full. */
  readonly local: readonly string[];
  /** Elsewhere, with their transport. */
  readonly remote: readonly string[];
}

function targetNames(tags: readonly string[]): TargetNames {
  return { local: tags.filter((tag) => !isRemoteName(tag)).map(newImageName), remote: tags.filter(isRemoteName) };
}

/** Writes the image, names it, and says so in Buildah's words. */
async function commit(engine: Engine, o: BuildOptions, run: PlatformBuild, names: TargetNames): Promise<BuildResult> {
  const { result, image } = run;
  const isLocal = names.local.length > 0 || names.remote.length === 0;
  const isTold = isLocal && o.layers !== true;
  if (isTold) emitTransfer(engine, 'Getting image source signatures');
  const written = await image.write(result);
  if (isTold) emitCopies(engine, result.root.layers, written.configDigest);
  if (isLocal) await recordImage(engine, written, names.local, { created: image.createdOf(result.config) });
  for (const name of names.remote) await sendImage(engine, written.manifest, name, o);
  engine.emit({ type: 'step-line', step: 'commit', text: `--> ${written.id.slice(0, 12)}` });
  const known = engine.store.images.list().find(({ id }) => id === written.id)?.names ?? [];
  return { id: written.id, manifest: written.manifest, names: known };
}

function tellNames(engine: Engine, { names }: BuildResult): void {
  for (const name of names) engine.emit({ type: 'step-line', step: 'commit', text: `Successfully tagged ${name}` });
}

/** An image that only went elsewhere has no size here. */
function tellEnd(engine: Engine, { id, names }: BuildResult): void {
  const record = engine.store.images.list().find((image) => image.id === id);
  const size = record === undefined ? {} : { sizeBytes: summarizeImage(engine, record).sizeBytes };
  engine.emit({ type: 'build-finished', at: Date.now(), ...(id === undefined ? {} : { id }), names, ...size });
}

function warnUnusedArguments(engine: Engine, request: BuildRequest, run: PlatformBuild): void {
  const consumed = new Set(request.plan.global.declared.map(({ name }) => name));
  for (const { final } of run.lowered.stages.values()) for (const name of consumedArgs(final)) consumed.add(name);
  const unused = unusedBuildArgs(request.buildArgs, consumed);
  if (unused.length === 0) return;
  const text = `[Warning] one or more build args were not consumed: [${unused.map(({ name }) => name).join(' ')}]`;
  engine.emit({ type: 'step-line', step: 'warning', text });
  for (const { name, suggestion } of unused) {
    if (suggestion === undefined) continue;
    engine.emit({ type: 'note', text: `build argument ${name} is not declared: did you mean ${suggestion}?` });
  }
}

function buildTimes(engine: Engine, o: BuildOptions, request: BuildRequest): ImageTimes {
  const epoch = request.buildArgs.get('SOURCE_DATE_EPOCH') ?? engine.env['SOURCE_DATE_EPOCH'];
  const isFromEpoch = o.timestamp === undefined && epoch !== undefined && epoch !== '';
  const sourceDateEpoch = o.sourceDateEpoch ?? (isFromEpoch ? epochOf(epoch) : undefined);
  return imageTimes({ timestamp: o.timestamp, sourceDateEpoch, rewriteTimestamp: o.rewriteTimestamp });
}

/** @throws `usage.invalid` */
function epochOf(text: string): number {
  if (/^\d{1,12}$/.test(text)) return Number(text);
  throw new BuilderError(
    'usage.invalid',
    `SOURCE_DATE_EPOCH is ${JSON.stringify(text)}: it must be a number of seconds`,
  );
}
