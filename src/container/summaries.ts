/** What `images` and `containers` list. */
import type { DiffId } from '../spec/digest.ts';
import type { ImageConfig } from '../spec/image-config.ts';
import { isIndex } from '../spec/media-type.ts';
import type { ImageRecord } from '../store/image-table.ts';
import { listContainers } from './container-store.ts';
import type { Engine } from './engine.ts';
import { loadImage } from './local-image.ts';
import { visibleMount } from './mount-container.ts';
import type { ContainerSummary, ImageSummary } from './verb-options.ts';

/** Oldest first. */
export function summarizeImages(engine: Engine): ImageSummary[] {
  const containers = listContainers(engine);
  return engine.store.images
    .list()
    .map((record) =>
      summarizeImage(
        engine,
        record,
        containers.filter((c) => c.base?.id === record.id).map((c) => c.id),
      ),
    )
    .sort((a, b) => (a.created < b.created ? -1 : a.created > b.created ? 1 : 0));
}

export function summarizeImage(engine: Engine, record: ImageRecord, containers: readonly string[] = []): ImageSummary {
  const index = isIndex(record.manifest.mediaType);
  let config: ImageConfig | undefined;
  let sizeBytes = record.manifest.size;
  if (!index) {
    const image = loadImage(engine, record);
    config = image.config;
    sizeBytes = image.layers.reduce(
      (sum, layer, i) => sum + (engine.store.layers.get(image.diffIds[i] as DiffId).size ?? layer.size),
      image.rawConfig.length + image.rawManifest.length,
    );
  }
  const intermediate = record.names.length === 0 && record.intermediate === true;
  return {
    id: record.id,
    names: record.names,
    digest: record.manifest.digest,
    created: record.created,
    sizeBytes,
    readOnly: record.borrowed !== undefined,
    dangling: record.names.length === 0 && !intermediate,
    intermediate,
    labels: config?.config?.Labels ?? {},
    isIndex: index,
    containers,
  };
}

/** Oldest first. */
export function summarizeContainers(engine: Engine): ContainerSummary[] {
  return listContainers(engine).map((c) => ({
    id: c.id,
    name: c.name,
    imageId: c.base?.id ?? '',
    imageName: c.base === undefined ? 'scratch' : c.base.name,
    builder: true,
    mountPoint: visibleMount(engine, c),
    created: c.created,
  }));
}
