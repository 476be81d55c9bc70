/**
 * What the layers of a stored image hold. A layer that exists as a snapshot is looked at there: names and sizes, no
 * content is read unless a name has to be compared, no tar is written. One that was never unpacked is read from its
 * blob.
 */
import { readTar } from '../archive/tar-reader.ts';
import { efficiencyOf, type ImageInsight, layerOrigins } from '../insight/image-insight.ts';
import { LayerLedger } from '../insight/layer-ledger.ts';
import { type ByteString, byteString } from '../rootfs/copy-walk.ts';
import { type LayerChange, LayerChanges } from '../rootfs/layer-change.ts';
import { stepsOf } from '../rootfs/layer-writer.ts';
import type { ChangeSource, SnapshotId } from '../rootfs/snapshotter.ts';
import { whiteoutMeaning } from '../rootfs/whiteout.ts';
import { type ChainId, chainIdOf, type DiffId } from '../spec/digest.ts';
import type { Bytes } from '../spec/target.ts';
import { S_IFDIR, S_IFMT, S_IFREG } from '../sys/libc.ts';
import { chainSnapshot } from './chain-snapshot.ts';
import type { Engine } from './engine.ts';
import { layerTar } from './layer-bytes.ts';
import { type LocalImage, loadImage, requireImage } from './local-image.ts';

export interface LayerInsightOptions {
  /** How many of the largest files are listed, per layer and of the wasted ones; 10 unless told. */
  readonly largest?: number;
}

const LARGEST = 10;

/** @throws `image.not-known`, `manifest.invalid` for a list of images, `blob.not-found` */
export function inspectLayers(engine: Engine, nameOrId: string, o: LayerInsightOptions = {}): Promise<ImageInsight> {
  return layerInsight(engine, loadImage(engine, requireImage(engine, nameOrId)), o);
}

/** @throws `blob.not-found` when a layer is neither as a blob nor as a snapshot in the store */
export async function layerInsight(
  engine: Engine,
  image: LocalImage,
  o: LayerInsightOptions = {},
): Promise<ImageInsight> {
  const { diffIds } = image;
  const ledger = new LayerLedger({ layers: diffIds.length, largest: o.largest ?? LARGEST });
  let chain: ChainId | undefined;
  for (const diffId of diffIds) {
    chain = chainIdOf(chain, diffId);
    ledger.nextLayer();
    const snapshot = (await chainSnapshot(engine, chain, diffId)) ?? (await sourceSnapshot(engine, diffId));
    if (snapshot !== undefined) await bookSnapshot(engine, snapshot, ledger);
    else await bookTar(await layerTar(engine, diffId), ledger);
  }
  return insightOf(image, ledger);
}

/** The snapshot the layer was committed as; what it stands on may be another one than here. */
async function sourceSnapshot(engine: Engine, diffId: DiffId): Promise<SnapshotId | undefined> {
  const id = engine.store.layers.get(diffId).snapshot as SnapshotId | undefined;
  return id !== undefined && (await engine.snapshots.has({ id })) ? id : undefined;
}

function insightOf(image: LocalImage, ledger: LayerLedger): ImageInsight {
  const origins = layerOrigins(image.diffIds.length, image.config.history ?? []);
  const layers = ledger.counts.map((counts, index) => {
    const { digest, size } = image.layers[index]!;
    const diffId: DiffId = image.diffIds[index]!;
    return { index, diffId, digest, sizeBytes: size, createdBy: origins[index], ...counts };
  });
  const contentBytes = layers.reduce((sum, layer) => sum + layer.contentBytes, 0);
  const wastedBytes = layers.reduce((sum, layer) => sum + layer.wastedBytes, 0);
  return {
    id: image.record.id,
    names: image.record.names,
    layers,
    contentBytes,
    wastedBytes,
    efficiency: efficiencyOf(contentBytes, wastedBytes),
    wasted: ledger.wasted,
  };
}

async function bookSnapshot(engine: Engine, id: SnapshotId, ledger: LayerLedger): Promise<void> {
  await using source: ChangeSource & AsyncDisposable = await engine.snapshots.changes({ id });
  using changes = new LayerChanges(source, {}, new Set());
  for await (const change of stepsOf(changes, { signal: engine.signal })) bookChange(change, ledger);
}

function bookChange(change: LayerChange, ledger: LayerLedger): void {
  const { path } = change;
  if (change.kind === 'removed') {
    ledger.removed(path);
  } else if (change.kind === 'link') {
    ledger.link(path, change.target);
  } else {
    const { stat } = change.at;
    const type = stat.mode & S_IFMT;
    if (type === S_IFDIR) ledger.directory(path);
    else ledger.file(path, type === S_IFREG ? stat.size : 0);
  }
}

async function bookTar(tar: Bytes, ledger: LayerLedger): Promise<void> {
  for await (const { entry } of readTar(tar)) {
    const path = cleanPath(byteString(entry.name));
    const meaning = whiteoutMeaning(path);
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    if (meaning.kind === 'removed') ledger.removed(parent === '' ? meaning.name : `${parent}/${meaning.name}`);
    else if (meaning.kind === 'opaque') ledger.opaque(parent);
    else if (meaning.kind === 'ignored' || path === '') continue;
    else if (entry.type === 'directory') ledger.directory(path);
    else if (entry.type === 'hardlink') ledger.link(path, cleanPath(byteString(entry.linkName)));
    else ledger.file(path, entry.size);
  }
}

/** As unpacking reads it: relative to the root, and never above it. */
function cleanPath(name: ByteString): ByteString {
  const parts: ByteString[] = [];
  for (const part of name.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}
