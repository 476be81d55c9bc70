/**
 * `system check`: whether the store is what it says it is. Records are read, references followed, sizes compared; with
 * `readData` every byte is read and every digest computed. What is found is told, not thrown, each with what would mend it.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isBuilderError } from '../report/builder-error.ts';
import type { SnapshotId } from '../rootfs/snapshotter.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { type ChainId, chainIdOf, type DiffId, type Digest, digestFromHex } from '../spec/digest.ts';
import { isImageConfig, isIndex } from '../spec/media-type.ts';
import { formatReference, parseReference } from '../spec/reference.ts';
import { parseImageConfig, parseManifest } from '../spec/schema.ts';
import type { Bytes } from '../spec/target.ts';
import { type DamagedRecord, damagedRecords, salvageImages } from '../store/damaged-records.ts';
import type { ImageRecord } from '../store/image-table.ts';
import type { Engine } from './engine.ts';
import type { CheckCounts, Damage, Finding } from './store-damage.ts';
import {
  contentDigest,
  type KnownLayer,
  soundBlobs,
  tarOfBlob,
  type UnpackedLayer,
  unpackedAside,
} from './unpacked-content.ts';
import type { WorkingContainer } from './working-container.ts';

/** One look at a store; afterwards it knows what is sound. */
export class StoreCheck {
  readonly #engine: Engine;
  readonly #readData: boolean;
  readonly findings: Finding[] = [];
  readonly #badBlobs = new Set<Digest>();
  readonly #badSnapshots = new Set<string>();
  readonly #read = new Set<string>();
  readonly #layers = new Set<DiffId>();
  /** Of stacks that images list. */
  readonly unpacked = new Map<string, UnpackedLayer>();
  /** Snapshots that images, containers and steps name. */
  readonly #named = new Set<string>();
  #sealed: ReadonlyMap<SnapshotId, SnapshotId | undefined> = new Map();
  counts: CheckCounts = { images: 0, containers: 0, blobs: 0, layers: 0, snapshots: 0, steps: 0 };

  constructor(engine: Engine, readData: boolean) {
    this.#engine = engine;
    this.#readData = readData;
  }

  readonly isBadBlob = (digest: Digest): boolean => this.#badBlobs.has(digest);

  async run(): Promise<void> {
    const { store, snapshots } = this.#engine;
    const records = damagedRecords(store.paths);
    for (const record of records) this.#record(record);
    const problems = await snapshots.problems();
    for (const { snapshot } of problems) if ('id' in snapshot) this.#badSnapshots.add(snapshot.id);
    const { sealed, active } = await snapshots.list();
    this.#sealed = sealed;
    for (const parent of active.values()) if (parent !== undefined) this.#named.add(parent);
    const blobs = store.blobs.list();
    if (this.#readData) for (const digest of blobs) await this.#checkBlob(digest);
    const isDamaged = (of: DamagedRecord['of'], subject: string): boolean =>
      records.some((record) => record.of === of && record.subject === subject);
    const images = isDamaged('images', 'images.json')
      ? salvageImages(readFileSync(store.paths.images, 'utf8'))
      : store.images.list();
    this.#checkNames(images);
    for (const image of images) await this.#checkImage(image);
    const containers = store.containers.listReadable();
    for (const container of containers) await this.#checkContainer(container);
    const steps = await this.#checkSteps();
    for (const [id, parent] of sealed) {
      if (parent !== undefined && !sealed.has(parent)) {
        this.#missingSnapshot(parent, `it is missing, and the snapshot ${id} stands on it`);
      }
    }
    for (const { snapshot, what } of problems) await this.#snapshotProblem(snapshot, what);
    this.counts = {
      images: images.length,
      containers: containers.length,
      blobs: blobs.length,
      layers: this.#layers.size,
      snapshots: sealed.size,
      steps,
    };
  }

  #found(kind: Damage['kind'], subject: string, problem: string, cure?: Finding['cure']): void {
    this.findings.push({ kind, subject, problem, ...(cure === undefined ? {} : { cure }) });
  }

