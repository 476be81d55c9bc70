/**
 * `--format` of the commands that list: the template runs for each row, its cells are lined up as in a table, and the
 * prefix `table` asks for headings.
 */
import { compileTemplate } from './go-template.ts';
import { GoStruct, type GoValue } from './go-value.ts';
import { alignTabs } from './table.ts';

/** Name of a field and its heading. */
export type Fields = readonly (readonly [string, string])[];

/**
 * @param kind what the rows are, as messages call the template
 * @throws UsageError for bad templates and unknown fields
 */
export function listTemplate(
  kind: string,
  format: string,
  fields: Fields,
  rows: readonly Readonly<Record<string, GoValue>>[],
): string {
  const isTable = /^table(\s|$)/.test(format);
  const source = separated((isTable ? format.slice('table'.length) : format).trim());
  const template = compileTemplate(kind, source);
  const structOf = (values: Readonly<Record<string, GoValue>>): GoStruct =>
    new GoStruct(`${kind}Row`, new Map(fields.map(([name]) => [name, values[name]])), values, false);
  const lines = rows.map((values) => template.render(structOf(values)));
  // Checked even when there is no row: a wrong field is an error on an empty store as well.
  const headings = template.render(structOf(Object.fromEntries(fields)));
  return alignTabs(isTable ? [headings, ...lines] : lines);
}

/** Blanks outside actions separate cells, and `\t` and `\n` are understood as written. */
function separated(source: string): string {
  return source
    .split(/(\{\{.*?\}\})/s)
    .map((part, i) => (i % 2 === 1 ? part : part.replaceAll('\\t', '\t').replaceAll('\\n', '\n').replaceAll(' ', '\t')))
    .join('');
}
