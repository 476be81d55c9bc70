/** The history of an image that is somewhere else, told without fetching its layers. */
import { hexOf } from '../../spec/digest.ts';
import { hostPlatform } from '../../spec/platform.ts';
import { type HistoryStep, historySteps } from '../image-history.ts';
import { readImage } from '../read-image.ts';
import type { DescribeOptions } from './describe-image.ts';
import { openPlace, parsePlace } from './open-place.ts';

/** Newest first; sizes are those of the layers as they are there. @throws as `describeImage` */
export async function placeHistory(name: string, o: DescribeOptions = {}): Promise<readonly HistoryStep[]> {
  await using from = await openPlace(parsePlace(name), 'read', o);
  const { config, manifest } = await readImage(from, '', o.platform ?? hostPlatform(), o.signal);
  const id = hexOf(manifest.config.digest);
  return historySteps({ id, names: [], config, layers: manifest.layers, sizeOf: () => undefined });
}
