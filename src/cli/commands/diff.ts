/** `diff`: files that differ, a line each: A added, C changed, D deleted. */
import type { TreeChange } from '../../index.ts';
import type { CommandContext } from '../command.ts';
import { goJson } from '../output/go-json.ts';
import { humanSize } from '../output/human.ts';
import { alignRows } from '../output/table.ts';
import { visibleName } from '../output/visible-text.ts';
import { UsageError } from '../usage-error.ts';

export async function diff(c: CommandContext): Promise<number> {
  const { flags, args } = c;
  const format = flags.string('format');
  if (format !== undefined && format !== 'json') throw new UsageError(`unknown format "${format}": json is known`);
  await using builder = await c.open();
  const changes = await builder.diff(args[0]!, args[1], { ignoreTimes: flags.on('ignore-times') });
  if (flags.on('json') || format === 'json') c.stdout.write(`${goJson(changes, c.stdout.isTty)}\n`);
  else if (flags.on('size')) c.stdout.write(alignRows(changes.map(sizedRow)));
  else c.stdout.write(changes.map((change) => `${change.kind} ${nameOf(change)}\n`).join(''));
  return 0;
}

function nameOf({ path, pathBase64 }: TreeChange): string {
  return visibleName(pathBase64 === undefined ? path : Buffer.from(pathBase64, 'base64'));
}

/** How much more, or less, there is. */
function sizedRow(change: TreeChange): string[] {
  const more = change.sizeBytes - change.sizeBytesBefore;
  const size = change.type === 'file' ? `${more < 0 ? '-' : '+'}${humanSize(Math.abs(more))}` : '';
  return [change.kind, size, nameOf(change)];
}
