/** Where the time of a build went. All times are in milliseconds of a wall clock. */
import type { PhaseName, StepOutcome } from './step-phase.ts';

export interface PhaseTiming {
  readonly phase: PhaseName;
  readonly durationMs: number;
}

export interface StepTiming {
  readonly id: string;
  readonly stage: string;
  /** Name of the stage. */
  readonly stageName: string;
  /** 1-based place in the stage, and how many there are. */
  readonly number: number;
  readonly of: number;
  readonly name: string;
  /** undefined: it never began. */
  readonly outcome: StepOutcome | undefined;
  readonly durationMs: number;
  /** On the chain of steps that decides how long the build takes, however many run side by side. */
  readonly isCritical: boolean;
  /** One for each name, most time first. */
  readonly phases: readonly PhaseTiming[];
}

export interface BuildTimings {
  readonly totalMs: number;
  /** In the order of the file. */
  readonly steps: readonly StepTiming[];
  /** What belongs to no step: getting base images, committing, pushing, exporting. Most time first. */
  readonly phases: readonly PhaseTiming[];
  /** Sum over the steps of the critical path. */
  readonly criticalPathMs: number;
  /** Steps that ran at once, on average while any ran: 1 when they ran one after the other; 0 when none did. */
  readonly overlap: number;
}
