/**
 * A report as one HTML page that stands alone: style and script are in it, its policy lets nothing else in, and nothing
 * is fetched. Readable without script.
 */
import { createHash } from 'node:crypto';
import type { BuildReport, ReportWarning } from '../build-report.ts';
import { graphDrawing } from './graph-drawing.ts';
import { Html, html } from './html.ts';
import { imageSection } from './image-section.ts';
import { PAGE_SCRIPT } from './page-script.ts';
import { PAGE_STYLE } from './page-style.ts';
import { annotatedSources, sourceFrame } from './source-lines.ts';
import { stepTable } from './step-table.ts';
import { bytesText, lookOf, percentText, timeText } from './units.ts';

export function reportPage(report: BuildReport): string {
  const { title, outcome } = report;
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy()}">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<title>${title}: ${outcome}</title><style>${new Html(PAGE_STYLE)}</style></head>
<body><header><h1>${title} <span class="outcome ${headLook(report).className}">${headLook(report).sign} ${outcome}</span></h1>
<ul class="summary">${summary(report).map((fact) => html`<li>${fact}</li>`)}</ul></header>
<main>${problemsOf(report)}
<section><h2>Graph</h2>${graphSection(report)}</section>
<section><h2>Steps</h2>${stepTable(report)}</section>
${report.images.map(imageSection)}
${report.sources.length > 0 && html`<section><h2>Dockerfile</h2>${annotatedSources(report)}</section>`}</main>
<footer><p class="faint">${report.program}, ${report.startedAt}</p></footer>
<script>${new Html(PAGE_SCRIPT)}</script></body></html>
`;
  return page.text;
}

function headLook({ outcome }: BuildReport): ReturnType<typeof lookOf> {
  return outcome === 'built' ? { ...lookOf({ outcome: 'cached' }), sign: '✔' } : lookOf({ outcome });
}

function graphSection(report: BuildReport): Html {
  if (report.steps.length === 0) return html`<p>The build ended before its steps were known.</p>`;
  return html`<p class="faint">A lane for each stage, time downwards; thick lines are the critical path
 (${timeText(report.timings.criticalPathMs)}): making other steps quicker makes the build no quicker.</p>
<div class="scroll" tabindex="0" role="region" aria-label="Graph">${graphDrawing(report)}</div>`;
}

/** Only this style and this script. @see Content Security Policy 3, "Hash source" */
function policy(): string {
  const hash = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
  return `default-src 'none'; style-src ${hash(PAGE_STYLE)}; script-src ${hash(PAGE_SCRIPT)}; base-uri 'none'; form-action 'none'`;
}

function summary(report: BuildReport): string[] {
  const { steps, timings, platform, images, warnings } = report;
  const cached = steps.filter(({ outcome }) => outcome === 'cached').length;
  return [
    timeText(timings.totalMs),
    counted(steps.length, 'step'),
    ...(cached > 0 ? [`${cached} cached`] : []),
    ...(timings.overlap >= 1.05 ? [`${timings.overlap.toFixed(1)} steps at once`] : []),
    ...(platform === undefined ? [] : [platform]),
    ...images.map(({ sizeBytes, insight }) => `${bytesText(sizeBytes)}, ${percentText(insight.efficiency)} efficient`),
    ...(warnings.length > 0 ? [counted(warnings.length, 'warning')] : []),
    ...timings.phases.map(({ phase, durationMs }) => `${phase} ${timeText(durationMs)}`),
  ];
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function problemsOf(report: BuildReport): Html | undefined {
  const { error, warnings } = report;
  const all: ReportWarning[] = [...warnings];
  if (error !== undefined) {
    const { message, hint, ...rest } = error;
    all.unshift({ severity: 'error', text: message, ...rest, ...(hint === undefined ? {} : { help: hint }) });
  }
  if (all.length === 0) return undefined;
  return html`<section><h2>${error === undefined ? 'Warnings' : 'What went wrong'}</h2>${all.map((problem) => problemOf(problem, report))}</section>`;
}

function problemOf({ severity, text, code, help, place }: ReportWarning, report: BuildReport): Html {
  return html`<div class="problem ${severity}"><p><strong>${severity}${code !== undefined && html` <code>${code}</code>`}</strong>: ${text}</p>
${place !== undefined && sourceFrame(report.sources, place)}${help !== undefined && html`<p>${help}</p>`}</div>`;
}
