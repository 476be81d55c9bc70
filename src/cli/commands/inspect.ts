/** `inspect`: the whole record as JSON, or what a template picks from it. */
import type { Inspection } from '../../index.ts';
import type { CommandContext } from '../command.ts';
import { goJson } from '../output/go-json.ts';
import { compileTemplate } from '../output/go-template.ts';
import { fromJson, shaped } from '../output/go-value.ts';
import { INSPECT_SHAPE } from '../output/inspect-shape.ts';
import { UsageError } from '../usage-error.ts';

const TYPES = ['container', 'image', 'manifest'] as const;

export async function inspect(c: CommandContext): Promise<number> {
  const type = inspectType(c.flags.string('type'));
  const format = c.flags.string('format');
  if (format !== undefined && !/\{\{.*\}\}/s.test(format)) throw new UsageError(`invalid format provided: ${format}`);
  const template = format === undefined ? undefined : compileTemplate('format', format);
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
