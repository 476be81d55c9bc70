/** A build as it happened: a value made from its events. Times are in ms since the epoch. */
import type { Diagnostic } from '../report/diagnostic.ts';
import type { Span } from '../report/source-file.ts';
import type { PhaseName, StepOutcome } from '../report/step-phase.ts';
import type { OutputText } from './output-tail.ts';

export interface RecordedPhase {
  readonly phase: PhaseName;
  readonly startedAt: number;
  readonly finishedAt: number;
}

export interface RecordedStep {
  /** `STAGE.NUMBER` */
  readonly id: string;
  readonly stage: string;
  readonly name: string;
  readonly needs: readonly string[];
  readonly span: Span | undefined;
  /** undefined: never began. */
  readonly startedAt: number | undefined;
  /** undefined: never ended. */
  readonly finishedAt: number | undefined;
  readonly outcome: StepOutcome | undefined;
  readonly key: string | undefined;
  /** Why the cache had nothing. */
  readonly missed: string | undefined;
  /** By time of their beginning. */
  readonly phases: readonly RecordedPhase[];
  readonly output: OutputText;
}

export interface RecordedTransfer {
  readonly label: string;
  readonly startedAt: number;
  /** undefined: it was under way when the build ended. */
  readonly finishedAt: number | undefined;
  readonly state: 'started' | 'progress' | 'done' | 'skipped' | 'mounted';
  readonly bytes: number | undefined;
}

export interface RecordedWarning {
  readonly at: number;
  readonly text: string;
  readonly code?: string;
  readonly diagnostic?: Diagnostic;
}

export interface BuildRecording {
  readonly startedAt: number;
  readonly finishedAt: number;
  /** `os/arch[/variant]` */
  readonly platform: string | undefined;
  /** In the order of the file. */
  readonly stages: readonly { readonly id: string; readonly name: string }[];
  /** In the order of the file. */
  readonly steps: readonly RecordedStep[];
  /** What belongs to no step. */
  readonly phases: readonly RecordedPhase[];
  readonly transfers: readonly RecordedTransfer[];
  readonly warnings: readonly RecordedWarning[];
}

/** How long a step took; one that never ended took until the build did; 0 for one that never began. */
export function durationOf(step: RecordedStep, recording: Pick<BuildRecording, 'finishedAt'>): number {
  if (step.startedAt === undefined) return 0;
  return Math.max(0, (step.finishedAt ?? recording.finishedAt) - step.startedAt);
}
