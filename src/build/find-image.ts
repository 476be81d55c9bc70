/** Getting the images a build reads, by name. */
import type { Engine } from '../container/engine.ts';
import { type LocalImage, loadImage } from '../container/local-image.ts';
import { pullImage } from '../container/pull.ts';
import type { PullOptions } from '../container/verb-options.ts';

/** Gets an image by name. `name` is the full one; '' for an image found by id. */
export type FindImage = (
  engine: Engine,
  reference: string,
  o: PullOptions,
) => Promise<{ readonly image: LocalImage; readonly name: string }>;

/** From the store where the policy allows it, else pulled into it. */
export async function pulledImage(engine: Engine, reference: string, o: PullOptions): ReturnType<FindImage> {
  const { record, name } = await pullImage(engine, reference, o);
  return { image: loadImage(engine, record), name };
}
