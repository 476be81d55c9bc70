/**
 * The façade of the library: `openBuilder` opens a store and gives the verbs. The command line is one user of it.
 */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { TargetList, TargetOutline } from './build/check.ts';
import type { CachePruneOptions, CacheSummary, PrunedCaches } from './container/cache-store.ts';
import { editContainer, renameContainer, requireContainer } from './container/container-store.ts';
import { type Engine, type Environment, openEngine } from './container/engine.ts';
import type { LayerInsightOptions } from './container/layer-insight.ts';
import type { CreateListOptions } from './container/list-verbs.ts';
import { requireNamespace } from './container/namespace.ts';
import type { PrunedStore, PruneStoreOptions } from './container/prune-store.ts';
import type { RebaseOptions, RebaseResult } from './container/rebase.ts';
import type { RememberedStep } from './container/remembered-steps.ts';
import type { StoreCheckOptions, StoreCheckReport } from './container/store-repair.ts';
import type { StoreUsage } from './container/store-usage.ts';
import type { TreeChange, TreeDiffOptions } from './container/tree-diff.ts';
import type {
  ArtifactOptions,
  BuilderOptions,
  BuildOptions,
  BuildResult,
  CheckOptions,
  CommitOptions,
  CommitResult,
  ConfigChanges,
  ContainerSummary,
  CopyOptions,
  DockerfileOptions,
  FromOptions,
  ImageSummary,
  InfoReport,
  Inspection,
  ListEntryOptions,
  LoginOptions,
  PullOptions,
  PushOptions,
  RegistryOptions,
  RemovedImage,
  RunOptions,
  WhyOptions,
} from './container/verb-options.ts';
import type { WorkingContainer } from './container/working-container.ts';
import type { CheckReport } from './dockerfile/lint/check.ts';
import type { HistoryStep } from './image/image-history.ts';
import type { DescribeOptions } from './image/place/describe-image.ts';
import type { ImageInsight } from './insight/image-insight.ts';
import { silent } from './report/event.ts';
import type { BuildExplanation } from './report/explanation.ts';
import { firstError } from './report/first-error.ts';
import type { Digest } from './spec/digest.ts';
import type { ImageIndex } from './spec/manifest.ts';
import type { ExitStatus } from './spec/process-spec.ts';
import { configuredStore } from './store/configured-store.ts';
import { defaultStoreRoots } from './store/store-paths.ts';
import { findConfigFiles } from './sys/config-files.ts';
import { callerUid } from './sys/host.ts';

