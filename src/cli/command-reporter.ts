/** The display of one command, as its flags ask for it. */
import type { CommandContext } from './command.ts';
import { errorCode } from './exit-code.ts';
import { makeReporter } from './output/choose-reporter.ts';
import type { Output } from './output/output.ts';
import type { Reporter } from './output/reporter.ts';
import { SplitReporter } from './output/split-reporter.ts';
import { styleFor } from './output/style.ts';
import { logLevelOf } from './run-program.ts';
import { UsageError } from './usage-error.ts';

const MODES = ['auto', 'tty', 'plain', 'json', 'quiet'];

/** The value of `--progress`. @throws UsageError for others */
export function progressMode(c: CommandContext): string {
  const mode = c.flags.string('progress') ?? 'auto';
  if (MODES.includes(mode)) return mode;
  throw new UsageError(`unknown progress mode "${mode}"`, { near: { word: mode, candidates: MODES, prefix: '' } });
}

export interface DisplayOptions {
  /** The value of `--progress`. */
  readonly mode: string;
  readonly quiet?: boolean;
  readonly hidesIds?: boolean;
  /** Replaces both streams: a log file. */
  readonly output?: Output;
  /** Path of that file, when each platform gets one of its own beside it. */
  readonly splitLog?: string;
}

/**
 * Does the work of a command under a display, which is gone before an error is told.
 * @param work ends the display itself before it writes results
 * @returns the exit code
 */
export async function underReporter(
  c: CommandContext,
  o: DisplayOptions,
  work: (reporter: Reporter) => Promise<number>,
): Promise<number> {
  const reporter = reporterFor(c, o);
  try {
    const code = await work(reporter);
    reporter.finish();
    return code;
  } catch (error) {
    reporter.finish({ error, isStopped: c.signal.aborted });
    // A program that reads events was told by the last of them.
    if (o.mode !== 'json' || o.output !== undefined) throw error;
    return errorCode(error);
  }
}

export function reporterFor(c: CommandContext, o: DisplayOptions): Reporter {
  const { splitLog, ...one } = o;
  if (splitLog === undefined) return singleReporter(c, one);
  return new SplitReporter(singleReporter(c, one), splitLog, (output) => singleReporter(c, { ...one, output }));
}

function singleReporter(c: CommandContext, o: DisplayOptions): Reporter {
  const stderr = o.output ?? c.stderr;
  return makeReporter(o.mode, {
    stdout: o.output ?? c.stdout,
    stderr,
    style: styleFor(stderr, c.env, c.flags.string('color')),
    env: c.env,
    now: c.now,
    logLevel: logLevelOf(c.flags),
    hidesIds: o.hidesIds ?? false,
    quiet: o.quiet ?? false,
  });
}
