/** `from`: a new working container on an image, or on nothing. */
import type { SnapshotId } from '../rootfs/snapshotter.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { hostPlatform } from '../spec/platform.ts';
import { containerStem, createContainer, newContainerId } from './container-store.ts';
import type { Engine } from './engine.ts';
import { nowNanoseconds } from './image-times.ts';
import { type LocalImage, loadImage } from './local-image.ts';
import { pullImage } from './pull.ts';
import { checkRunDefaults } from './run-defaults.ts';
import { unpack } from './unpack.ts';
import type { FromOptions } from './verb-options.ts';
import type { WorkingContainer } from './working-container.ts';

const SCRATCH = 'scratch';

/**
 * Makes a working container from `image` (any transport, a name, an id, or `scratch`), pulling it as the policy says.
 * @throws `usage.invalid`, `image.not-known`, `container.exists`, the errors of pulling
 */
export async function from(engine: Engine, image: string, o: FromOptions = {}): Promise<WorkingContainer> {
  checkRunDefaults(o.run ?? {});
  if (image === SCRATCH) return fromScratch(engine, o);
  const { record, name } = await pullImage(engine, image, o);
  const local = loadImage(engine, record);
  const snapshot = await unpack(engine, local);
  return withFiles(engine, snapshot, (id) =>
    createContainer(
      engine,
      { id, wanted: o.name, stem: containerStem(name, record.id), suffix: o.suffix },
      (_, containerName) => ({
        ...blankContainer(id, containerName, o),
        base: { name, id: record.id, digest: record.manifest.digest, manifest: record.manifest },
        baseLayers: local.layers,
        baseSnapshot: snapshot,
        baseConfig: local.config,
        config: startingConfig(local),
        annotations: baseAnnotations(local.manifest.annotations ?? {}, name, record.manifest),
      }),
    ),
  );
}

/** The files come before the record, so that whoever is killed in between leaves garbage and no half container. */
async function withFiles(
  engine: Engine,
  base: SnapshotId | undefined,
  create: (id: string) => Promise<WorkingContainer>,
): Promise<WorkingContainer> {
  const id = newContainerId();
  await engine.snapshots.prepare(id, base);
  try {
    return await create(id);
  } catch (error) {
    await engine.snapshots.removeActive(id);
    throw error;
  }
}

/** The image's config as a start for changes: what belongs to that image alone is gone. */
function startingConfig(image: LocalImage): WorkingContainer['config'] {
  const { created: _, history: __, ...rest } = image.config;
  return rest;
}

export function baseAnnotations(
  inherited: Readonly<Record<string, string>>,
  name: string,
  manifest: Descriptor | undefined,
): Readonly<Record<string, string>> {
  return {
    ...inherited,
    'org.opencontainers.image.base.digest': manifest?.digest ?? '',
    'org.opencontainers.image.base.name': name,
  };
}

async function fromScratch(engine: Engine, o: FromOptions): Promise<WorkingContainer> {
  return withFiles(engine, undefined, (id) =>
    createContainer(engine, { id, wanted: o.name, stem: undefined, suffix: o.suffix }, (_, name) =>
      blankContainer(id, name, o),
    ),
  );
}

/** A container of that id and name, on nothing. */
export function blankContainer(id: string, name: string, o: FromOptions): WorkingContainer {
  const platform = o.platform ?? hostPlatform();
  return {
    version: 1,
    id,
    name,
    created: nowNanoseconds(),
    base: undefined,
    baseLayers: [],
    baseSnapshot: undefined,
    baseConfig: undefined,
    config: {
      architecture: platform.architecture,
      ...(platform.variant === undefined ? {} : { variant: platform.variant }),
      os: platform.os,
      config: {},
      rootfs: { type: 'layers', diff_ids: [] },
    },
    annotations: baseAnnotations({}, '', undefined),
    format: o.format ?? 'oci',
    historyBefore: [],
    historyAfter: [],
    createdBy: undefined,
    historyComment: undefined,
    run: o.run ?? {},
    mountPoint: undefined,
  };
}
