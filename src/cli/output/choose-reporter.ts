/** The choice among the displays. */
import { JsonReporter } from './json-reporter.ts';
import { PlainReporter } from './plain-reporter.ts';
import type { Reporter, ReporterOptions } from './reporter.ts';
import { TtyReporter } from './tty-reporter.ts';

/** @param mode the value of `--progress` */
export function makeReporter(mode: string, o: ReporterOptions): Reporter {
  switch (o.quiet ? 'quiet' : mode === 'auto' ? automaticMode(o) : mode) {
    case 'json':
      return new JsonReporter(o);
    case 'tty':
      return new TtyReporter(o);
    case 'quiet':
      return new PlainReporter({ ...o, quiet: true });
    default:
      return new PlainReporter(o);
  }
}

/** The live display only where a person watches both streams; scripts that read stdout get Buildah's lines. */
function automaticMode(o: ReporterOptions): 'tty' | 'plain' {
  const { CI, TERM } = o.env;
  const isWatched = o.stdout.isTty && o.stderr.isTty && (CI ?? '') === '' && TERM !== 'dumb';
  return isWatched ? 'tty' : 'plain';
}
