/** A reader of the event stream, and what it is given. */
import type { Emit } from '../../index.ts';
import type { Output } from './output.ts';
import type { Style } from './style.ts';

/** How the work came out: with `error` present, whatever its value, it failed. */
export interface Ending {
  readonly error?: unknown;
  /** It failed because it was stopped: a signal, or nobody reads any more. */
  readonly isStopped?: boolean;
}

export interface Reporter {
  readonly emit: Emit;
  /** Ends displays and restores the terminal; call before results and errors are printed. Idempotent. */
  finish(ending?: Ending): void;
}

export interface ReporterOptions {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly style: Style;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly now: () => number;
  /** `warn` shows notes and warnings; `error` and above only errors. */
  readonly logLevel: string;
  /** `--> id` lines are left out: the id goes to a file. */
  readonly hidesIds: boolean;
  /** No step lines, no transfers, no output of steps on stdout. */
  readonly quiet: boolean;
  /** The plain display ends with a line of figures on stderr. */
  readonly hasSummary?: boolean;
}

/** Lines that name what was just committed, with or without the prefix of a stage. */
const ID_LINE = /(^|\] )--> [0-9a-f]{11,64}$/;

export function isIdLine(text: string): boolean {
  return ID_LINE.test(text);
}
