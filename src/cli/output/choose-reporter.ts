/** The choice among the displays. */
import { JsonReporter } from './json-reporter.ts';
import { PlainReporter } from './plain-reporter.ts';
import type { Reporter, ReporterOptions } from './reporter.ts';
import { TtyReporter } from './tty-reporter.ts';

/**
 * @param mode the value of `--progress`. A terminal that cannot move its cursor, or none at all, gets the plain display
 *   in the place of the live one. The plain display ends with figures where it was asked for by name or is watched:
 *   stderr of a script stays as Buildah's.
 */
export function makeReporter(mode: string, o: ReporterOptions): Reporter {
  const chosen = o.quiet ? 'quiet' : mode === 'auto' ? automaticMode(o) : mode;
  switch (chosen) {
    case 'json':
      return new JsonReporter(o);
    case 'tty':
      if (canRedraw(o)) return new TtyReporter(o);
      return new PlainReporter({ ...o, hasSummary: true });
    case 'quiet':
      return new PlainReporter({ ...o, quiet: true });
    default:
      return new PlainReporter({ ...o, hasSummary: mode === 'plain' || o.stderr.isTty });
  }
}

/** The live display only where a person watches both streams; scripts that read stdout get Buildah's lines. */
function automaticMode(o: ReporterOptions): 'tty' | 'plain' {
  const isWatched = o.stdout.isTty && (o.env['CI'] ?? '') === '' && canRedraw(o);
  return isWatched ? 'tty' : 'plain';
}

function canRedraw({ stderr, env }: ReporterOptions): boolean {
  return stderr.isTty && env['TERM'] !== 'dumb';
}
