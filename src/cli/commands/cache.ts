/** `cache`: the caches of RUN mounts, and the steps that builds remember. */
import { createReadStream, createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { CacheSummary, RememberedStep } from '../../index.ts';
import type { CommandContext } from '../command.ts';
import { parseDuration, parseSize } from '../duration.ts';
import { humanAge, humanSize } from '../output/human.ts';
import { listTemplate } from '../output/list-template.ts';
import { redact } from '../output/redact.ts';
import { printable } from '../output/source-frame.ts';
import { alignRows } from '../output/table.ts';
import { UsageError } from '../usage-error.ts';

const CACHE_FIELDS = [
  ['Name', 'NAME'],
  ['ID', 'ID'],
  ['Namespace', 'NAMESPACE'],
  ['From', 'FROM'],
  ['Size', 'SIZE'],
  ['Bytes', 'BYTES'],
  ['Files', 'FILES'],
  ['Used', 'LAST USED'],
  ['Busy', 'IN USE'],
] as const;

const STEP_FIELDS = [
  ['Key', 'KEY'],
  ['Step', 'STEP'],
  ['Size', 'SIZE'],
  ['Bytes', 'BYTES'],
  ['Created', 'CREATED'],
  ['Used', 'LAST USED'],
] as const;

const SHORT = 12;

export async function list(c: CommandContext): Promise<number> {
  const { flags } = c;
  await using builder = await c.open();
  if (flags.on('steps')) {
    const steps = await builder.rememberedSteps();
    write(c, steps, {
      kind: 'step',
      fields: STEP_FIELDS,
      row: (step) => stepRow(step, c.now()),
      columns: STEP_COLUMNS,
    });
    return 0;
  }
  const caches = await builder.caches();
  write(c, caches, {
    kind: 'cache',
    fields: CACHE_FIELDS,
    row: (cache) => cacheRow(cache, c.now()),
    columns: CACHE_COLUMNS,
  });
  return 0;
}

const CACHE_COLUMNS = ['ID', 'Size', 'Files', 'Used', 'Busy', 'Name'];
const STEP_COLUMNS = ['Key', 'Size', 'Used', 'Step'];

type Row = Readonly<Record<string, string | number>>;

interface Shape<T> {
  readonly kind: string;
  readonly fields: readonly (readonly [string, string])[];
  readonly row: (item: T) => Row;
  readonly columns: readonly string[];
}

function write<T extends object>(
  c: CommandContext,
  items: readonly T[],
  { kind, fields, row, columns }: Shape<T>,
): void {
  const format = c.flags.string('format');
  if (format === 'json') {
    c.stdout.write(`${JSON.stringify(items, null, c.stdout.isTty ? 2 : undefined)}\n`);
  } else if (format !== undefined) {
    c.stdout.write(listTemplate(kind, format, fields, items.map(row)));
  } else {
    const heading = columns.map((column) => fields.find(([name]) => name === column)![1]);
    const rows = items.map((item) => columns.map((column) => `${row(item)[column]}`));
    c.stdout.write(alignRows(c.flags.on('noheading') ? rows : [heading, ...rows]));
  }
}

function cacheRow({ name, id, namespace, from, sizeBytes, files, usedAt, isBusy }: CacheSummary, now: number): Row {
  return {
    Name: name.slice(0, SHORT),
    ID: printable(id === '' ? '<none>' : id),
    Namespace: printable(namespace),
    From: printable(from ?? ''),
    Size: humanSize(sizeBytes),
    Bytes: sizeBytes,
    Files: files,
    Used: humanAge(Math.max(0, now - usedAt)),
    Busy: isBusy ? 'yes' : 'no',
  };
}

function stepRow({ key, text, sizeBytes, savedAt, usedAt }: RememberedStep, now: number): Row {
  return {
    Key: key.replace('sha256:', '').slice(0, SHORT),
    Step: printable(redact(text)).replace(/\s+/g, ' '),
    Size: humanSize(sizeBytes),
    Bytes: sizeBytes,
    Created: humanAge(Math.max(0, now - savedAt)),
    Used: humanAge(Math.max(0, now - usedAt)),
  };
}

export async function size(c: CommandContext): Promise<number> {
  await using builder = await c.open();
  const caches = await builder.caches();
  const bytes = caches.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  if (c.flags.on('bytes')) c.stdout.write(`${bytes}\n`);
  else c.stdout.write(`${humanSize(bytes)} in ${caches.length} ${caches.length === 1 ? 'cache' : 'caches'}\n`);
  return 0;
}

export async function remove(c: CommandContext): Promise<number> {
  await using builder = await c.open();
  for (const id of c.args) {
    const { name } = await builder.removeCache(id);
    c.stdout.write(`${name}\n`);
  }
  return 0;
}

const UNUSED_MS = 30 * 24 * 3600 * 1000;

export async function prune(c: CommandContext): Promise<number> {
  const { flags } = c;
  const keep = flags.string('keep-storage');
  const filters = flags.strings('filter') ?? [];
  if (flags.on('all') && filters.length > 0) throw new UsageError('--all and --filter exclude each other');
  // What has to fit may be of any age.
  const usual = keep === undefined ? c.now() - UNUSED_MS : undefined;
  const unusedSince = flags.on('all') ? undefined : filters.reduce((_, filter) => untilOf(filter, c.now()), usual);
  await using builder = await c.open();
  const { removed, freedBytes } = await builder.pruneCaches({
    ...(unusedSince === undefined ? {} : { unusedSince }),
    ...(keep === undefined ? {} : { keepBytes: parseSize(keep, '--keep-storage') }),
  });
  for (const { name } of removed) c.stdout.write(`${name}\n`);
  c.stderr.write(`${humanSize(freedBytes)} freed\n`);
  return 0;
}

function untilOf(filter: string, now: number): number {
  const value = /^until=(.+)$/.exec(filter)?.[1];
  if (value === undefined) throw new UsageError(`invalid filter "${filter}": until=TIME is known`);
  const moment = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value);
  return Number.isNaN(moment) ? now - parseDuration(value, 'the until filter') / 1e6 : moment;
}

export async function exportTar(c: CommandContext): Promise<number> {
  const [id, file] = c.args as [string, string];
  await using builder = await c.open();
  const chunks = builder.exportCache(id)[Symbol.asyncIterator]();
  // A cache that is not there must not cost the file that is.
  const first = await chunks.next();
  const tar = Readable.from(all(first, chunks));
  if (file === '-') {
    await pipeline(tar, process.stdout, { end: false });
    return 0;
  }
  const path = resolve(c.cwd, file);
  try {
    await pipeline(tar, createWriteStream(path));
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
  return 0;
}

async function* all<T>(first: IteratorResult<T>, rest: AsyncIterator<T>): AsyncGenerator<T> {
  for (let next = first; next.done !== true; next = await rest.next()) yield next.value;
}

export async function importTar(c: CommandContext): Promise<number> {
  const [id, file] = c.args as [string, string];
  const namespace = c.flags.string('namespace');
  await using builder = await c.open();
  const tar = file === '-' ? c.stdin : createReadStream(resolve(c.cwd, file));
  const { name } = await builder.importCache({ id, ...(namespace === undefined ? {} : { namespace }) }, tar);
  c.stdout.write(`${name}\n`);
  return 0;
}
