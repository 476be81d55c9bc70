/** What a remembered build step left behind. */
import type { ChainId, DiffId } from '../spec/digest.ts';
import type { HistoryEntry } from '../spec/image-config.ts';

export interface StepResult {
  /** The layer the step added; undefined when it added none. */
  readonly layer: { readonly diffId: DiffId /** bytes of the tar */; readonly size: number } | undefined;
  /** Snapshot and ChainID after the step; undefined while there is no layer at all. */
  readonly snapshot: string | undefined;
  readonly chain: ChainId | undefined;
  /** The history entry of the step, with the time it really ran. */
  readonly history: HistoryEntry;
}
