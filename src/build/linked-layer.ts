/**
 * COPY and ADD with `--link`: what is copied goes into an empty root filesystem and becomes a layer of its own, which
 * knows nothing of what lies below. So the layer serves for every base, links of the base are not followed, and
 * directories on the way are the layer's.
 *
 * @see Dockerfile reference, "COPY --link"
 */
import type { Engine } from '../container/engine.ts';
import { layerTar } from '../container/layer-bytes.ts';
import type { LayerTimes, SealedLayer } from '../container/seal-layer.ts';
import type { ContentSummary } from '../dockerfile/step.ts';
import { applyTar } from '../rootfs/apply-tar.ts';
import type { DiffId } from '../spec/digest.ts';
import { NO_LAYERS, StageRoot } from './stage-root.ts';

export interface LinkedLayer extends Required<SealedLayer> {
  readonly layer: NonNullable<SealedLayer['layer']>;
  /** What `act` gave: what was copied. */
  readonly content: ContentSummary | undefined;
}

/** Runs `act` on an empty root filesystem and seals what it leaves as a layer on nothing. */
export async function makeLinkedLayer(
  engine: Engine,
  times: LayerTimes,
  act: (rootPath: string) => Promise<ContentSummary | undefined>,
): Promise<LinkedLayer> {
  await using root = new StageRoot(engine, NO_LAYERS, times);
  const content = await act(await root.writable());
  const layer = await root.seal(true);
  const { snapshot, chain } = root.state;
  return { layer: layer!, snapshot, chain, content };
}

/** Lays a layer over a mounted root filesystem, as unpacking it would. */
export async function layOver(engine: Engine, diffId: DiffId, rootPath: string): Promise<void> {
  const { signal, emit, storage } = engine;
  const { ignoreChownErrors } = storage;
  await applyTar(await layerTar(engine, diffId), rootPath, { signal, emit, ignoreChownErrors });
}
