/** The graph of a build as SVG: colour, and always a sign and a word beside it. Nodes are links to their rows. */
import type { BuildReport, ReportStep } from '../build-report.ts';
import { layoutGraph, NODE, type PlacedEdge } from '../graph-layout.ts';
import { type Html, html } from './html.ts';
import { anchorOf, cutText, lookOf, timeText } from './units.ts';

/** Characters of the page's fixed font that a node has room for. */
const NAME_ROOM = 24;
const LANE_ROOM = 24;

export function graphDrawing(report: BuildReport): Html {
  const steps = new Map(report.steps.map((step) => [step.id, step]));
  const names = new Map(report.stages.map(({ id, name }) => [id, name]));
  const layout = layoutGraph(report.steps.map(({ id, stage, needs }) => ({ id, lane: stage, needs })));
  const isCritical = (id: string): boolean => steps.get(id)?.isCritical === true;
  const critical = ({ from, to }: PlacedEdge): boolean => isCritical(from) && isCritical(to);
  return html`<svg class="graph" width="${layout.width}" height="${layout.height}"
 viewBox="0 0 ${layout.width} ${layout.height}" role="group" aria-label="Steps and what they wait for">
${layout.lanes.map(({ id, x }) => html`<text class="lane" x="${x}" y="16">${cutText(names.get(id) ?? id, LANE_ROOM)}</text>`)}
${layout.edges.map((edge) => {
  const { points } = edge;
  const corners = points.map(({ x, y }) => `${x},${y}`).join(' ');
  const end = points.at(-1)!;
  return html`<g class="edge${critical(edge) ? ' critical' : ''}"><polyline points="${corners}"/><circle cx="${end.x}"
 cy="${end.y}" r="3"/></g>`;
})}
${layout.nodes.map(({ id, x, y }) => nodeOf(steps.get(id)!, x, y))}
</svg>`;
}

function nodeOf(step: ReportStep, x: number, y: number): Html {
  const { sign, word, className } = lookOf(step);
  const time = step.startMs === undefined ? '' : ` · ${timeText(step.durationMs)}`;
  const mark = step.isCritical ? ' · critical' : '';
  return html`<a class="node ${className}${step.isCritical ? ' critical' : ''}" href="#${anchorOf(step)}">
<title>${step.name}</title><rect x="${x}" y="${y}" width="${NODE.width}" height="${NODE.height}" rx="6"/>
<text x="${x + 8}" y="${y + 18}">${cutText(step.name, NAME_ROOM)}</text>
<text class="figures" x="${x + 8}" y="${y + 35}">${sign} ${word}${time}${mark}</text></a>
`;
}
