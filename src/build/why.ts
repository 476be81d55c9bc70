/** `why`: the explanation of the last build, as it was kept. */
import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Engine } from '../container/engine.ts';
import { isRemoteContext } from '../container/remote-context.ts';
import type { WhyOptions } from '../container/verb-options.ts';
import { BuilderError } from '../report/builder-error.ts';
import type { BuildExplanation } from '../report/explanation.ts';
import { explanationOf, traceTable } from './build-trace.ts';

/** @throws `build.not-known` when no build of that context and Dockerfile is remembered */
export function why(engine: Engine, o: WhyOptions): BuildExplanation {
  const context =
    o.context !== undefined && isRemoteContext(o.context) ? o.context : real(resolve(engine.cwd, o.context ?? '.'));
  const file = o.file === undefined || o.file === '-' ? o.file : real(resolve(engine.cwd, o.file));
  const found = traceTable(engine)
    .list()
    .filter((trace) => real(trace.context) === context && (file === undefined || real(trace.file) === file))
    .sort((a, b) => b.at - a.at)[0];
  if (found !== undefined) return explanationOf(found);
  const what = file === undefined ? context : `${file} with the context ${context}`;
  throw new BuilderError('build.not-known', `no build of ${what} is remembered`, {
    hint: 'builds are remembered with --layers; name the context with --context and the Dockerfile with -f',
  });
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
