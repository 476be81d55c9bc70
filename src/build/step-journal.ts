/** How each step of a build ended, told from its events. */
import type { Emit } from '../report/event.ts';

export class StepJournal {
  readonly #cached = new Set<string>();

  /** The same events, read in passing. */
  tap(emit: Emit): Emit {
    return (event) => {
      if (event.type === 'step-finished' && event.outcome === 'cached') this.#cached.add(event.step);
      emit(event);
    };
  }

  /** @param step `STAGE.NUMBER` */
  isCached(step: string): boolean {
    return this.#cached.has(step);
  }
}
