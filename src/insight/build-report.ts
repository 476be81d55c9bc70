/**
 * All there is to tell of a build, as one plain value: what `--report FILE.json` writes and the page is made from. Only
 * members are added under one `schema` number; readers let pass what they do not know.
 */
import type { BuildTimings, StepTiming } from '../report/build-timings.ts';
import { positionOf, type SourceFile, type Span } from '../report/source-file.ts';
import type { ImageConfig } from '../spec/image-config.ts';
import { type BuildRecording, durationOf } from './build-recording.ts';
import type { ImageInsight } from './image-insight.ts';
import { measureBuild } from './measure-build.ts';
import type { OutputText } from './output-tail.ts';

export const REPORT_SCHEMA = 1;

/** Lines and columns count from 1, columns in UTF-16 units; the end is exclusive. */
export interface ReportPlace {
  /** Index in `sources`. */
  readonly source: number;
  readonly start: { readonly line: number; readonly column: number };
  readonly end: { readonly line: number; readonly column: number };
}

export interface ReportStep extends StepTiming {
  readonly needs: readonly string[];
  readonly place?: ReportPlace;
  /** Milliseconds after the beginning of the build; absent when it never began. */
  readonly startMs?: number;
  /** Digest of what it read. */
  readonly key?: string;
  /** Why nothing remembered fitted. */
  readonly missed?: string;
  readonly output: OutputText;
}

export interface ReportWarning {
  readonly severity: 'error' | 'warning';
  readonly text: string;
  readonly code?: string;
  readonly help?: string;
  readonly place?: ReportPlace;
}

export interface ReportImage {
  /** 64 hex digits. */
  readonly id: string;
  /** Digest of the manifest. */
  readonly digest: string;
  readonly names: readonly string[];
  /** `os/arch[/variant]` */
  readonly platform: string;
  /** As the manifest lists its layers. */
  readonly sizeBytes: number;
  readonly created?: string;
  /** What containers of it start with. */
  readonly config: NonNullable<ImageConfig['config']>;
  readonly insight: ImageInsight;
}

export type ReportOutcome = 'built' | 'failed' | 'canceled';

export interface ReportError {
  readonly code?: string;
  readonly message: string;
  readonly hint?: string;
  readonly span?: Span;
}

export interface BuildReport {
  readonly schema: typeof REPORT_SCHEMA;
  /** `slipway 0.1.0` */
  readonly program: string;
  /** The first name of the image, or its context. */
  readonly title: string;
  /** RFC 3339 */
  readonly startedAt: string;
  readonly outcome: ReportOutcome;
  readonly platform?: string;
  readonly error?: Omit<ReportError, 'span'> & { readonly place?: ReportPlace };
  readonly sources: readonly SourceFile[];
  readonly timings: Omit<BuildTimings, 'steps'>;
  readonly stages: readonly { readonly id: string; readonly name: string }[];
  /** In the order of the file. */
  readonly steps: readonly ReportStep[];
  readonly warnings: readonly ReportWarning[];
  /** One for each platform. */
  readonly images: readonly ReportImage[];
}

export interface ReportFacts {
  readonly program: string;
  readonly title: string;
  readonly outcome: ReportOutcome;
  readonly error?: ReportError;
  readonly images: readonly ReportImage[];
}

export function reportOf(recording: BuildRecording, facts: ReportFacts): BuildReport {
  const { error, ...rest } = facts;
  const sources = new SourceList();
  const { steps: measured, ...timings } = measureBuild(recording);
  const steps = recording.steps.map((step, i): ReportStep => {
    const { needs, span, startedAt, key, missed, output } = step;
    return {
      ...measured[i]!,
      durationMs: durationOf(step, recording),
      needs,
      ...(span === undefined ? {} : { place: sources.placeOf(span) }),
      ...(startedAt === undefined ? {} : { startMs: startedAt - recording.startedAt }),
      ...(key === undefined ? {} : { key }),
      ...(missed === undefined ? {} : { missed }),
      output,
    };
  });
  const warnings = recording.warnings.map(({ text, code, diagnostic }): ReportWarning => {
    const rule = code ?? diagnostic?.code;
    return {
      severity: diagnostic?.severity ?? 'warning',
      text,
      ...(rule === undefined ? {} : { code: rule }),
      ...(diagnostic?.help === undefined ? {} : { help: diagnostic.help }),
      ...(diagnostic === undefined ? {} : { place: sources.placeOf(diagnostic.span) }),
    };
  });
  return {
    schema: REPORT_SCHEMA,
    ...rest,
    startedAt: new Date(recording.startedAt).toISOString(),
    ...(recording.platform === undefined ? {} : { platform: recording.platform }),
    ...(error === undefined ? {} : { error: errorOf(error, sources) }),
    timings,
    stages: recording.stages,
    steps,
    warnings,
    sources: sources.files,
  };
}

function errorOf({ span, ...error }: ReportError, sources: SourceList): NonNullable<BuildReport['error']> {
  return span === undefined ? error : { ...error, place: sources.placeOf(span) };
}

/** Every file that something points into, once. */
class SourceList {
  readonly files: SourceFile[] = [];

  placeOf({ file, start, end }: Span): ReportPlace {
    let source = this.files.findIndex(({ name, text }) => name === file.name && text === file.text);
    if (source === -1) source = this.files.push({ name: file.name, text: file.text }) - 1;
    return { source, start: positionOf(file, start), end: positionOf(file, end) };
  }
}
