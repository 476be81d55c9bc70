/** Columns lined up the way Go's tabwriter does it in Buildah: three spaces apart, the last cell of a line unpadded. */
import { displayWidth } from './text-width.ts';

const GAP = 3;

/** @param rows cells of each line; a column ends where a line has no further cell */
export function alignRows(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.slice(0, -1).forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, displayWidth(cell));
    });
  }
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => (i === row.length - 1 ? cell : cell + ' '.repeat(widths[i]! + GAP - displayWidth(cell))))
      .join('');
  return rows.map((row) => `${line(row)}\n`).join('');
}

/** Texts whose cells are separated by tabs, each possibly of several lines. */
export function alignTabs(texts: readonly string[]): string {
  return alignRows(texts.flatMap((text) => text.split('\n')).map((line) => line.split('\t')));
}
