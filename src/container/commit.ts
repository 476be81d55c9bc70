/** Turns a working container into an image. */
import { layerEncrypter } from '../image/crypt/layer-crypt.ts';
import { BuilderError } from '../report/builder-error.ts';
import { diffTrees } from '../rootfs/diff-tree.ts';
import type { SnapshotId } from '../rootfs/snapshotter.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { chainIdOfAll, type DiffId } from '../spec/digest.ts';
import { without } from '../spec/edit-config.ts';
import type { HistoryEntry, ImageConfig } from '../spec/image-config.ts';
import { MEDIA } from '../spec/media-type.ts';
import { type AddedFile, addedFilesEntry, parseAddedFile, sealAddedFiles } from './added-files.ts';
import { BlobCache } from './blob-cache.ts';
import { committedConfig } from './committed-config.ts';
import { requireContainer } from './container-store.ts';
import type { Engine } from './engine.ts';
import { type ImageTimes, imageTimes } from './image-times.ts';
import { extendList, findList, listEntry } from './manifest-list.ts';
import { isRemoteName, sendImage } from './push.ts';
import { deleteContainer } from './remove-container.ts';
import {
  changesImage,
  parseSbomFiles,
  sbomsInImage,
  snapshotInventory,
  writeSbomFiles,
  writesFiles,
} from './sbom-files.ts';
import { type SealedLayer, sealLayer } from './seal-layer.ts';
import { aliasedName, newImageName } from './short-names.ts';
import { refuseSigning } from './trust.ts';
import { unpack } from './unpack.ts';
import type { CommitOptions, CommitResult } from './verb-options.ts';
import type { WorkingContainer } from './working-container.ts';
import { type NewImage, recordImage, writeImage } from './write-image.ts';

/**
 * Commits the container; it stays usable. Without `image` the result is nameless; with a transport
 * (`docker://…`, `oci:…`) it goes there and not into the store.
 * @throws `container.not-known`, `layer.diff-failed`, `reference.invalid`, `manifest.not-a-list`, `copy.invalid`,
 *   `dockerfile.syntax` and the like for `changes`
 */
export async function commit(
  engine: Engine,
  nameOrId: string,
  image: string | undefined,
  o: CommitOptions = {},
): Promise<CommitResult> {
  const times = imageTimes(o);
  const sbom = parseSbomFiles(o, engine.cwd);
  const remote = image !== undefined && isRemoteName(image);
  requireEncryptable(engine, remote, o);
  if (!remote) refuseSigning(o);
  const added = (o.addFiles ?? []).map((text) => parseAddedFile(text, engine.cwd));
  if (o.manifest !== undefined) findList(engine, newImageName(o.manifest));
  const name = image === undefined || remote ? undefined : (aliasedName(engine, image) ?? newImageName(image));
  const { id } = requireContainer(engine, nameOrId);
  using _ = await engine.store.containers.lock(id, { signal: engine.signal });
  const container = requireContainer(engine, id);
  // First, because they may be refused.
  BlobCache.of(engine, o);
  const config = committedConfig(engine, container.config, o, times.fixed);
  if (!remote) emitTransfer(engine, 'Getting image source signatures');
  const subject = { name: name ?? image ?? container.name, created: times.now() };
  const extra = {
    files: added,
    about:
      sbom === undefined || !changesImage(sbom)
        ? undefined
        : async (snapshot: SnapshotId | undefined) =>
            sbomsInImage(sbom, await snapshotInventory(engine, snapshot), subject),
  };
  const sealed = await sealStack(engine, container, times, extra, o.squash === true);
  const written = writeImage(engine, newImage(container, config, sealed, times, o));
  if (remote) {
    await sendImage(engine, written.manifest, image, o);
  } else {
    emitCopies(engine, sealed.layers, written.configDigest);
    await recordImage(engine, written, name === undefined ? [] : [name], { created: times.now() });
    emitTransfer(engine, 'Writing manifest to image destination');
  }
  if (o.manifest !== undefined) {
    engine.store.blobs.flush();
    await extendList(engine, o.manifest, [listEntry(engine, written.manifest)]);
  }
  if (sbom !== undefined && writesFiles(sbom)) {
    writeSbomFiles(sbom, await snapshotInventory(engine, await unpack(engine, sealed)), subject);
  }
  if (o.rm === true) await deleteContainer(engine, container);
  return {
    id: written.id,
    manifest: written.manifest,
    configDigest: written.configDigest,
    name: remote ? image : name,
    stored: !remote,
  };
}

