/** The reports of a build: as a page or as JSON, by the ending of the file's name. */
import type { Engine } from '../container/engine.ts';
import { layerInsight } from '../container/layer-insight.ts';
import { loadImage } from '../container/local-image.ts';
import type { BuildOptions, BuildResult, BuiltImage } from '../container/verb-options.ts';
import type { BuildRecording } from '../insight/build-recording.ts';
import {
  type BuildReport,
  type ReportError,
  type ReportFacts,
  type ReportImage,
  reportOf,
} from '../insight/build-report.ts';
import { reportPage } from '../insight/page/report-page.ts';
import { BuilderError, isBuilderError } from '../report/builder-error.ts';
import { formatPlatform } from '../spec/platform.ts';
import { VERSION } from '../spec/version.ts';
import { outputFile, putFile } from './output-file.ts';

export interface ReportFile {
  /** Absolute. */
  readonly path: string;
  readonly kind: 'html' | 'json';
}

/** @throws `usage.invalid` for another ending, and where nothing can be written */
export function reportFile(path: string, cwd: string): ReportFile {
  const kind = /\.html?$/i.test(path) ? 'html' : /\.json$/i.test(path) ? 'json' : undefined;
  if (kind === undefined) {
    throw new BuilderError('usage.invalid', `--report ${JSON.stringify(path)} ends neither with .html nor with .json`);
  }
  return { path: outputFile(path, cwd, '--report'), kind };
}

export function writeReports(files: readonly ReportFile[], report: BuildReport): void {
  for (const { path, kind } of files) {
    putFile(path, kind === 'html' ? reportPage(report) : `${JSON.stringify(report, undefined, 1)}\n`);
  }
}

/** @param end what came of the build: its result, or what was thrown */
export async function makeReport(
  engine: Engine,
  o: BuildOptions,
  recording: BuildRecording,
  end: { readonly result: BuildResult } | { readonly error: unknown },
): Promise<BuildReport> {
  const images: ReportImage[] = [];
  if ('result' in end) for (const image of end.result.images) images.push(await reportImage(engine, image));
  const facts: ReportFacts = {
    program: `slipway ${VERSION}`,
    title: o.tags?.[0] ?? o.context ?? '.',
    outcome: 'result' in end ? 'built' : engine.signal?.aborted === true ? 'canceled' : 'failed',
    ...('error' in end ? { error: errorFacts(end.error) } : {}),
    images,
  };
  return reportOf(recording, facts);
}

function errorFacts(error: unknown): ReportError {
  if (!isBuilderError(error)) return { message: error instanceof Error ? error.message : String(error) };
  const { code, message, hint, span } = error;
  return { code, message, ...(hint === undefined ? {} : { hint }), ...(span === undefined ? {} : { span }) };
}

/** An image that only went elsewhere has no record here, but its blobs are. */
async function reportImage(engine: Engine, { id, manifest, platform }: BuiltImage): Promise<ReportImage> {
  const known = engine.store.images.list().find((record) => record.id === id);
  const image = loadImage(engine, known ?? { id, names: [], manifest, created: '' });
  return {
    id,
    digest: manifest.digest,
    names: image.record.names,
    platform: formatPlatform(platform),
    sizeBytes: image.layers.reduce((sum, { size }) => sum + size, 0),
    ...(image.config.created === undefined ? {} : { created: image.config.created }),
    config: image.config.config ?? {},
    insight: await layerInsight(engine, image),
  };
}