/** The verbs. Containers are named by name or id (or an unambiguous beginning of it), images by name, id or digest. */
export interface Builder extends AsyncDisposable {
  readonly root: string;
  readonly runroot: string;
  readonly driver: 'overlay' | 'vfs';
  /** Where images are, when not below `root`. */
  readonly imageStore: string | undefined;
  from(image: string, o?: FromOptions): Promise<WorkingContainer>;
  /** Runs a command; a non-zero exit is a value, not an error. */
  run(container: string, args: readonly string[], o?: RunOptions): Promise<ExitStatus>;
  /** Gives the bare hex digest of what was added. */
  copy(
    container: string,
    sources: readonly string[],
    destination?: string,
    o?: CopyOptions,
  ): Promise<{ readonly digest: string }>;
  add(
    container: string,
    sources: readonly string[],
    destination?: string,
    o?: CopyOptions,
  ): Promise<{ readonly digest: string }>;
  config(container: string, changes: ConfigChanges): Promise<WorkingContainer>;
  /** `image` may carry a transport; none makes a nameless image. */
  commit(container: string, image?: string, o?: CommitOptions): Promise<CommitResult>;
  /** Mounts and leaves it mounted; mounting twice gives the same path. */
  mount(container: string): Promise<string>;
  umount(container: string): Promise<{ readonly id: string }>;
  containers(): Promise<readonly ContainerSummary[]>;
  container(nameOrId: string): Promise<WorkingContainer>;
  /** Removes a working container and gives its id. */
  rm(container: string): Promise<{ readonly id: string }>;
  rename(container: string, newName: string): Promise<void>;
  images(): Promise<readonly ImageSummary[]>;
  image(nameOrId: string): Promise<ImageSummary>;
  tag(image: string, newNames: readonly string[]): Promise<void>;
  rmi(image: string, o?: { force?: boolean }): Promise<RemovedImage>;
  /** Removes dangling images, with `all` every image no container uses. */
  prune(o?: { all?: boolean; force?: boolean }): Promise<RemovedImage>;
  inspect(nameOrId: string, type?: 'container' | 'image' | 'manifest'): Promise<Inspection>;
  /** What each layer of a stored image holds: sizes, changes, largest files, wasted bytes. Reads no file contents. */
  layers(image: string, o?: LayerInsightOptions): Promise<ImageInsight>;
  /** Gives the ids of what is now in the store. */
  pull(image: string, o?: PullOptions): Promise<readonly string[]>;
  push(image: string, destination?: string, o?: PushOptions): Promise<{ readonly digest: string }>;
  /** Tries a login and keeps it; gives the file or the credential helper that has it now. */
  login(registry: string, o: LoginOptions): Promise<string>;
  build(o: BuildOptions): Promise<BuildResult>;
  /** What `build` would do with the same options, and why, for each platform. Nothing is run, the store stays as it is. */
  explainBuild(o: BuildOptions): Promise<readonly BuildExplanation[]>;
  /** Why the last build of a context ran the steps it ran. @throws `build.not-known` */
  why(o?: WhyOptions): Promise<BuildExplanation>;
  /** What is wrong with the Dockerfiles of a context, one report each. No base image is looked at. */
  check(o?: CheckOptions): Promise<readonly CheckReport[]>;
  /** The stages a Dockerfile can build. */
  listTargets(o?: DockerfileOptions): Promise<TargetList>;
  /** The arguments, secrets, agents and caches a target takes. */
  outlineTarget(o?: DockerfileOptions): Promise<TargetOutline>;
  /** Makes a list of images and gives its id. */
  createList(name: string, images: readonly string[], o?: CreateListOptions): Promise<string>;
  /** Puts an image into a list. */
  addToList(list: string, image: string, o?: ListEntryOptions): Promise<ListChange>;
  /** Puts files into a list, as one OCI artifact. */
  addArtifactToList(
    list: string,
    files: readonly string[],
    o?: ArtifactOptions & ListEntryOptions,
  ): Promise<ListChange>;
  /** Changes what a list says of an entry, named by digest or image. */
  annotateEntry(list: string, entry: string, o: ListEntryOptions): Promise<ListChange>;
  annotateList(
    list: string,
    o: { annotations?: readonly string[]; subject?: string },
  ): Promise<{ readonly id: string }>;
  removeFromList(list: string, entry: string): Promise<ListChange>;
  /** A list of the store, or from where its name points. */
  readList(name: string, o?: RegistryOptions): Promise<ImageIndex>;
  /** Caches of `RUN --mount=type=cache`, the latest used first. */
  caches(): Promise<readonly CacheSummary[]>;
  /** @param cache its id, or the beginning of its name. @throws `cache.not-known`, `cache.in-use` */
  removeCache(cache: string): Promise<CacheSummary>;
  /** Removes caches no command is using. */
  pruneCaches(o?: CachePruneOptions): Promise<PrunedCaches>;
  /** The content of a cache as a tar. */
  exportCache(cache: string): AsyncIterable<Uint8Array>;
  /** Puts the content of a tar, compressed or not, in the place of what the cache held, or makes the cache. */
  importCache(
    cache: { readonly id: string; readonly namespace?: string },
    tar: AsyncIterable<Uint8Array>,
  ): Promise<CacheSummary>;
  /** Steps that builds with `layers` left behind, the latest used first. */
  rememberedSteps(): Promise<readonly RememberedStep[]>;
  /** How an image came to be, newest step first; with a transport (`docker://…`) one elsewhere, which is not pulled. */
  history(image: string, o?: DescribeOptions): Promise<readonly HistoryStep[]>;
  /** Files that differ between two images or containers; with one name, from what it stands on. */
  diff(before: string, after?: string, o?: TreeDiffOptions): Promise<readonly TreeChange[]>;
  /** Puts an image onto another base: layers are exchanged, nothing is built. @throws `image.base-unknown` */
  rebase(image: string, o: RebaseOptions): Promise<RebaseResult>;
  /** What the store holds, and what could go. */
  usage(): Promise<StoreUsage>;
  /** Removes what nobody needs: dangling images, remembered steps, downloads; with `all` unused images and caches. */
  pruneStore(o?: PruneStoreOptions): Promise<PrunedStore>;
  /** Whether the store is what it says it is. Damage is a value, not an error. */
  checkStore(o?: StoreCheckOptions): Promise<StoreCheckReport>;
  info(): Promise<InfoReport>;
}

/** The list's id, and the digest of the entry that was changed. */
export interface ListChange {
  readonly id: string;
  readonly digest: Digest;
}

/**
 * Opens the store and gives the verbs. Each verb loads its code when it is first called. The builder holds the store
 * open until disposed: `await using builder = await openBuilder({ root })`.
 * @throws `sys.not-permitted` when the store cannot be written, `driver.unavailable`
 */
