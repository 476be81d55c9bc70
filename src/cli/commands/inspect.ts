/** `inspect`: the whole record as JSON, or what a template picks from it; with `--layers`, what an image is made of. */
import type { Inspection } from '../../index.ts';
import type { CommandContext } from '../command.ts';
import { goJson } from '../output/go-json.ts';
import { compileTemplate } from '../output/go-template.ts';
import { fromJson, shaped } from '../output/go-value.ts';
import { INSPECT_SHAPE } from '../output/inspect-shape.ts';
import { layersText } from '../output/layers-text.ts';
import { UsageError } from '../usage-error.ts';

const TYPES = ['container', 'image', 'manifest'] as const;

export async function inspect(c: CommandContext): Promise<number> {
  const type = inspectType(c.flags.string('type'));
  const format = c.flags.string('format');
  if (format !== undefined && !/\{\{.*\}\}/s.test(format)) throw new UsageError(`invalid format provided: ${format}`);
  const template = format === undefined ? undefined : compileTemplate('format', format);
  if (c.flags.on('layers')) return await inspectLayers(c, type, template);
  if (c.flags.on('json')) throw new UsageError('--json goes with --layers: the record itself is JSON anyway');
  await using builder = await c.open();
  const inspection = await builder.inspect(c.args[0]!, type);
  if (template === undefined) {
    c.stdout.write(`${goJson(inspection.json, c.stdout.isTty)}\n`);
  } else {
    // Scripts take the text as it is; a person's prompt should start on a fresh line.
    c.stdout.write(`${template.render(templateValue(inspection))}${c.stdout.isTty ? '\n' : ''}`);
  }
  return 0;
}

async function inspectLayers(
  c: CommandContext,
  type: (typeof TYPES)[number] | undefined,
  template: ReturnType<typeof compileTemplate> | undefined,
): Promise<number> {
  if (type !== undefined && type !== 'image') throw new UsageError(`--layers looks at images, not at a ${type}`);
  if (c.flags.on('json') && template !== undefined) {
    throw new UsageError('--json and --format cannot be used together');
  }
  await using builder = await c.open();
  const insight = await builder.layers(c.args[0]!);
  if (template !== undefined) c.stdout.write(`${template.render(fromJson(insight))}${c.stdout.isTty ? '\n' : ''}`);
  else if (c.flags.on('json')) c.stdout.write(`${goJson(insight, c.stdout.isTty)}\n`);
  else c.stdout.write(layersText(insight, c.stdout.isTty ? c.stdout.columns : undefined));
  return 0;
}

function templateValue(inspection: Inspection): ReturnType<typeof shaped> {
  return inspection.type === 'manifest' ? fromJson(inspection.json) : shaped(INSPECT_SHAPE, inspection.json);
}

function inspectType(text: string | undefined): (typeof TYPES)[number] | undefined {
  const found = TYPES.find((type) => type === text);
  if (text === undefined || found !== undefined) return found;
  throw new UsageError(`the only recognized types are ${TYPES.map((type) => `"${type}"`).join(', ')}`, {
    near: { word: text, candidates: TYPES, prefix: '' },
  });
}
