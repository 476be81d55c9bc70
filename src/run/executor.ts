/**
 * Running a process in a root filesystem. The three isolations are three implementations of `Executor`; one suite runs
 * against each (`test/support/executor-suite.ts`).
 */
import type { ExitStatus, Isolation, ProcessSpec } from '../spec/process-spec.ts';
import type { Cancellable } from '../spec/target.ts';

/** Where the process's streams go. `inherit` hands our own descriptor over (needed for terminals). */
export interface ProcessIo {
  readonly stdin: 'inherit' | 'ignore' | AsyncIterable<Uint8Array>;
  readonly stdout: 'inherit' | ((chunk: Uint8Array) => void);
  readonly stderr: 'inherit' | ((chunk: Uint8Array) => void);
}

export interface Executor {
  readonly isolation: Isolation;
  /** Path of the OCI runtime, or undefined for chroot. */
  readonly runtime: string | undefined;
  /**
   * Runs `process` with `root` as its root directory and waits for it; everything it started is dead when this returns.
   * Mount points made for the run are removed again and their parents' times restored, so the tree differs afterwards
   * only by what the process did. An abort ends the process (TERM, KILL after 2 s) and throws `sys.cancelled`.
   * @throws `run.start-failed` when the process could not be started (command missing, bad cwd, …)
   */
  run(root: string, process: ProcessSpec, io: ProcessIo, o?: Cancellable): Promise<ExitStatus>;
}
