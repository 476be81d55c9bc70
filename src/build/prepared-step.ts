/** Between looking a step up and doing it. */
import type { StepInput } from '../store/step-table.ts';

/** A step whose inputs are known. */
export interface PreparedStep {
  readonly inputs: readonly StepInput[];
  /** Does the work in the mounted root; `id` names the step in events. Gives the text for history. */
  act(rootPath: string, id: string): Promise<string>;
}
