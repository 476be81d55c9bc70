/** Telling what takes time. */
import type { Emit } from '../report/event.ts';
import type { PhaseName } from '../report/step-phase.ts';

/**
 * Does the work and tells how long it took, also when it fails; what took less than a millisecond is not worth a word.
 * @param step id of the step it belongs to; undefined for what belongs to the whole build
 */
export async function inPhase<T>(
  emit: Emit,
  phase: PhaseName,
  step: string | undefined,
  work: () => Promise<T>,
): Promise<T> {
  const startedAt = Date.now();
  try {
    return await work();
  } finally {
    const at = Date.now();
    if (at > startedAt) emit({ type: 'phase', phase, ...(step === undefined ? {} : { step }), startedAt, at });
  }
}
