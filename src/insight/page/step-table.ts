/** The table of steps: time, outcome, why it missed, what it printed. */
import type { BuildReport, ReportStep } from '../build-report.ts';
import { type Html, html } from './html.ts';
import { anchorOf, cutText, lookOf, timeText } from './units.ts';

const NAME_ROOM = 160;

export function stepTable(report: BuildReport): Html {
  const longest = Math.max(1, ...report.steps.map(({ durationMs }) => durationMs));
  return html`<div class="scroll" tabindex="0"><table class="sortable" id="steps"><caption class="hidden">Steps</caption>
<thead><tr><th scope="col" data-sort="number">Place</th><th scope="col" data-sort="text">Step</th><th scope="col"
 data-sort="text">Outcome</th><th scope="col" data-sort="number" class="right">Time</th><th scope="col"><span
 class="hidden">Share</span></th></tr></thead>
<tbody>${report.steps.map((step, i) => rowOf(step, i, longest))}</tbody></table></div>`;
}

function rowOf(step: ReportStep, index: number, longest: number): Html {
  const { sign, word, className } = lookOf(step);
  const mark = step.isCritical ? html` <span class="tag">critical path</span>` : undefined;
  return html`<tr id="${anchorOf(step)}"><td data-value="${index}">${step.stageName} ${step.number}/${step.of}</td>
<td class="wide">${nameOf(step)}</td><td><span class="outcome ${className}">${sign} ${word}</span>${mark}</td>
<td class="right" data-value="${step.durationMs}">${step.startMs === undefined ? '–' : timeText(step.durationMs)}</td>
<td>${bar(step.durationMs / longest)}</td></tr>
`;
}

/** An attribute, as the policy of the page lets no style in. */
function bar(part: number): Html {
  const width = Math.round(part * 96);
  return html`<svg class="bar" width="96" height="8" aria-hidden="true"><rect width="${width}" height="8" rx="2"/></svg>`;
}

function nameOf(step: ReportStep): Html {
  const name = html`<code>${cutText(step.name, NAME_ROOM)}</code>`;
  const details = detailsOf(step);
  return details === undefined ? name : html`<details><summary>${name}</summary>${details}</details>`;
}

function detailsOf(step: ReportStep): Html | undefined {
  const { phases, missed, key, output, name } = step;
  const isCut = cutText(name, NAME_ROOM) !== name.trim();
  const parts = [
    isCut && html`<pre>${name}</pre>`,
    missed !== undefined && html`<p>Not cached: ${missed}.</p>`,
    phases.length > 0 &&
      html`<p>${phases.map(({ phase, durationMs }) => `${phase} ${timeText(durationMs)}`).join(', ')}</p>`,
    output.text !== '' && outputOf(step),
    key !== undefined && html`<p class="faint">key <code>${key}</code></p>`,
  ].filter((part) => part !== false);
  return parts.length === 0 ? undefined : html`${parts}`;
}

function outputOf({ output: { text, skippedBytes } }: ReportStep): Html {
  const skipped = skippedBytes > 0 && html`<p class="faint">${skippedBytes} bytes before are left out.</p>`;
  return html`${skipped}<pre class="output" tabindex="0">${text}</pre>`;
}
