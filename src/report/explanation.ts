/** Why the steps of a build were, or would be, run again: what is shown, and what JSON gives. */

/** One reason. `text` says it in words; the rest is for programs. */
export interface Cause {
  readonly kind: /** No run of this step is remembered, or not any more. */
    | 'first'
    | 'forgotten'
    /** What was remembered may not be used. */
    | 'off'
    | 'expired'
    | 'lost'
    /** The same step failed in the build before. */
    | 'failed-before'
    /** What lies below is not what it was. */
    | 'base'
    | 'above'
    /** An input of the key: a word of the instruction, a variable, a flag, a file. */
    | 'input'
    | 'file';
  readonly text: string;
  /** The input, or the file's path. */
  readonly name?: string;
  readonly before?: string;
  readonly after?: string;
}

export interface StepExplanation {
  /** `STAGE.NUMBER` as in events: stages counted from 0, steps from 1, FROM being the first. */
  readonly step: string;
  /** The line of the Dockerfile. */
  readonly text: string;
  /** `miss` and `unknown` are answers of a build that was not run. */
  readonly outcome: 'hit' | 'ran' | 'failed' | 'miss' | 'unknown';
  /** Of a hit: when the step really ran, ms since the epoch. */
  readonly savedAt?: number;
  /** Why it was run, the most telling first; empty for a hit. */
  readonly causes: readonly Cause[];
}

export interface StageExplanation {
  readonly index: number;
  /** Its name in the Dockerfile, or its number. */
  readonly name: string;
  /** Its FROM line. */
  readonly from: string;
  readonly steps: readonly StepExplanation[];
}

export interface BuildExplanation {
  /** Of the Dockerfile; `-` for standard input. */
  readonly file: string;
  readonly context: string;
  /** `linux/amd64` */
  readonly platform: string;
  /** ms since the epoch */
  readonly at: number;
  /** Nothing was run. */
  readonly isDryRun: boolean;
  readonly stages: readonly StageExplanation[];
}
