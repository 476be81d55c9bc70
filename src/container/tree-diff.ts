/**
 * `diff`: files that differ between two images or containers, between a container and its image, or between an image and
 * the layers below its topmost one. By the rules of layers: a name is listed if a layer that leads from one tree to the
 * other would have it, so types, modes, owners, attributes, times and contents count.
 */
import { type ByteString, bytesOf } from '../rootfs/copy-walk.ts';
import { type LayerChange, LayerChanges } from '../rootfs/layer-change.ts';
import { stepsOf } from '../rootfs/layer-writer.ts';
import type { ChangeSource, MountedRootfs, SnapshotId } from '../rootfs/snapshotter.ts';
import { CleanupStack } from '../sys/dispose.ts';
import { type FileStat, S_IFDIR, S_IFMT, S_IFREG } from '../sys/libc.ts';
import { findContainer } from './container-store.ts';
import type { Engine } from './engine.ts';
import { loadImage, requireImage } from './local-image.ts';
import { openRootfs } from './mount-container.ts';
import { unpack } from './unpack.ts';
import type { WorkingContainer } from './working-container.ts';

export interface TreeChange {
  /** Added, changed, deleted. */
  readonly kind: 'A' | 'C' | 'D';
  /** Absolute in the tree; bytes that are no UTF-8 are shown as replacement characters. */
  readonly path: string;
  /** The bytes of the path in base64, where they are no UTF-8. */
  readonly pathBase64?: string;
  readonly type: 'file' | 'directory' | 'other';
  /** Bytes of a regular file now; 0 for everything else. */
  readonly sizeBytes: number;
  readonly sizeBytesBefore: number;
}

export interface TreeDiffOptions {
  /** Leave out what differs in its time alone. */
  readonly ignoreTimes?: boolean;
}

/**
 * Changes that lead from `before` to `after` (in byte order of their paths, directory by directory); with one name from
 * what it stands on. A deleted directory is one change.
 * @throws `image.not-known`, `manifest.invalid` for a list of images, `blob.not-found`
 */
export async function treeDiff(
  engine: Engine,
  before: string,
  after?: string,
  o: TreeDiffOptions = {},
): Promise<readonly TreeChange[]> {
  await using stack = new CleanupStack();
  const source =
    after === undefined ? await ownChanges(engine, before, stack) : await between(engine, before, after, stack);
  if (source === undefined) return [];
  const found: TreeChange[] = [];
  using changes = new LayerChanges(source, { ignoreMtime: o.ignoreTimes }, new Set());
  for await (const change of stepsOf(changes, { signal: engine.signal })) found.push(treeChange(change));
  return found;
}

type Tree = { readonly container: WorkingContainer } | { readonly snapshot: SnapshotId | undefined };

/** A container by that name wins, as everywhere. @throws `image.not-known` */
async function treeNamed(engine: Engine, name: string): Promise<Tree> {
  const container = findContainer(engine, name);
  if (container !== undefined) return { container };
  const { layers, diffIds } = loadImage(engine, requireImage(engine, name));
  return { snapshot: await unpack(engine, { layers, diffIds }) };
}

async function ownChanges(engine: Engine, name: string, stack: CleanupStack): Promise<ChangeSource | undefined> {
  const container = findContainer(engine, name);
  if (container !== undefined) {
    const base = container.baseSnapshot as SnapshotId | undefined;
    return stack.use(await engine.snapshots.changes({ key: container.id }, base ?? null));
  }
  const { layers, diffIds } = loadImage(engine, requireImage(engine, name));
  const below = await unpack(engine, { layers: layers.slice(0, -1), diffIds: diffIds.slice(0, -1) });
  const whole = await unpack(engine, { layers, diffIds });
  return whole === undefined ? undefined : fromTo(engine, { snapshot: below }, { snapshot: whole }, stack);
}

async function between(
  engine: Engine,
  before: string,
  after: string,
  stack: CleanupStack,
): Promise<ChangeSource | undefined> {
  return fromTo(engine, await treeNamed(engine, before), await treeNamed(engine, after), stack);
}

async function fromTo(
  engine: Engine,
  before: Tree,
  after: Tree,
  stack: CleanupStack,
): Promise<ChangeSource | undefined> {
  if ('snapshot' in before) {
    const ref = 'snapshot' in after ? { id: after.snapshot } : { key: after.container.id };
    if ('id' in ref && ref.id === before.snapshot) return undefined;
    const known = 'id' in ref ? (ref.id === undefined ? undefined : { id: ref.id }) : ref;
    // On top of one another: only what the layers between them name can differ.
    if (known !== undefined && (await standsOn(engine, known, before.snapshot))) {
      return stack.use(await engine.snapshots.changes(known, before.snapshot ?? null));
    }
  }
  const lower = await shown(engine, before, stack);
  return { lower: lower.path, merged: (await shown(engine, after, stack)).path };
}

async function standsOn(
  engine: Engine,
  snapshot: { key: string } | { id: SnapshotId },
  base: SnapshotId | undefined,
): Promise<boolean> {
  for (let at = await engine.snapshots.parentOf(snapshot); ; at = await engine.snapshots.parentOf({ id: at })) {
    if (at === base) return true;
    if (at === undefined) return false;
  }
}

async function shown(engine: Engine, tree: Tree, stack: CleanupStack): Promise<MountedRootfs> {
  return stack.use(
    'container' in tree ? await openRootfs(engine, tree.container) : await engine.snapshots.view(tree.snapshot),
  );
}

function treeChange(change: LayerChange): TreeChange {
  const { before } = change;
  const now = change.kind === 'removed' ? undefined : change.at.stat;
  return {
    kind: now === undefined ? 'D' : before === undefined ? 'A' : 'C',
    ...pathOf(change.path),
    type: typeOf(now ?? before),
    sizeBytes: sizeOf(now),
    sizeBytesBefore: sizeOf(before),
  };
}

function pathOf(name: ByteString): Pick<TreeChange, 'path' | 'pathBase64'> {
  const bytes = bytesOf(`/${name}`);
  const path = bytes.toString('utf8');
  return Buffer.from(path).equals(bytes) ? { path } : { path, pathBase64: bytes.toString('base64') };
}

function typeOf(stat: FileStat | undefined): TreeChange['type'] {
  const type = (stat?.mode ?? 0) & S_IFMT;
  return type === S_IFREG ? 'file' : type === S_IFDIR ? 'directory' : 'other';
}

function sizeOf(stat: FileStat | undefined): number {
  return stat !== undefined && (stat.mode & S_IFMT) === S_IFREG ? stat.size : 0;
}
