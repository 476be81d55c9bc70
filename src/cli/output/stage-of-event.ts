import type { BuildEvent } from '../../index.ts';

/**
 * The stage an event belongs to; undefined for what concerns the whole build. Steps carry it in their id, and lines
 * outside of all stages have ids of their own (`commit`, `warning`).
 */
export function stageOfEvent(event: BuildEvent): string | undefined {
  switch (event.type) {
    case 'step-started':
    case 'step-line':
    case 'step-output':
    case 'step-finished':
      return event.step.replace(/\.\d+$/, '');
    case 'stage-finished':
    case 'transfer':
    case 'note':
    case 'warning':
      return event.stage;
    case 'phase':
      return event.step?.replace(/\.\d+$/, '');
    case 'build-started':
    case 'debug-shell':
    case 'steps-planned':
    case 'timings':
    case 'build-finished':
    case 'explained':
    case 'diagnostic':
      return undefined;
  }
}
