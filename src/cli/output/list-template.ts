/**
 * `--format` of the commands that list: the template runs for each row, its cells are lined up as in a table, and the
 * prefix `table` asks for headings.
 */
import { UsageError } from '../usage-error.ts';
import { compileTemplate } from './go-template.ts';
import { GoStruct, type GoValue, toJson } from './go-value.ts';
import { alignTabs } from './table.ts';

/** Name of a field and its heading. */
export type Fields = readonly (readonly [string, string])[];

/**
 * @param kind what messages call the template, and the type of its rows
 * @throws UsageError for bad templates and unknown fields
 */
export function listTemplate(
  kind: string | { readonly name: string; readonly type: string },
  format: string,
  fields: Fields,
  rows: readonly Readonly<Record<string, GoValue>>[],
): string {
  const isTable = /^table(\s|$)/.test(format);
  const source = separated((isTable ? format.slice('table'.length) : format).trim());
  const { name, type } = typeof kind === 'string' ? { name: kind, type: `${kind}Row` } : kind;
  const template = compileTemplate(name, source);
  const structOf = (values: Readonly<Record<string, GoValue>>): GoStruct =>
    new GoStruct(type, new Map(fields.map(([name]) => [name, values[name]])), jsonOf(fields, values), false);
  const render = (values: Readonly<Record<string, GoValue>>): string =>
    rendered(() => template.render(structOf(values)));
  const lines = rows.map(render);
  // Checked even when there is no row: a wrong field is an error on an empty store as well.
  const headings = render(Object.fromEntries(fields));
  return alignTabs(isTable ? [headings, ...lines] : lines);
}

function jsonOf(fields: Fields, values: Readonly<Record<string, GoValue>>): unknown {
  return Object.fromEntries(fields.map(([name]) => [name, toJson(values[name])]));
}

/** These commands call every mistake of a template one of parsing. */
function rendered(render: () => string): string {
  try {
    return render();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(
      `Template parsing error: ${error.message}`,
      error.near === undefined ? {} : { near: error.near },
    );
  }
}

/** Blanks outside actions separate cells, and `\t` and `\n` are understood as written. */
function separated(source: string): string {
  return source
    .split(/(\{\{.*?\}\})/s)
    .map((part, i) => (i % 2 === 1 ? part : part.replaceAll('\\t', '\t').replaceAll('\\n', '\n').replaceAll(' ', '\t')))
    .join('');
}
