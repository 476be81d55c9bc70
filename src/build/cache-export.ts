/**
 * `--cache-to`: what the steps of a build came to, as images that tell of them. Layers go the way all images go:
 * compressed once, mounted or left out where they are already.
 */
import type { Engine } from '../container/engine.ts';
import { isStored } from '../container/layer-bytes.ts';
import { sendImage } from '../container/push.ts';
import { registryAccess } from '../container/short-names.ts';
import type { BuildOptions } from '../container/verb-options.ts';
import { writeImage } from '../container/write-image.ts';
import { openTransport } from '../image/transport/open-transport.ts';
import { isBuilderError } from '../report/builder-error.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { type DiffId, hexOf } from '../spec/digest.ts';
import { MEDIA } from '../spec/media-type.ts';
import { hostPlatform } from '../spec/platform.ts';
import { BUNDLE_MEMBER, type TravellingStep, writeBundle } from './cache-bundle.ts';
import { type CacheDestination, placeName } from './cache-place.ts';

/** Steps to send: those of the image alone, and those of all stages. */
export interface ExportedSteps {
  readonly min: readonly TravellingStep[];
  readonly max: readonly TravellingStep[];
}

/** @throws the errors of sending, unless the destination ignores them; then they are warnings */
export async function exportCache(
  engine: Engine,
  options: BuildOptions,
  destinations: readonly CacheDestination[],
  steps: ExportedSteps,
): Promise<void> {
  // Caches are checked by their keys; signatures are for images.
  const { signBy: _key, signBySigstorePrivateKey: _file, ...o } = options;
  for (const { place, mode, ignoresErrors } of destinations) {
    try {
      if (place.type === 'repository') await sendSteps(engine, o, place.name, steps[mode]);
      if (place.type === 'image') {
        const image = await imageOf(engine, steps[mode]);
        await sendImage(engine, image, `${place.transport === 'docker' ? 'docker://' : 'oci:'}${place.name}`, o);
      }
    } catch (error) {
      engine.signal?.throwIfAborted();
      if (!ignoresErrors || !isBuilderError(error)) throw error;
      const text = `the cache could not be sent to ${placeName(place)}: ${error.message}`;
      engine.emit({ type: 'warning', code: 'cache.export', text });
    }
  }
}

/** Each step an image of its own, named by its key; what is there stays. */
async function sendSteps(
  engine: Engine,
  o: BuildOptions,
  name: string,
  steps: readonly TravellingStep[],
): Promise<void> {
  const { tlsVerify, certDir, authfile, creds, retries, retryDelayMs } = o;
  await using place = await openTransport('docker', name, 'write', {
    registry: { tlsVerify, certDir, authfile, creds, retries, retryDelayMs, env: engine.env, emit: engine.emit },
    registriesConf: registryAccess(engine),
    signal: engine.signal,
  });
  for (const step of steps) {
    const tag = hexOf(step.key);
    try {
      await place.resolve(tag, { signal: engine.signal });
      continue;
    } catch (error) {
      if (!isBuilderError(error) || error.facts['status'] !== 404) throw error;
    }
    engine.emit({ type: 'step-line', step: 'commit', text: `--> Pushing cache [${name}]:${tag}` });
    await sendImage(engine, await imageOf(engine, [step]), `docker://${name}:${tag}`, o);
  }
}

/** Two blocks of zeros: what stands for nothing where an image must have a layer. */
const EMPTY_TAR = Buffer.alloc(1024);

/** An image with the layers of these steps, written to the store without a name. */
async function imageOf(engine: Engine, steps: readonly TravellingStep[]): Promise<Descriptor> {
  const layers = new Map<DiffId, Descriptor>();
  const told: TravellingStep[] = [];
  for (const step of steps) {
    const { layer } = step;
    // A layer that was never fetched from another cache is nothing this one could pass on.
    if (layer !== undefined && !(await isStored(engine, layer.diffId))) continue;
    told.push(step);
    if (layer === undefined || layers.has(layer.diffId)) continue;
    layers.set(layer.diffId, { mediaType: MEDIA.ociLayer, digest: layer.diffId, size: layer.size });
  }
  if (layers.size === 0) {
    const digest = engine.store.blobs.put(EMPTY_TAR);
    layers.set(digest as DiffId, { mediaType: MEDIA.ociLayer, digest, size: EMPTY_TAR.length });
  }
  const { os, architecture } = hostPlatform();
  const diffIds = [...layers.keys()];
  const { manifest } = writeImage(engine, {
    format: 'oci',
    layers: [...layers.values()],
    config: {
      created:
        steps
          .map(({ created }) => created)
          .sort()
          .at(-1) ?? '1970-01-01T00:00:00Z',
      architecture,
      os,
      rootfs: { type: 'layers', diff_ids: diffIds },
      [BUNDLE_MEMBER]: writeBundle(told, diffIds),
    },
    annotations: {},
  });
  return manifest;
}
