/** What a cached build step left behind. */
import type { Descriptor } from '../spec/descriptor.ts';
import type { HistoryEntry, ImageConfig } from '../spec/image-config.ts';

export interface StepResult {
  /** Layers after the step, bottom first. */
  readonly layers: readonly Descriptor[];
  /** Config after the step, history included. */
  readonly config: ImageConfig;
  /** Snapshot after the step; undefined for no layers. */
  readonly snapshot: string | undefined;
  /** The entry this step added. */
  readonly history: HistoryEntry;
  /** 64 hex digits: id of the image the step stands for. */
  readonly imageId: string;
}
