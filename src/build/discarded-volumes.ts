/** Which volumes of a RUN are to be as they were when it is over. Pure. */
import { volumeTarget } from '../container/run-volume.ts';
import type { RunDefaults } from '../container/working-container.ts';
import type { RunStep } from '../dockerfile/step.ts';
import { BuilderError } from '../report/builder-error.ts';
import { cleanPath, isAtOrBelow } from '../spec/path-pattern.ts';

/** Every process has these file systems of its own, whatever the image holds there. */
const KERNEL = ['/dev', '/proc', '/sys'];

/**
 * The volumes declared before the step, without those that a mount hides: what is written there reaches no layer anyway.
 * @throws `usage.invalid` for the root directory
 */
export function discardedVolumes(step: RunStep, defaults: RunDefaults): readonly string[] {
  if (step.volumes.includes('/')) {
    throw new BuilderError('usage.invalid', 'VOLUME / leaves nothing that a RUN could change', {
      span: step.span,
      hint: 'leave --compat-volumes out, or name the directories that are to stay as they are',
    });
  }
  const mounted = [
    ...KERNEL,
    ...step.mounts.flatMap(({ target }) => target ?? []),
    ...(defaults.volumes ?? []).map(volumeTarget),
  ].map(cleanPath);
  return step.volumes.filter((path) => !mounted.some((target) => isAtOrBelow(path, target)));
}
