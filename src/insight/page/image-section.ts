/** What came out: the image, its layers, their largest files, and what takes room for nothing. */
import type { ReportImage } from '../build-report.ts';
import type { LayerInsight } from '../image-insight.ts';
import { type Html, html } from './html.ts';
import { bytesText, cutText, percentText } from './units.ts';

const ORIGIN_ROOM = 120;

export function imageSection(image: ReportImage): Html {
  const { insight } = image;
  return html`<section><h2>Image <span class="faint">${image.platform}</span></h2>
<dl class="facts">${facts(image).map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
<h3>Layers</h3>
<p>${bytesText(insight.contentBytes)} of files, ${bytesText(insight.wastedBytes)} of them wasted: efficiency
 <strong>${percentText(insight.efficiency)}</strong>.</p>
<div class="scroll" tabindex="0"><table class="sortable"><caption class="hidden">Layers</caption><thead><tr>
${[
  ['Layer', 'number'],
  ['Made by', 'text'],
].map(heading)}${['Files', 'Added', 'Changed', 'Removed', 'Wasted'].map((name) => heading([name, 'number'], 'right'))}
</tr></thead><tbody>${insight.layers.map(layerRow)}</tbody></table></div>
${insight.wasted.length > 0 && wastedTable(image)}</section>`;
}

function heading(column: readonly string[], className?: unknown): Html {
  const [name, kind] = column;
  const style = typeof className === 'string' ? html` class="${className}"` : undefined;
  return html`<th scope="col" data-sort="${kind!}"${style}>${name!}</th>`;
}

function facts({ id, digest, names, created, sizeBytes, config }: ReportImage): [string, Html][] {
  const code = (text: string): Html => html`<code>${text}</code>`;
  const list = (words: readonly string[] | undefined): Html | undefined =>
    words === undefined || words.length === 0 ? undefined : code(JSON.stringify(words));
  const found: [string, Html | undefined][] = [
    ['Names', names.length === 0 ? html`none` : html`${names.map((name) => html`${code(name)} `)}`],
    ['Id', code(id)],
    ['Digest', code(digest)],
    ['Size', html`${bytesText(sizeBytes)}`],
    ['Created', created === undefined ? undefined : html`${created}`],
    ['Entry point', list(config.Entrypoint ?? undefined)],
    ['Command', list(config.Cmd ?? undefined)],
    ['User', config.User === undefined || config.User === '' ? undefined : code(config.User)],
    ['Directory', config.WorkingDir === undefined || config.WorkingDir === '' ? undefined : code(config.WorkingDir)],
    ['Ports', list(Object.keys(config.ExposedPorts ?? {}))],
    ['Volumes', list(Object.keys(config.Volumes ?? {}))],
    ['Environment', pre(config.Env ?? [])],
    ['Labels', pre(Object.entries(config.Labels ?? {}).map(([key, value]) => `${key}=${value}`))],
  ];
  return found.filter((fact): fact is [string, Html] => fact[1] !== undefined);
}

function pre(lines: readonly string[]): Html | undefined {
  return lines.length === 0 ? undefined : html`<pre tabindex="0">${lines.join('\n')}</pre>`;
}

function layerRow(layer: LayerInsight): Html {
  const { index, contentBytes, added, changed, removed, wastedBytes, largest } = layer;
  const origin = html`<code>${cutText(layer.createdBy ?? layer.diffId, ORIGIN_ROOM)}</code>`;
  const files = largest.map(({ path, bytes }) => html`<li>${bytesText(bytes)} <code>/${path}</code></li>`);
  const made =
    files.length === 0
      ? origin
      : html`<details><summary>${origin}</summary><p>Largest files</p><ul>${files}</ul></details>`;
  return html`<tr><td data-value="${index}">${index}</td><td class="wide">${made}</td>${sizeCell(contentBytes)}
${[added, changed, removed].map((count) => html`<td class="right" data-value="${count}">${count}</td>`)}${sizeCell(wastedBytes)}</tr>
`;
}

function sizeCell(bytes: number): Html {
  return html`<td class="right" data-value="${bytes}">${bytesText(bytes)}</td>`;
}

function wastedTable({ insight }: ReportImage): Html {
  const rows = insight.wasted.map(
    ({ path, bytes, layer, hiddenBy, how }) =>
      html`<tr><td class="right">${bytesText(bytes)}</td><td class="wide"><code>/${path}</code></td><td>${layer}</td><td>${how} in
 layer ${hiddenBy}</td></tr>`,
  );
  return html`<h3>Wasted</h3><p>These files are in the image, and no container sees them.</p>
<div class="scroll" tabindex="0"><table><caption class="hidden">Wasted files</caption><thead><tr><th scope="col"
 class="right">Size</th><th scope="col">File</th><th scope="col">In layer</th><th scope="col">Hidden</th></tr></thead>
<tbody>${rows}</tbody></table></div>`;
}
