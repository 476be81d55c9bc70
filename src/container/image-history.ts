/** `history` of an image in the store, or of one that a transport names. */
import { type HistoryStep, historySteps } from '../image/image-history.ts';
import type { DescribeOptions } from '../image/place/describe-image.ts';
import { placeHistory } from '../image/place/place-history.ts';
import type { DiffId } from '../spec/digest.ts';
import { parseImageName } from '../spec/image-name.ts';
import type { Engine } from './engine.ts';
import { loadImage, requireImage } from './local-image.ts';

/**
 * Newest first.
 * @param name of an image in the store, or with a transport (`docker://…`) of one elsewhere, which is not pulled
 * @throws `image.not-known`, `image.ambiguous`, `manifest.invalid` for a stored list of images, the place's errors
 */
export async function imageHistory(
  engine: Engine,
  name: string,
  o: DescribeOptions = {},
): Promise<readonly HistoryStep[]> {
  if (parseImageName(name).transport !== undefined) return placeHistory(name, { signal: engine.signal, ...o });
  const { record, config, layers } = loadImage(engine, requireImage(engine, name));
  const sizeOf = (diffId: DiffId): number | undefined => engine.store.layers.get(diffId).size;
  return historySteps({ id: record.id, names: record.names, config, layers, sizeOf });
}