export async function openBuilder(o: BuilderOptions = {}): Promise<Builder> {
  const caller = o.env ?? process.env;
  const uid = callerUid(caller);
  const env = await configuredEnvironment(caller, uid);
  const configured = await configuredStore(env, uid);
  // Who names one of the two means a store of its own.
  const isNamed = o.root !== undefined || o.runroot !== undefined;
  const places = isNamed ? defaultStoreRoots(env, uid) : configured;
  const imageStore = o.imageStore ?? configured.imageStore ?? '';
  const engine = await openEngine({
    root: resolve(o.root ?? places.root),
    runroot: resolve(o.runroot ?? places.runroot),
    imageStore: imageStore === '' ? undefined : resolve(imageStore),
    isTransient: o.transientStore ?? configured.isTransient ?? false,
    driver: o.driver,
    newStoreDriver: configured.driver,
    storageOptions: o.storageOptions,
    configuredStorageOptions: configured.options,
    emit: o.emit ?? silent,
    env,
    cwd: o.cwd ?? process.cwd(),
    signal: o.signal,
    callerUid: uid,
    registriesConf: o.registriesConf,
    registriesConfDir: o.registriesConfDir,
    shortNameAliasConf: o.shortNameAliasConf,
    signaturePolicy: o.signaturePolicy === undefined ? undefined : resolve(o.cwd ?? process.cwd(), o.signaturePolicy),
    defaultMountsFile: o.defaultMountsFile,
  });
  if (engine.store.hasLostContainers) await (await import('./container/garbage.ts')).sweepLostContainers(engine);
  const { lenders } = engine.storage;
  if (lenders.length > 0 || existsSync(engine.store.paths.borrowed)) {
    await (await import('./container/borrow-images.ts')).borrowImages(engine, lenders);
  }
  return tellingFirst(builderOn(engine));
}

/** What a verb could not clean up does not hide why it failed. */
function tellingFirst(builder: Builder): Builder {
  const told = Object.entries(builder).map(([name, verb]: [string, unknown]) => {
    if (typeof verb !== 'function' || name === 'exportCache') return [name, verb];
    const call = (...args: unknown[]): Promise<unknown> =>
      (verb(...args) as Promise<unknown>).catch((error: unknown) => {
        throw firstError(error);
      });
    return [name, call];
  });
  return { ...builder, ...(Object.fromEntries(told) as Partial<Builder>) };
}

/** The caller's variables, and below them those that containers.conf sets for programs. */
async function configuredEnvironment(env: Environment, uid: number): Promise<Environment> {
  const files = findConfigFiles('containers.conf', { env, uid }).filter((path) => existsSync(path));
  // The file is long on many machines and hardly ever says this.
  if (!files.some((path) => /^\s*env\s*=/m.test(readFileSync(path, 'utf8')))) return env;
  const { loadContainersConf } = await import('./run/containers-conf.ts');
  return { ...loadContainersConf(env, uid).env, ...env };
}