/** Before anything is made: layers in the store are never encrypted. */
function requireEncryptable({ cwd }: Engine, isRemote: boolean, o: CommitOptions): void {
  if (layerEncrypter(o, cwd) === undefined || isRemote) return;
  throw new BuilderError('usage.invalid', 'cannot encrypt an image that goes into the store', {
    hint: 'commit to docker://, oci:, oci-archive: or dir:, or encrypt when it is pushed',
  });
}

/** The lines other builders print while they copy an image into their store, where nothing has to be copied here. */
export function emitCopies(engine: Engine, layers: readonly Descriptor[], config: string): void {
  for (const layer of layers) emitTransfer(engine, `Copying blob ${layer.digest}`);
  emitTransfer(engine, `Copying config ${config}`);
}

export function emitTransfer(engine: Engine, label: string): void {
  engine.emit({ type: 'transfer', id: label, label, state: 'done' });
}

interface SealedStack {
  readonly layers: readonly Descriptor[];
  readonly diffIds: ImageConfig['rootfs']['diff_ids'];
  /** What the container changed is a layer. */
  readonly added: boolean;
  /** Digests of the layers of added files on top of it. */
  readonly filesLayers: readonly DiffId[];
  readonly squash: boolean;
}

/** What goes into the image on top of the container. */
interface ExtraContent {
  readonly files: readonly AddedFile[];
  /** Gives files that tell about what the image holds without them. */
  readonly about: ((snapshot: SnapshotId | undefined) => Promise<readonly AddedFile[]>) | undefined;
}

async function sealStack(
  engine: Engine,
  container: WorkingContainer,
  times: ImageTimes,
  extra: ExtraContent,
  isSquashed: boolean,
): Promise<SealedStack> {
  if (isSquashed && extra.files.length === 0 && extra.about === undefined) {
    return squashed(engine, { key: container.id }, times);
  }
  const own = await sealOwn(engine, container, times);
  const stack = [own];
  if (extra.files.length > 0) stack.push(await sealAddedFiles(engine, own, extra.files, times));
  if (extra.about !== undefined) {
    const below = stack.at(-1)!;
    stack.push(await sealAddedFiles(engine, below, await extra.about(below.snapshot), times));
  }
  if (isSquashed) return squashed(engine, { id: stack.at(-1)!.snapshot! }, times);
  const sealed = stack.flatMap(({ layer }) => layer ?? []);
  return {
    layers: [
      ...container.baseLayers,
      ...sealed.map(({ diffId, size }) => ({ mediaType: MEDIA.ociLayer, digest: diffId, size })),
    ],
    diffIds: [...(container.baseConfig?.rootfs.diff_ids ?? []), ...sealed.map(({ diffId }) => diffId)],
    added: own.layer !== undefined,
    filesLayers: stack.slice(1).flatMap(({ layer }) => layer?.diffId ?? []),
    squash: false,
  };
}

