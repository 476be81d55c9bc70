/** A build that is watched: where its time went, a trace, reports; also when it fails or is stopped. */
import type { Engine } from '../container/engine.ts';
import type { BuildOptions, BuildResult } from '../container/verb-options.ts';
import { BuildRecorder } from '../insight/build-recorder.ts';
import type { BuildRecording } from '../insight/build-recording.ts';
import { measureBuild } from '../insight/measure-build.ts';
import { traceOf } from '../insight/trace-events.ts';
import type { BuildEvent, Emit } from '../report/event.ts';
import { VERSION } from '../spec/version.ts';
import { build } from './build.ts';
import { makeReport, reportFile, writeReports } from './build-reports.ts';
import { outputFile, putFile } from './output-file.ts';

type End = { readonly result: BuildResult } | { readonly error: unknown };

/**
 * Builds, and tells of it as `timings`, `trace` and `reports` of the options ask for.
 * @throws as `build`; `usage.invalid` before anything is built when a file cannot be written
 */
export async function watchedBuild(engine: Engine, o: BuildOptions): Promise<BuildResult> {
  if (o.timings !== true && o.trace === undefined && o.reports === undefined) return await build(engine, o);
  const trace = o.trace === undefined ? undefined : outputFile(o.trace, engine.cwd, '--trace');
  const reports = (o.reports ?? []).map((path) => reportFile(path, engine.cwd));
  const recorder = new BuildRecorder(Date.now);
  let last: BuildEvent | undefined;
  const emit: Emit = (event) => {
    recorder.emit(event);
    // The end of a build that succeeds stays the last that is told of it.
    if (event.type === 'build-finished') last = event;
    else engine.emit(event);
  };
  const tell = async (end: End): Promise<void> => {
    const recording = recorder.recording();
    if (o.timings === true) engine.emit({ type: 'timings', timings: measureBuild(recording) });
    if (trace !== undefined) putFile(trace, traceText(recording, o));
    if (reports.length > 0) writeReports(reports, await makeReport(engine, o, recording, end));
  };
  let result: BuildResult;
  try {
    result = await build({ ...engine, emit }, o);
  } catch (error) {
    await tell({ error }).catch((second: unknown) => warn(engine, second));
    throw error;
  }
  await tell({ result });
  if (last !== undefined) engine.emit(last);
  return result;
}

/** What went wrong first is what has to be told as the error. */
function warn(engine: Engine, error: unknown): void {
  const text = error instanceof Error ? error.message : String(error);
  engine.emit({ type: 'warning', text: `cannot tell of the failed build: ${text}` });
}

function traceText(recording: BuildRecording, o: BuildOptions): string {
  const { platform } = recording;
  const facts = { program: `slipway ${VERSION}`, ...(platform === undefined ? {} : { platform }) };
  return `${JSON.stringify(traceOf(recording, { name: `build ${o.tags?.[0] ?? o.context ?? '.'}`, facts }))}\n`;
}
