/** Turns a working container into an image. */
import { diffTrees } from '../rootfs/diff-tree.ts';
import type { SnapshotId } from '../rootfs/snapshotter.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { chainIdOfAll } from '../spec/digest.ts';
import { applyEdits, setLabel, unsetEnv, without } from '../spec/edit-config.ts';
import type { HistoryEntry, ImageConfig } from '../spec/image-config.ts';
import { MEDIA } from '../spec/media-type.ts';
import { IDENTITY_LABEL, VERSION } from '../spec/version.ts';
import { requireContainer } from './container-store.ts';
import type { Engine } from './engine.ts';
import { type ImageTimes, imageTimes } from './image-times.ts';
import { newImageName } from './local-image.ts';
import { isRemoteName, sendImage } from './push.ts';
import { deleteContainer } from './remove-container.ts';
import { parseSbomFiles, snapshotInventory, writeSbomFiles } from './sbom-files.ts';
import { type SealedLayer, sealLayer } from './seal-layer.ts';
import { unpack } from './unpack.ts';
import type { CommitOptions, CommitResult } from './verb-options.ts';
import type { WorkingContainer } from './working-container.ts';
import { type NewImage, recordImage, writeImage } from './write-image.ts';

/**
 * Commits the container; it stays usable. Without `image` the result is nameless; with a transport
 * (`docker://…`, `oci:…`) it goes there and not into the store.
 * @throws `container.not-known`, `layer.diff-failed`, `reference.invalid`
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
  const name = image === undefined || remote ? undefined : newImageName(image);
  const { id } = requireContainer(engine, nameOrId);
  using _ = await engine.store.containers.lock(id, { signal: engine.signal });
  const container = requireContainer(engine, id);
  if (!remote) emitTransfer(engine, 'Getting image source signatures');
  const sealed =
    o.squash === true ? await squashed(engine, container, times) : await sealedOnBase(engine, container, times);
  const written = writeImage(engine, newImage(container, sealed, times, o));
  if (remote) {
    await sendImage(engine, written.manifest, image, o);
  } else {
    emitCopies(engine, sealed.layers, written.configDigest);
    await recordImage(engine, written, name === undefined ? [] : [name], { created: times.now() });
    emitTransfer(engine, 'Writing manifest to image destination');
  }
  if (sbom !== undefined) {
    const inventory = await snapshotInventory(engine, await unpack(engine, sealed));
    writeSbomFiles(sbom, inventory, { name: name ?? image ?? container.name, created: times.now() });
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
  readonly added: boolean;
  readonly squash: boolean;
}

async function sealedOnBase(engine: Engine, container: WorkingContainer, times: ImageTimes): Promise<SealedStack> {
  const { snapshots } = engine;
  const base = container.baseSnapshot as SnapshotId | undefined;
  const baseDiffIds = container.baseConfig?.rootfs.diff_ids ?? [];
  const key = container.id;
  const shown = container.mountPoint !== undefined;
  const sealed: SealedLayer = await sealLayer(engine, key, {
    base,
    baseChain: chainIdOfAll(baseDiffIds),
    times: times.layer,
    always: false,
    copy: shown,
  });
  // The container goes on where it was: on top of what has just become a layer.
  if (!(await snapshots.has({ key }))) await snapshots.prepare(key, sealed.snapshot as SnapshotId | undefined);
  if (sealed.layer === undefined)
    return { layers: container.baseLayers, diffIds: baseDiffIds, added: false, squash: false };
  const { diffId, size } = sealed.layer;
  return {
    layers: [...container.baseLayers, { mediaType: MEDIA.ociLayer, digest: diffId, size }],
    diffIds: [...baseDiffIds, diffId],
    added: true,
    squash: false,
  };
}

/** One layer with everything, the base's files included. */
async function squashed(engine: Engine, container: WorkingContainer, times: ImageTimes): Promise<SealedStack> {
  const layer = await squashLayer(engine, { key: container.id }, times);
  return {
    layers: [layer],
    diffIds: [layer.digest as ImageConfig['rootfs']['diff_ids'][number]],
    added: true,
    squash: true,
  };
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

function newImage(container: WorkingContainer, sealed: SealedStack, times: ImageTimes, o: CommitOptions): NewImage {
  const format = o.format ?? container.format;
  const created = times.now();
  const edits = (o.unsetEnv ?? []).map(unsetEnv);
  if (o.identityLabel ?? !times.fixed) edits.push(setLabel(IDENTITY_LABEL, VERSION));
  const config = applyEdits(container.config, edits);
  return {
    format,
    layers: sealed.layers,
    config: {
      ...config,
      created,
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
  return [
    ...(container.baseConfig?.history ?? []),
    ...stamp(container.historyBefore),
    entry,
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