/** What the container changed. It goes on where it was: on top of what has just become a layer. */
async function sealOwn(engine: Engine, container: WorkingContainer, times: ImageTimes): Promise<SealedLayer> {
  const { snapshots } = engine;
  const key = container.id;
  const sealed = await sealLayer(engine, key, {
    base: container.baseSnapshot as SnapshotId | undefined,
    baseChain: chainIdOfAll(container.baseConfig?.rootfs.diff_ids ?? []),
    times: times.layer,
    always: false,
    copy: container.mountPoint !== undefined,
    keep: true,
  });
  if (!(await snapshots.has({ key }))) await snapshots.prepare(key, sealed.snapshot as SnapshotId | undefined);
  return sealed;
}

/** One layer with everything, the base's files included. */
async function squashed(
  engine: Engine,
  snapshot: { key: string } | { id: SnapshotId },
  times: ImageTimes,
): Promise<SealedStack> {
  const layer = await squashLayer(engine, snapshot, times);
  return { layers: [layer], diffIds: [layer.digest as DiffId], added: true, filesLayers: [], squash: true };
}

/** Writes the whole tree of a snapshot as one layer blob and gives its descriptor (uncompressed). */
export async function squashLayer(
  engine: Engine,
  snapshot: { key: string } | { id: SnapshotId },
  times: ImageTimes,
): Promise<Descriptor> {
  await using ingest = await engine.store.blobs.ingest();
  await using changes = await engine.snapshots.changes(snapshot, null);
  for await (const chunk of diffTrees(changes, { ...times.layer, signal: engine.signal })) await ingest.write(chunk);
  const { digest, size } = await ingest.commit();
  return { mediaType: MEDIA.ociLayer, digest, size };
}

function newImage(
  container: WorkingContainer,
  config: ImageConfig,
  sealed: SealedStack,
  times: ImageTimes,
  o: CommitOptions,
): NewImage {
  return {
    format: o.format ?? container.format,
    layers: sealed.layers,
    config: {
      ...config,
      created: times.now(),
      rootfs: { type: 'layers', diff_ids: sealed.diffIds },
      history: o.omitHistory === true ? [] : historyOf(container, sealed, times),
    },
    annotations: annotationsOf(container, times, o),
    ...(times.fixed ? {} : { container: container.id }),
    ...(container.base === undefined ? {} : { parent: `sha256:${container.base.id}` }),
  };
}

function historyOf(container: WorkingContainer, sealed: SealedStack, times: ImageTimes): HistoryEntry[] {
  const stamp = (entries: readonly HistoryEntry[]): HistoryEntry[] =>
    times.fixed ? entries.map((entry) => ({ ...entry, created: times.now() })) : [...entries];
  const from =
    container.base === undefined ? undefined : `FROM ${container.base.name || container.base.id.slice(0, 12)}`;
  const comment = container.historyComment ?? from;
  const author = container.config.author;
  const entry: HistoryEntry = {
    created: times.now(),
    created_by: container.createdBy ?? (container.config.config?.Shell ?? ['/bin/sh']).join(' '),
    ...(author === undefined || author === '' ? {} : { author }),
    ...(comment === undefined ? {} : { comment }),
    ...(sealed.added ? {} : { empty_layer: true }),
  };
  if (sealed.squash) return [entry];
  const files = sealed.filesLayers.map((diffId) => addedFilesEntry(diffId, times.now()));
  return [
    ...(container.baseConfig?.history ?? []),
    ...stamp(container.historyBefore),
    entry,
    ...files,
    ...stamp(container.historyAfter),
  ];
}

function annotationsOf(
  container: WorkingContainer,
  times: ImageTimes,
  o: CommitOptions,
): Readonly<Record<string, string>> {
  let map: Readonly<Record<string, string>> = { ...container.annotations };
  if (o.createdAnnotation !== false) map = { ...map, 'org.opencontainers.image.created': times.now() };
  for (const entry of o.annotations ?? []) {
    const at = entry.indexOf('=');
    map = { ...map, [at === -1 ? entry : entry.slice(0, at)]: at === -1 ? '' : entry.slice(at + 1) };
  }
  for (const name of o.unsetAnnotations ?? []) map = without(map, name);
  return map;
}
