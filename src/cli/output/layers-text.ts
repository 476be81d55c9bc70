/** The layers of an image for people: a table, the largest files of each layer, and what takes room for nothing. */
import type { ImageInsight, LayerInsight } from '../../index.ts';
import { humanSize } from './human.ts';
import { printable } from './source-frame.ts';
import { alignRows } from './table.ts';
import { fitWidth } from './text-width.ts';

const HEADINGS = ['LAYER', 'SIZE', 'ENTRIES', 'ADDED', 'CHANGED', 'REMOVED', 'WASTED', 'CREATED BY'];
/** Files listed below each layer. */
const FILES = 3;

/** @param width lines are cut there; undefined leaves them whole, for files and pipes */
export function layersText(insight: ImageInsight, width: number | undefined): string {
  const { layers, contentBytes, wastedBytes, efficiency, wasted } = insight;
  const count = `${layers.length} ${layers.length === 1 ? 'layer' : 'layers'}`;
  const percent = `${(Math.floor(efficiency * 1000) / 10).toFixed(1)} %`;
  const total = `${count}, ${humanSize(contentBytes)} of files, ${humanSize(wastedBytes)} wasted, efficiency ${percent}\n`;
  const parts = [
    layers.length === 0 ? '' : alignRows([HEADINGS, ...layers.map(rowOf)]),
    section('Largest files', layers.flatMap(fileRows)),
    section(
      'Wasted: in the image, and hidden by a later layer',
      wasted.map(({ layer, bytes, path, how, hiddenBy }) => [
        `${layer}`,
        humanSize(bytes),
        `/${printable(path)}, ${how} in layer ${hiddenBy}`,
      ]),
    ),
    total,
  ];
  const lines = parts.filter((part) => part !== '').join('\n');
  return width === undefined ? lines : lines.replace(/[^\n]+/g, (line) => fitWidth(line, width));
}

function rowOf(layer: LayerInsight): string[] {
  return [
    `${layer.index}`,
    humanSize(layer.contentBytes),
    ...[layer.entries, layer.added, layer.changed, layer.removed].map(String),
    humanSize(layer.wastedBytes),
    printable(layer.createdBy ?? '')
      .replace(/\s+/g, ' ')
      .trim(),
  ];
}

function fileRows({ index, largest }: LayerInsight): string[][] {
  return largest.slice(0, FILES).map(({ path, bytes }) => [`${index}`, humanSize(bytes), `/${printable(path)}`]);
}

function section(title: string, rows: readonly (readonly string[])[]): string {
  return rows.length === 0 ? '' : `${title}\n${alignRows(rows)}`;
}