  #record(record: DamagedRecord): void {
    this.findings.push(recordFinding(record));
  }

  #snapshot(id: string, problem: string, cure?: Finding['cure']): void {
    if (this.#read.has(`told ${id}`)) return;
    this.#read.add(`told ${id}`);
    this.#badSnapshots.add(id);
    this.#found('snapshot', id, problem, cure);
  }

  #missingSnapshot(id: SnapshotId, problem: string): void {
    const layer = this.unpacked.get(id);
    this.#snapshot(id, problem, layer === undefined ? undefined : { cure: 'unpack-again', id, layer });
  }

  async #snapshotProblem(snapshot: { key: string } | { id: SnapshotId }, what: 'record' | 'link'): Promise<void> {
    if ('key' in snapshot) {
      const { key } = snapshot;
      // Of a container it is told there, and its files are not touched.
      if (!this.#engine.store.isContainer(key))
        this.#found('snapshot', key, 'its record is cut off', { cure: 'remove-active', key });
      return;
    }
    const { id } = snapshot;
    if (what === 'link') {
      this.#snapshot(id, 'the link it is mounted by is missing', { cure: 'relink', id });
      return;
    }
    const layer = this.unpacked.get(id);
    const lost = 'its record is missing or cut off';
    if (layer !== undefined) {
      this.#snapshot(id, lost, { cure: 'restore', id, layer });
      return;
    }
    const isNamed = this.#named.has(id) || [...this.#sealed.values()].includes(id);
    this.#snapshot(id, lost, isNamed ? undefined : { cure: 'remove-sealed', id });
  }

  #blob(digest: Digest, problem: string): void {
    if (this.#badBlobs.has(digest)) return;
    this.#badBlobs.add(digest);
    this.#found('blob', digest, problem, { cure: 'delete-blob', digest });
  }

  /** Whether a snapshot and all it stands on are there and no damage is known. */
  async #isSound(snapshot: string): Promise<boolean> {
    // Somebody else may have made it since.
    if (!this.#sealed.has(snapshot as SnapshotId)) this.#sealed = (await this.#engine.snapshots.list()).sealed;
    for (let at: SnapshotId | undefined = snapshot as SnapshotId; at !== undefined; at = this.#sealed.get(at)) {
      if (this.#badSnapshots.has(at) || !this.#sealed.has(at)) return this.#isOfOtherDriver(at);
    }
    return true;
  }

  /** A store may have been used with two drivers; what is with the other one is there, though it is not looked at. */
  #isOfOtherDriver(id: string): boolean {
    const other = this.#engine.snapshots.driver === 'vfs' ? 'overlay' : 'vfs';
    return existsSync(join(this.#engine.store.paths.rootfs, other, 'snapshots', id, 'record.json'));
  }

  async #checkBlob(digest: Digest): Promise<void> {
    this.#engine.signal?.throwIfAborted();
    const actual = await digestOfBytes(await this.#engine.store.blobs.open({ digest })).catch(reasonOf);
    if (actual !== digest) this.#blob(digest, actual.startsWith('sha256:') ? `its content is ${actual}` : actual);
  }

  #checkNames(images: readonly ImageRecord[]): void {
    const owners = new Map<string, string>();
    for (const { id, names } of images) {
      for (const name of names) {
        const other = owners.get(name);
        if (other !== undefined) {
          this.#found('name', name, `it is the name of ${other} and of ${id}`, { cure: 'drop-name', name });
        }
        owners.set(name, id);
        if (!isFullName(name)) this.#found('name', name, 'it is no full name of an image', { cure: 'drop-name', name });
      }
    }
  }

  async #checkImage(image: ImageRecord): Promise<void> {
    const found = await this.#problemOf(image.manifest, isIndex(image.manifest.mediaType) ? undefined : image.id);
    const problem = found ?? this.#missingBlob(image.predicates ?? []);
    if (problem === undefined) return;
    const { text, isLost } = typeof problem === 'string' ? { text: problem, isLost: false } : problem;
    const isUseless = isLost || image.names.length === 0;
    this.#found(
      'image',
      image.names[0] ?? image.id,
      text,
      isUseless ? { cure: 'drop-image', id: image.id } : undefined,
    );
  }

  /** What is wrong with a manifest, or index, and all below it; entries of an index that were never fetched are fine. */
  async #problemOf(d: Descriptor, id: string | undefined): Promise<string | Lost | undefined> {
    const raw = this.#document(d.digest, d.size);
    if (typeof raw === 'string') return { text: `its manifest ${d.digest} ${raw}`, isLost: true };
    try {
      const parsed = parseManifest(raw, d.mediaType);
      if (parsed.kind === 'index') {
        for (const entry of parsed.value.manifests) {
          if (!this.#engine.store.blobs.has(entry.digest)) continue;
          const problem = await this.#problemOf(entry, undefined);
          if (problem !== undefined) return typeof problem === 'string' ? problem : problem.text;
        }
        return undefined;
      }
      const { config, layers } = parsed.value;
      // Artifacts have configs of their own kind, and layers that are no file systems.
      if (!isImageConfig(config.mediaType)) return this.#missingBlob([config, ...layers]);
      if (id !== undefined && config.digest !== `sha256:${id}`) {
        return { text: `its config is ${config.digest}`, isLost: true };
      }
      const rawConfig = this.#document(config.digest, config.size);
      if (typeof rawConfig === 'string') return { text: `its config ${config.digest} ${rawConfig}`, isLost: true };
      return await this.#layersProblem(layers, parseImageConfig(rawConfig).rootfs.diff_ids);
    } catch (error) {
      this.#engine.signal?.throwIfAborted();
      return { text: `its manifest ${d.digest} cannot be read: ${reasonOf(error)}`, isLost: true };
    }
  }

  #missingBlob(blobs: readonly Descriptor[]): string | undefined {
    const missing = blobs.find(({ digest }) => !this.#engine.store.blobs.has(digest) || this.#badBlobs.has(digest));
    return missing === undefined ? undefined : `its blob ${missing.digest} is missing or damaged`;
  }

  /** A small blob, or what is wrong with it. */
  #document(digest: Digest, size: number): Buffer | string {
    const { blobs } = this.#engine.store;
    const actual = blobs.sizeOf(digest);
    if (actual === undefined) return 'is missing';
    try {
      if (actual === size) return blobs.read(digest);
    } catch {
      // Other content.
    }
    this.#blob(digest, actual === size ? 'it has other content' : `it has ${actual} bytes instead of ${size}`);
    return 'is damaged';
  }

  async #layersProblem(layers: readonly Descriptor[], diffIds: readonly DiffId[]): Promise<string | Lost | undefined> {
    if (diffIds.length !== layers.length) {
      return { text: `it lists ${layers.length} layers, and its config ${diffIds.length}`, isLost: true };
    }
    let chain: ChainId | undefined;
    let parent: SnapshotId | undefined;
    let problem: string | undefined;
    for (const [i, diffId] of diffIds.entries()) {
      chain = chainIdOf(chain, diffId);
      const id = this.#engine.store.layers.snapshotOf(chain)?.id as SnapshotId | undefined;
      const known: UnpackedLayer = { diffId, layer: layers[i]!, parent };
      if (id !== undefined && (i === 0 || parent !== undefined)) this.unpacked.set(id, known);
      problem ??= await this.#layerProblem(layers[i]!, diffId, id);
      parent = id;
    }
    return problem;
  }

  async #layerProblem(
    layer: Descriptor,
    diffId: DiffId,
    unpacked: SnapshotId | undefined,
  ): Promise<string | undefined> {
    const { store } = this.#engine;
    this.#layers.add(diffId);
    const size = store.blobs.sizeOf(layer.digest);
    if (size !== undefined && size !== layer.size) {
      this.#blob(layer.digest, `it has ${size} bytes instead of ${layer.size}`);
    }
    let source: string | undefined;
    try {
      source = store.layers.get(diffId).snapshot;
      if (this.#readData) await this.#readLayer({ diffId, layer });
    } catch (error) {
      // Told as a record.
      if (!isBuilderError(error, 'store.damaged')) throw error;
      return undefined;
    }
    for (const id of [unpacked, source]) if (id !== undefined) this.#named.add(id);
    const isUnpacked = unpacked !== undefined && (await this.#isSound(unpacked));
    if (this.#readData && isUnpacked) await this.#readSnapshot(unpacked, { diffId, layer });
    const isSource = source !== undefined && (await this.#isSound(source));
    if (this.#readData && isSource) await this.#readSnapshot(source!, { diffId, layer });
    if (soundBlobs(this.#engine, { diffId, layer }, this.isBadBlob).length > 0) return undefined;
    if (isSource && !this.#badSnapshots.has(source!)) return undefined;
    // A foreign layer may be nowhere; one that was unpacked here is enough to run, not to push.
    if (isUnpacked && layer.urls !== undefined) return undefined;
    if (isUnpacked && (await contentDigest(this.#engine, { id: unpacked })) === diffId) {
      const text = `what is known of it does not say that it is unpacked as ${unpacked}`;
      this.#found('record', diffId, text, { cure: 'learn-again', diffId });
      return undefined;
    }
    const state = size === undefined ? 'missing' : 'damaged';
    return `its layer ${layer.digest} is ${state}${isUnpacked ? ', though it is unpacked' : ''}`;
  }

  /** Every form of a layer has to give the same tar. */
  async #readLayer(known: KnownLayer): Promise<void> {
    if (this.#read.has(known.diffId)) return;
    this.#read.add(known.diffId);
    for (const blob of soundBlobs(this.#engine, known, this.isBadBlob)) {
      const problem = await digestOfBytes(await tarOfBlob(this.#engine, blob, known.diffId)).then(
        () => undefined,
        reasonOf,
      );
      this.#engine.signal?.throwIfAborted();
      if (problem !== undefined) this.#blob(blob, problem);
    }
  }

  /** Compares the files of a snapshot with the layer they are said to be. */
  async #readSnapshot(snapshot: string, known: KnownLayer): Promise<void> {
    if (this.#read.has(snapshot) || !this.#sealed.has(snapshot as SnapshotId)) return;
    this.#read.add(snapshot);
    const { store, snapshots, signal } = this.#engine;
    const id = snapshot as SnapshotId;
    const actual = await contentDigest(this.#engine, { id }).catch(reasonOf);
    signal?.throwIfAborted();
    if (actual === known.diffId) return;
    const isSource = store.layers.get(known.diffId).snapshot === id;
    const [blob] = soundBlobs(this.#engine, known, this.isBadBlob);
    if (!isSource) {
      // The tar of somebody else cannot be written again from the tree; unpacked once more it gives the same tree.
      if (blob === undefined) return;
      const parent = await snapshots.parentOf({ id });
      if (parent !== undefined && !(await this.#isSound(parent))) return;
      const wanted = await unpackedAside(this.#engine, parent, blob, known.diffId, (key) =>
        contentDigest(this.#engine, { key }),
      );
      if (actual === wanted) return;
    }
    const problem = `its files are not those of the layer ${known.diffId}`;
    this.#snapshot(id, problem, { cure: 'unpack-again', id, layer: known });
  }

  async #checkContainer(container: WorkingContainer): Promise<void> {
    const { base, baseSnapshot, id, name } = container;
    const { snapshots, store } = this.#engine;
    if (baseSnapshot !== undefined) this.#named.add(baseSnapshot);
    if (!(await snapshots.has({ key: id }))) {
      // One that is being committed or removed has lost nothing.
      using lock = store.containers.tryLock(id);
      const isGone = lock === undefined || store.containers.get(id) === undefined || (await snapshots.has({ key: id }));
      if (!isGone) this.#found('container', name, 'its files are missing');
    }
    if (baseSnapshot !== undefined && !(await this.#isSound(baseSnapshot))) {
      const isThere = this.#sealed.has(baseSnapshot as SnapshotId) || this.#badSnapshots.has(baseSnapshot);
      if (!isThere) this.#missingSnapshot(baseSnapshot as SnapshotId, `it is missing, and ${name} stands on it`);
      this.#found('container', name, `the snapshot ${baseSnapshot} it stands on is missing or damaged`);
    }
    if (base === undefined) return;
    const raw = this.#document(base.manifest.digest, base.manifest.size);
    if (typeof raw === 'string')
      this.#found('container', name, `the manifest ${base.manifest.digest} of its image ${raw}`);
  }

  async #checkSteps(): Promise<number> {
    let count = 0;
    for (const { key, record } of this.#engine.store.steps.list()) {
      count += 1;
      const { snapshot, layer } = record.result;
      if (snapshot === undefined) continue;
      this.#named.add(snapshot);
      if (this.#readData && layer !== undefined && (await this.#isSound(snapshot))) {
        await this.#readSnapshot(snapshot, { diffId: layer.diffId });
      }
      if (await this.#isSound(snapshot)) continue;
      const problem = `its snapshot ${snapshot} is missing or damaged`;
      this.#found('step', key, problem, { cure: 'forget-step', key });
    }
    return count;
  }
}

function recordFinding({ of, subject, path }: DamagedRecord): Finding {
  const problem = 'its record is cut off or no JSON';
  switch (of) {
    case 'images':
      return { kind: 'record', subject, problem: 'the table of images is cut off', cure: { cure: 'salvage', path } };
    case 'container':
      return { kind: 'container', subject, problem, cure: { cure: 'recover', id: subject } };
    case 'step':
      return { kind: 'step', subject: `sha256:${subject}`, problem, cure: { cure: 'remove-file', path } };
    case 'layer': {
      const diffId = `sha256:${subject}` as DiffId;
      return { kind: 'record', subject: diffId, problem, cure: { cure: 'learn-again', diffId } };
    }
    case 'download':
      return { kind: 'record', subject, problem: 'it is cut off or no JSON', cure: { cure: 'remove-file', path } };
  }
}

/** Something without which the rest of an image cannot be found. */
interface Lost {
  readonly text: string;
  readonly isLost: true;
}

export function isFullName(name: string): boolean {
  try {
    const reference = parseReference(name);
    return reference.registry !== undefined && formatReference(reference) === name;
  } catch {
    return false;
  }
}

const reasonOf = (error: unknown): string =>
  isBuilderError(error) || error instanceof Error ? error.message : String(error);

async function digestOfBytes(bytes: Bytes): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of bytes) hash.update(chunk);
  return digestFromHex(hash.digest('hex'));
}
