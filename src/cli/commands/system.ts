/** `system df` and `system prune`: what the store takes, and less of it. */
import type { StoreUsage, UsageTotal } from '../../index.ts';
import type { CommandContext } from '../command.ts';
import { untilTime } from '../image-filter.ts';
import { goJson } from '../output/go-json.ts';
import { humanAge, humanSize } from '../output/human.ts';
import { listTemplate } from '../output/list-template.ts';
import { alignRows } from '../output/table.ts';
import { visibleLine } from '../output/visible-text.ts';
import { promptLine } from '../prompt.ts';
import { UsageError } from '../usage-error.ts';
import { printRemoved } from './rmi.ts';

const SHORT_ID = 12;

const FIELDS = [
  ['Type', 'TYPE'],
  ['Total', 'TOTAL'],
  ['Active', 'ACTIVE'],
  ['Size', 'SIZE'],
  ['Reclaimable', 'RECLAIMABLE'],
] as const;

export async function df(c: CommandContext): Promise<number> {
  const { flags } = c;
  const format = flags.string('format');
  if (flags.on('verbose') && format !== undefined) throw new UsageError('--verbose and --format cannot be combined');
  await using builder = await c.open();
  const usage = await builder.usage();
  if (flags.on('json') || format === 'json') c.stdout.write(`${goJson(usage, c.stdout.isTty)}\n`);
  else if (format !== undefined) c.stdout.write(listTemplate('df', format, FIELDS, totals(usage)));
  else if (flags.on('verbose')) c.stdout.write(verboseText(usage, c));
  else c.stdout.write(totalsText(usage));
  return 0;
}

function totals(usage: StoreUsage): readonly Record<(typeof FIELDS)[number][0], string>[] {
  const row = (Type: string, total: UsageTotal) => ({
    Type,
    Total: String(total.total),
    Active: String(total.active),
    Size: humanSize(total.sizeBytes),
    Reclaimable: reclaimable(total),
  });
  return [
    row('Images', usage.images),
    row('Containers', usage.containers),
    row('Build Cache', usage.buildCache),
    row('Cache Mounts', usage.cacheMounts),
  ];
}

function reclaimable({ sizeBytes, reclaimableBytes }: UsageTotal): string {
  const share = sizeBytes === 0 ? 0 : Math.round((100 * reclaimableBytes) / sizeBytes);
  return `${humanSize(reclaimableBytes)} (${share}%)`;
}

function totalsText(usage: StoreUsage): string {
  const rows = totals(usage).map((row) => FIELDS.map(([name]) => row[name]));
  const rest = usage.unreferencedBytes;
  const note = rest === 0 ? '' : `\n${humanSize(rest)} belong to nothing: \`slipway system prune\` removes them.\n`;
  return `${alignRows([FIELDS.map(([, heading]) => heading), ...rows])}${note}`;
}

function verboseText(usage: StoreUsage, c: CommandContext): string {
  const age = (created: string): string => humanAge(c.now() - Date.parse(created));
  const images = usage.images.entries.flatMap((image) =>
    (image.names.length === 0 ? ['<none>'] : image.names).map((name) => [
      name,
      image.id.slice(0, SHORT_ID),
      age(image.created),
      humanSize(image.sizeBytes),
      humanSize(image.sharedBytes),
      humanSize(image.uniqueBytes),
      String(image.containers),
    ]),
  );
  const containers = usage.containers.entries.map((container) => [
    container.id.slice(0, SHORT_ID),
    container.imageName,
    humanSize(container.sizeBytes),
    age(container.created),
    container.mounted ? 'mounted' : 'idle',
    container.name,
  ]);
  const caches = usage.cacheMounts.entries.map((cache) => [
    cache.name.slice(0, SHORT_ID),
    visibleLine(cache.id),
    humanSize(cache.sizeBytes),
    humanAge(c.now() - cache.usedAt),
    cache.isBusy ? 'in use' : 'idle',
  ]);
  return [
    'Images space usage:\n',
    alignRows([['NAME', 'IMAGE ID', 'CREATED', 'SIZE', 'SHARED SIZE', 'UNIQUE SIZE', 'CONTAINERS'], ...images]),
    'Containers space usage:\n',
    alignRows([['CONTAINER ID', 'IMAGE', 'SIZE', 'CREATED', 'STATE', 'NAME'], ...containers]),
    `Build cache usage: ${humanSize(usage.buildCache.sizeBytes)} in ${usage.buildCache.total} steps\n`,
    'Cache mounts space usage:\n',
    alignRows([['CACHE', 'ID', 'SIZE', 'LAST USED', 'STATE'], ...caches]),
  ].join('\n');
}

export async function prune(c: CommandContext): Promise<number> {
  const { flags } = c;
  const all = flags.on('all');
  const before = beforeFilter(flags.strings('filter') ?? [], c.now());
  if (!flags.on('force') && !(await isWanted(c, all, before))) return 0;
  await using builder = await c.open();
  const pruned = await builder.pruneStore({ all, ...(before === undefined ? {} : { before }) });
  if (pruned.isPostponed) {
    c.stderr.write(
      'note: another slipway is at work here: what is left goes with the next removal that finds it alone\n',
    );
  }
  if (flags.on('json')) {
    c.stdout.write(`${goJson(pruned, c.stdout.isTty)}\n`);
    return 0;
  }
  printRemoved(c, [pruned]);
  for (const name of pruned.caches) c.stdout.write(`cache: ${name}\n`);
  c.stdout.write(`Total reclaimed space: ${humanSize(pruned.freedBytes)}\n`);
  return 0;
}

/** Nobody is asked who cannot answer. */
async function isWanted(c: CommandContext, all: boolean, before: number | undefined): Promise<boolean> {
  if (c.stdin.isTTY !== true) {
    throw new UsageError('system prune removes things: say --force where nobody can be asked');
  }
  const age = before === undefined ? '' : ` older than ${new Date(before).toISOString()}`;
  const images = all ? 'every image that no container uses' : 'images without names that no container uses';
  const caches = all ? ', and the caches of RUN mounts' : '';
  c.stderr.write(`This removes ${images}, remembered build steps and downloads${caches}${age}.\n`);
  const answer = await promptLine('Are you sure you want to continue? [y/N] ', { ...c, stdout: c.stderr });
  return /^y(es)?$/i.test(answer.trim());
}

function beforeFilter(filters: readonly string[], now: number): number | undefined {
  let before: number | undefined;
  for (const filter of filters) {
    if (!filter.startsWith('until=')) throw new UsageError(`unsupported filter "${filter}": until=TIME is known`);
    before = Math.min(before ?? Number.POSITIVE_INFINITY, untilTime(filter.slice('until='.length), now));
  }
  return before;
}
