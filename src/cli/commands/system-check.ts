/** `system check`: what is damaged, what was mended, what belongs to nothing. */
import type { StoreCheckReport } from '../../index.ts';
import type { CommandContext } from '../command.ts';
import { goJson } from '../output/go-json.ts';
import { visibleLine } from '../output/visible-text.ts';

/** Damage is left. */
const DAMAGED = 1;

export async function check(c: CommandContext): Promise<number> {
  const { flags } = c;
  await using builder = await c.open();
  const report = await builder.checkStore({ readData: flags.on('read-data'), repair: flags.on('repair') });
  if (flags.on('json')) c.stdout.write(`${goJson(report, c.stdout.isTty)}\n`);
  else c.stdout.write(damageText(report) + (flags.on('quiet') ? '' : restText(report, flags.on('read-data'))));
  return report.isSound ? 0 : DAMAGED;
}

function damageText({ damages }: StoreCheckReport): string {
  return damages
    .map(({ kind, subject, problem, repaired }) => {
      const what = `${kind} ${visibleLine(subject)}: ${visibleLine(problem)}`;
      return `${what}${repaired === undefined ? '' : ` (${visibleLine(repaired)})`}\n`;
    })
    .join('');
}

function restText({ counts, damages, unreferenced, isSwept }: StoreCheckReport, readData: boolean): string {
  const { images, containers, blobs, layers, snapshots, steps } = counts;
  const looked = `${images} images, ${layers} layers, ${blobs} blobs, ${snapshots} snapshots, ${containers} containers, ${steps} steps`;
  const left = damages.filter(({ repaired }) => repaired === undefined).length;
  const verdict =
    damages.length === 0 ? 'no damage' : `${damages.length} damaged, ${damages.length - left} of them repaired`;
  const garbage = (unreferenced ?? []).map(
    (name) => `${name}: nothing refers to it${isSwept ? ' (removed)' : ', the next removal takes it along'}\n`,
  );
  return `${garbage.join('')}Checked ${looked}${readData ? ', all content read' : ''}: ${verdict}.\n`;
}
