/** What the instructions of a stage have come to so far. */
import type { ImageConfig } from '../spec/image-config.ts';
import type { BuildArgs } from './build-args.ts';
import type { Stage, StagePlan } from './stages.ts';

/** A stage's ARG with what it came to; undefined for a bare one nothing gives a value. */
export interface StageArg {
  readonly name: string;
  readonly value: string | undefined;
}

/** Everything later instructions depend on. A value: keep it, hand it to stages built FROM this one, compare it. */
export interface StageState {
  readonly plan: StagePlan;
  readonly stage: Stage;
  readonly buildArgs: BuildArgs;
  /** The image config as edited so far; history and diff IDs are the executor's. */
  readonly config: ImageConfig;
  /** What `$name` sees and RUN gets: ENV and ARG in one, the later of a name winning. */
  readonly env: ReadonlyMap<string, string>;
  /** Declared in this stage or the one it is based on, each name once, in order of first declaration. */
  readonly args: readonly StageArg[];
  /** This stage had a CMD, so ENTRYPOINT leaves it alone. */
  readonly hasCmd: boolean;
  /** A WORKDIR stood in this file, in this stage or one below it. */
  readonly hasWorkdir: boolean;
}
