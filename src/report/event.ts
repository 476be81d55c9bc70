/** What happens, as data. Displays, logs, JSON and tests are readers of this stream. */
import type { BuildTimings } from './build-timings.ts';
import type { Diagnostic } from './diagnostic.ts';
import type { BuildExplanation } from './explanation.ts';
import type { ResourceUsage } from './resource-usage.ts';
import type { Span } from './source-file.ts';
import type { PhaseName, StepOutcome } from './step-phase.ts';

/** A stage that will be built. Its steps have the ids `STAGE.NUMBER`, counted from 1, FROM being the first. */
export interface PlannedStage {
  /** As in the ids of its steps. */
  readonly id: string;
  /** Its name in the Dockerfile, or its number. */
  readonly name: string;
  readonly steps: number;
}

/** A step that will be built, and those it waits for. */
export interface PlannedStep {
  /** `STAGE.NUMBER` */
  readonly id: string;
  /** Id of its stage. */
  readonly stage: string;
  /** The instruction with its variables filled in. */
  readonly name: string;
  /** Ids of steps that must be done first. */
  readonly needs: readonly string[];
  /** A FROM line: it is neither started nor finished, and done when something that needs it begins. */
  readonly isBase: boolean;
  readonly span?: Span;
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
  /** Before any step of a graph: all of its steps, in the order of the file. */
  | { readonly type: 'steps-planned'; readonly steps: readonly PlannedStep[] }
  /** What a build or one of its steps did for a while. Told when it is over, also when it failed. */
  | {
      readonly type: 'phase';
      readonly phase: PhaseName;
      /** Absent for what belongs to the whole build. The last step of a stage may still be sealed after it finished. */
      readonly step?: string;
      readonly startedAt: number;
      readonly at: number;
    }
  /**
   * A shell where a RUN failed has the terminal until it is closed. Other steps may go on meanwhile.
   * `text`, with `opened`: what failed and where this is.
   */
  | {
      readonly type: 'debug-shell';
      readonly step: string;
      readonly state: 'opened' | 'closed';
      readonly text?: string;
    }
  /** Where the time went. Once, last of all, when it was asked for; also after a failure. */
  | { readonly type: 'timings'; readonly timings: BuildTimings }
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
      readonly outcome: StepOutcome;
      readonly at: number;
      /** Digest of everything the step read; only steps that are remembered have one. */
      readonly key?: string;
      /** Why a step that is remembered was run all the same: the first reason of several. */
      readonly missed?: string;
      /** When it was asked for: what the whole program used meanwhile, with all it started. */
      readonly usage?: ResourceUsage;
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
  /** Why the steps of a build were run, when it was asked for; also after a failure. One for each platform. */
  | { readonly type: 'explained'; readonly explanation: BuildExplanation }
  | { readonly type: 'diagnostic'; readonly diagnostic: Diagnostic };

export type Emit = (event: BuildEvent) => void;

export const silent: Emit = () => {};
