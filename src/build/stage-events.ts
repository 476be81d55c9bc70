/** What code that knows no stages tells becomes that of one, for displays that keep stages apart. */
import type { Emit } from '../report/event.ts';

/** @param stage as in the ids of its steps */
export function emitOfStage(emit: Emit, stage: string): Emit {
  return (event) => {
    const isNameless = event.type === 'transfer' || event.type === 'note' || event.type === 'warning';
    emit(isNameless ? { stage, ...event } : event);
  };
}