function builderOn(engine: Engine): Builder {
  return {
    root: engine.store.paths.root,
    runroot: engine.store.paths.runroot,
    driver: engine.snapshots.driver,
    imageStore: engine.store.paths.imageStore,
    from: async (image, options) => {
      await requireNamespace(engine);
      return (await import('./container/from.ts')).from(engine, image, options);
    },
    run: async (container, args, options) => {
      await requireNamespace(engine);
      return (await import('./container/run.ts')).run(engine, container, args, options);
    },
    copy: async (container, sources, destination, options) => {
      await requireNamespace(engine);
      return (await import('./container/copy.ts')).copy(engine, container, sources, destination, options);
    },
    add: async (container, sources, destination, options) => {
      await requireNamespace(engine);
      return (await import('./container/copy.ts')).add(engine, container, sources, destination, options);
    },
    config: async (container, changes) => {
      const { configure, entrypointWarning } = await import('./container/configure.ts');
      return editContainer(engine, container, (before) => {
        const after = configure(before, changes, engine.env);
        const text = entrypointWarning(before, changes);
        if (text !== undefined) engine.emit({ type: 'warning', text });
        return after;
      });
    },
    commit: async (container, image, options) => {
      await requireNamespace(engine);
      return (await import('./container/commit.ts')).commit(engine, container, image, options);
    },
    mount: async (container) => {
      await requireNamespace(engine);
      return (await import('./container/mount-container.ts')).mountContainer(engine, container);
    },
    umount: async (container) => ({
      id: await (await import('./container/mount-container.ts')).umountContainer(engine, container),
    }),
    containers: async () => (await import('./container/summaries.ts')).summarizeContainers(engine),
    container: async (nameOrId) => requireContainer(engine, nameOrId),
    rm: async (container) => ({
      id: await (await import('./container/remove-container.ts')).removeContainer(engine, container),
    }),
    rename: (container, newName) => renameContainer(engine, container, newName),
    images: async () => (await import('./container/summaries.ts')).summarizeImages(engine),
    image: async (nameOrId) => {
      const { requireImage } = await import('./container/local-image.ts');
      return (await import('./container/summaries.ts')).summarizeImage(engine, requireImage(engine, nameOrId));
    },
    tag: async (image, newNames) => (await import('./container/remove-image.ts')).tagImage(engine, image, newNames),
    rmi: async (image, options) => (await import('./container/remove-image.ts')).removeImage(engine, image, options),
    prune: async (options) => (await import('./container/remove-image.ts')).pruneImages(engine, options),
    inspect: async (nameOrId, type) => (await import('./container/inspect.ts')).inspect(engine, nameOrId, type),
    layers: async (image, options) => {
      await requireNamespace(engine);
      return (await import('./container/layer-insight.ts')).inspectLayers(engine, image, options);
    },
    pull: async (image, options) => (await import('./container/pull.ts')).pull(engine, image, options),
    push: async (image, destination, options) =>
      (await import('./container/push.ts')).push(engine, image, destination, options),
    login: async (registry, options) => (await import('./container/login.ts')).login(engine, registry, options),
    build: async (options) => {
      await requireNamespace(engine);
      return (await import('./build/watched-build.ts')).watchedBuild(engine, options);
    },
    check: async (options = {}) => {
      const { check, placeIn } = await import('./build/check.ts');
      return check(placeIn(engine), options);
    },
    listTargets: async (options = {}) => {
      const { listTargetsOf, placeIn } = await import('./build/check.ts');
      return listTargetsOf(placeIn(engine), options);
    },
    outlineTarget: async (options = {}) => {
      const { outlineTargetOf, placeIn } = await import('./build/check.ts');
      return outlineTargetOf(placeIn(engine), options);
    },
    explainBuild: async (options) => {
      await requireNamespace(engine);
      return (await import('./build/build.ts')).explainBuild(engine, options);
    },
    why: async (options = {}) => (await import('./build/why.ts')).why(engine, options),
    createList: async (name, images, options) =>
      (await import('./container/list-verbs.ts')).createList(engine, name, images, options),
    addToList: async (list, image, options) =>
      (await import('./container/list-verbs.ts')).addToList(engine, list, image, options),
    addArtifactToList: async (list, files, options) =>
      (await import('./container/list-verbs.ts')).addArtifactToList(engine, list, files, options),
    annotateEntry: async (list, entry, options) =>
      (await import('./container/list-verbs.ts')).annotateEntry(engine, list, entry, options),
    annotateList: async (list, options) =>
      (await import('./container/list-verbs.ts')).annotateList(engine, list, options),
    removeFromList: async (list, entry) =>
      (await import('./container/list-verbs.ts')).removeFromList(engine, list, entry),
    readList: async (name, options) => (await import('./container/list-verbs.ts')).readAnyList(engine, name, options),
    caches: async () => {
      await requireNamespace(engine);
      return (await import('./container/cache-store.ts')).listCaches(engine);
    },
    removeCache: async (cache) => {
      await requireNamespace(engine);
      return (await import('./container/cache-store.ts')).removeCache(engine, cache);
    },
    pruneCaches: async (options) => {
      await requireNamespace(engine);
      return (await import('./container/cache-store.ts')).pruneCaches(engine, options);
    },
    async *exportCache(cache) {
      await requireNamespace(engine);
      yield* (await import('./container/cache-store.ts')).exportCacheMount(engine, cache);
    },
    importCache: async (cache, tar) => {
      await requireNamespace(engine);
      return (await import('./container/cache-store.ts')).importCacheMount(engine, cache, tar);
    },
    rememberedSteps: async () => (await import('./container/remembered-steps.ts')).listSteps(engine),
    history: async (image, options) =>
      (await import('./container/image-history.ts')).imageHistory(engine, image, options),
    diff: async (before, after, options) => {
      await requireNamespace(engine);
      return (await import('./container/tree-diff.ts')).treeDiff(engine, before, after, options);
    },
    rebase: async (image, options) => (await import('./container/rebase.ts')).rebase(engine, image, options),
    usage: async () => {
      await requireNamespace(engine);
      return (await import('./container/store-usage.ts')).storeUsage(engine);
    },
    pruneStore: async (options) => {
      await requireNamespace(engine);
      return (await import('./container/prune-store.ts')).pruneStore(engine, options);
    },
    checkStore: async (options) => {
      await requireNamespace(engine);
      return (await import('./container/store-repair.ts')).checkStore(engine, options);
    },
    info: async () => (await import('./container/info.ts')).info(engine),
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
}

export type { BuilderOptions };
