/** Source texts on the page: the whole Dockerfile with what became of its lines, and frames around a place. */
import type { SourceFile } from '../../report/source-file.ts';
import type { BuildReport, ReportPlace, ReportStep } from '../build-report.ts';
import { type Html, html } from './html.ts';
import { anchorOf, lookOf, timeText } from './units.ts';

/** Lines around a place that is pointed at. */
const AROUND = 2;
/** Longer frames are cut. */
const MOST_LINES = 12;

/** The lines of a place, what is meant marked. */
export function sourceFrame(sources: readonly SourceFile[], place: ReportPlace): Html {
  const { name, text } = sources[place.source]!;
  const lines = linesOf(text);
  const first = Math.max(1, place.start.line - AROUND);
  const last = Math.min(lines.length, place.end.line + AROUND, first + MOST_LINES - 1);
  const rows = Array.from({ length: last - first + 1 }, (_, i) => {
    const number = first + i;
    return html`<tr><th scope="row">${number}</th><td>${markedLine(lines[number - 1]!, number, place)}</td></tr>`;
  });
  const caption = `${name}:${place.start.line}:${place.start.column}`;
  return html`<div class="scroll" tabindex="0"><table class="source frame"><caption>${caption}</caption>${rows}</table></div>`;
}

function markedLine(line: string, number: number, { start, end }: ReportPlace): Html {
  if (number < start.line || number > end.line) return html`${line}`;
  const from = number === start.line ? start.column - 1 : line.length - line.trimStart().length;
  const to = number === end.line ? end.column - 1 : line.length;
  if (to <= from) return html`${line}`;
  return html`${line.slice(0, from)}<mark>${line.slice(from, to)}</mark>${line.slice(to)}`;
}

/** Every source with its lines, and beside the first line of each step what became of it. */
export function annotatedSources(report: BuildReport): Html {
  return html`${report.sources.map((source, index) => {
    const steps = stepsByLine(report.steps, index);
    const rows = linesOf(source.text).map((line, i) => {
      const notes = (steps.get(i + 1) ?? []).map(noteOf);
      return html`<tr><th scope="row">${i + 1}</th><td class="notes">${notes}</td><td class="code">${line}</td></tr>`;
    });
    return html`<div class="scroll" tabindex="0"><table class="source"><caption>${source.name}</caption>
<thead class="hidden"><tr><th scope="col">Line</th><th scope="col">What became of it</th><th scope="col">Text</th></tr></thead>
<tbody>${rows}</tbody></table></div>`;
  })}`;
}

function stepsByLine(steps: readonly ReportStep[], source: number): Map<number, ReportStep[]> {
  const found = new Map<number, ReportStep[]>();
  for (const step of steps) {
    if (step.place?.source !== source) continue;
    const { line } = step.place.start;
    found.set(line, [...(found.get(line) ?? []), step]);
  }
  return found;
}

function noteOf(step: ReportStep): Html {
  const { sign, word, className } = lookOf(step);
  const time = step.startMs === undefined ? '' : ` ${timeText(step.durationMs)}`;
  return html`<a class="outcome ${className}" href="#${anchorOf(step)}">${sign} ${word}${time}</a> `;
}

function linesOf(text: string): string[] {
  const lines = text.split(/\r?\n/);
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines;
}
