/** Between looking a step up and doing it. */
import type { ContentSummary } from '../dockerfile/step.ts';
import type { SnapshotId } from '../rootfs/snapshotter.ts';
import type { StepInput } from '../store/step-table.ts';
import type { StepReads } from './step-inputs.ts';

/** What a step stands on. */
export interface Below {
  /** ChainID of the layers; undefined for none. */
  readonly chain: string | undefined;
  /** Where they are unpacked. */
  snapshot(): Promise<SnapshotId | undefined>;
}

/** A step whose inputs can be found. */
export interface PreparedStep {
  /**
   * Inputs that are known without opening what the step reads, where other steps or checksums decide it: as long as they
   * are equal, so is what `reads` gives. undefined where that saves nothing.
   */
  readonly quick: readonly StepInput[] | undefined;
  reads(): Promise<StepReads>;
  /** It may read more than that; see `KeyedStep`. */
  readonly isOnce?: boolean;
  /** Does the work in the mounted root; `id` names the step in events. Gives what was copied, as history names it. */
  act(rootPath: string, id: string): Promise<ContentSummary | undefined>;
}
