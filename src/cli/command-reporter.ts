/** The display of one command, as its flags ask for it. */
import type { CommandContext } from './command.ts';
import { makeReporter } from './output/choose-reporter.ts';
import type { Output } from './output/output.ts';
import type { Reporter } from './output/reporter.ts';
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

/** @param o.output replaces both streams: a log file */
export function reporterFor(
  c: CommandContext,
  o: { mode: string; quiet?: boolean; hidesIds?: boolean; output?: Output },
): Reporter {
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
