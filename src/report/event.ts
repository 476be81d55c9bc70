/** What happens, as data. Displays, logs, JSON and tests are readers of this stream. */
import type { Diagnostic } from './diagnostic.ts';

/** A stage that will be built. Its steps have the ids `STAGE.NUMBER`, counted from 1, FROM being the first. */
export interface PlannedStage {
  /** As in the ids of its steps. */
  readonly id: string;
  /** Its name in the Dockerfile, or its number. */
  readonly name: string;
  readonly steps: number;
}

export type BuildEvent =
  /** Before any step of a build: its stages, in the order in which a log tells of them. */
  | {
      readonly type: 'build-started';
      readonly at: number;
      /** `linux/arm64` */
      readonly platform: string;
      readonly stages: readonly PlannedStage[];
    }
  /** After the last event of a stage that was planned. */
  | {
      readonly type: 'stage-finished';
      readonly stage: string;
      readonly outcome: 'built' | 'failed' | 'canceled';
      readonly at: number;
    }
  /** The image is written and named. Not sent for a build that fails. */
  | {
      readonly type: 'build-finished';
      readonly at: number;
      /** 64 hex digits; absent when files were exported and no image was made. */
      readonly id?: string;
      readonly names: readonly string[];
      /** Bytes of all layers, as they are stored. */
      readonly sizeBytes?: number;
    }
  | { readonly type: 'step-started'; readonly step: string; readonly name: string; readonly at: number }
  /** A line Buildah prints on standard output while it works: `STEP 1/3: …`, `--> 0123456789ab`, `COMMIT name`. */
  | { readonly type: 'step-line'; readonly step: string; readonly text: string }
  | {
      readonly type: 'step-output';
      readonly step: string;
      readonly stream: 'stdout' | 'stderr';
      readonly data: Uint8Array;
    }
  | {
      readonly type: 'step-finished';
      readonly step: string;
      readonly outcome: 'ran' | 'cached' | 'failed' | 'canceled';
      readonly at: number;
    }
  | {
      readonly type: 'transfer';
      /** Stable for one blob in one transfer. */
      readonly id: string;
      /** `Copying blob sha256:…`, `Copying config sha256:…`, `Writing manifest to image destination` … */
      readonly label: string;
      readonly state: 'started' | 'progress' | 'done' | 'skipped' | 'mounted';
      readonly current?: number;
      readonly total?: number;
      /** The stage that waits for it. */
      readonly stage?: string;
    }
  /** A sentence for the person, neither result nor error. */
  | { readonly type: 'note'; readonly text: string; readonly stage?: string }
  | { readonly type: 'warning'; readonly text: string; readonly code?: string; readonly stage?: string }
  | { readonly type: 'diagnostic'; readonly diagnostic: Diagnostic };

export type Emit = (event: BuildEvent) => void;

export const silent: Emit = () => {};
