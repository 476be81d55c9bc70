/** `history`: how an image came to be, as a table, JSON, ids or through a template; newest first. */
import type { HistoryStep } from '../../index.ts';
import type { CommandContext } from '../command.ts';
import { goJson } from '../output/go-json.ts';
import { humanAge, humanSize } from '../output/human.ts';
import { listTemplate } from '../output/list-template.ts';
import { alignRows } from '../output/table.ts';
import { visibleLine } from '../output/visible-text.ts';
import { placeOptions } from '../place-options.ts';
import { platformOption } from '../registry-options.ts';
import { UsageError } from '../usage-error.ts';

const SHORT_ID = 12;
const CREATED_BY_WIDTH = 45;
const MISSING = '<missing>';

const FIELDS = [
  ['ID', 'ID'],
  ['Created', 'CREATED'],
  ['CreatedAt', 'CREATED AT'],
  ['CreatedSince', 'CREATED'],
  ['CreatedBy', 'CREATED BY'],
  ['Size', 'SIZE'],
  ['Comment', 'COMMENT'],
  ['Tags', 'TAGS'],
] as const;

export async function history(c: CommandContext): Promise<number> {
  const { flags } = c;
  const format = flags.string('format');
  if (flags.on('quiet') && format !== undefined) throw new UsageError('quiet and format are mutually exclusive');
  await using builder = await c.open();
  const steps = await builder.history(c.args[0]!, { ...(await placeOptions(c)), ...(await platformOption(c)) });
  if (flags.on('json') || format === 'json') c.stdout.write(`${jsonText(steps, c)}\n`);
  else if (flags.on('quiet')) c.stdout.write(steps.map((step) => `${idText(step, c)}\n`).join(''));
  else if (format !== undefined) c.stdout.write(listTemplate('history', format, FIELDS, templateRows(steps, c)));
  else c.stdout.write(table(steps, c));
  return 0;
}

function idText({ id }: HistoryStep, { flags }: CommandContext): string {
  if (id === undefined) return MISSING;
  return flags.on('no-trunc') ? `sha256:${id}` : id.slice(0, SHORT_ID);
}

const comment = (step: HistoryStep): string => visibleLine(step.comment);

/** One line, whatever a RUN with a here-document holds. */
function createdBy({ createdBy: text }: HistoryStep, { flags }: CommandContext): string {
  const line = visibleLine(text.replaceAll(/\s+/g, ' ').trim());
  const characters = [...line];
  if (flags.on('no-trunc') || characters.length <= CREATED_BY_WIDTH) return line;
  return `${characters.slice(0, CREATED_BY_WIDTH - 3).join('')}...`;
}

const isHuman = ({ flags }: CommandContext): boolean => flags.bool('human') !== false;

function created(step: HistoryStep, c: CommandContext): string {
  if (step.created === '') return '';
  return isHuman(c) ? humanAge(c.now() - Date.parse(step.created)) : step.created;
}

const size = (step: HistoryStep, c: CommandContext): string =>
  isHuman(c) ? humanSize(step.sizeBytes) : String(step.sizeBytes);

function table(steps: readonly HistoryStep[], c: CommandContext): string {
  const rows = steps.map((step) => [
    idText(step, c),
    created(step, c),
    createdBy(step, c),
    size(step, c),
    comment(step),
  ]);
  return alignRows([['ID', 'CREATED', 'CREATED BY', 'SIZE', 'COMMENT'], ...rows]);
}

function jsonText(steps: readonly HistoryStep[], c: CommandContext): string {
  const rows = steps.map((step) => ({
    id: step.id ?? MISSING,
    created: step.created,
    createdBy: step.createdBy,
    size: step.sizeBytes,
    comment: step.comment,
    emptyLayer: step.emptyLayer,
    tags: step.names,
  }));
  return goJson(rows, c.stdout.isTty);
}

function templateRows(steps: readonly HistoryStep[], c: CommandContext): Parameters<typeof listTemplate>[3] {
  return steps.map((step) => ({
    ID: idText(step, c),
    Created: created(step, c),
    CreatedAt: step.created,
    CreatedSince: step.created === '' ? '' : humanAge(c.now() - Date.parse(step.created)),
    CreatedBy: createdBy(step, c),
    Size: size(step, c),
    Comment: comment(step),
    Tags: step.names.join(', '),
  }));
}
