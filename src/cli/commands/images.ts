/** `images`: lists images as a table, JSON, ids or through a template. */
import type { ImageSummary } from '../../index.ts';
import type { CommandContext } from '../command.ts';
import { filterImages } from '../image-filter.ts';
import { goJson } from '../output/go-json.ts';
import { goTime } from '../output/go-time.ts';
import { humanAge, humanSize } from '../output/human.ts';
import { listTemplate } from '../output/list-template.ts';
import { alignRows } from '../output/table.ts';
import { UsageError } from '../usage-error.ts';

const SHORT_ID = 12;
const NONE = '<none>';

const FIELDS = [
  ['Tag', 'TAG'],
  ['ID', 'IMAGE ID'],
  ['Name', 'REPOSITORY'],
  ['Digest', 'DIGEST'],
  ['Created', 'CREATED'],
  ['CreatedAt', 'CREATED'],
  ['Size', 'SIZE'],
  ['CreatedAtRaw', 'CREATED'],
  ['ReadOnly', 'R/O'],
  ['History', 'HISTORY'],
] as const;

export async function images(c: CommandContext): Promise<number> {
  const { flags, args, now } = c;
  const format = flags.string('format') || undefined;
  if (args.length > 0 && flags.on('all')) {
    throw new UsageError('when using the --all switch, you may not pass any images names or IDs');
  }
  if (flags.on('quiet') && format !== undefined) throw new UsageError('quiet and format are mutually exclusive');
  await using builder = await c.open();
  const all = args.length === 0 ? await builder.images() : [await builder.image(args[0]!)];
  const filters = flags.strings('filter') ?? [];
  // A filter for intermediate images must see them.
  const wantsAll = flags.on('all') || args.length > 0 || filters.some((filter) => filter.startsWith('intermediate='));
  const shown = wantsAll ? all : all.filter((image) => !image.intermediate);
  const found = newestFirst(await filterImages(shown, filters, builder, now()));
  const shownId = (image: ImageSummary): string =>
    flags.on('no-trunc') ? `sha256:${image.id}` : image.id.slice(0, SHORT_ID);
  if (flags.on('json') || format === 'json') c.stdout.write(`${jsonText(found, shownId, c)}\n`);
  else if (flags.on('quiet')) c.stdout.write([...new Set(found.map((image) => `${shownId(image)}\n`))].join(''));
  else if (format !== undefined)
    c.stdout.write(
      listTemplate(
        { name: 'image', type: 'main.imageOutputParams' },
        format,
        FIELDS,
        templateRows(found, shownId, now()),
      ),
    );
  else c.stdout.write(table(found, shownId, c));
  return 0;
}

/** Compares as texts: RFC 3339 in UTC sorts by time, and numbers would lose nanoseconds. */
function newestFirst(found: readonly ImageSummary[]): readonly ImageSummary[] {
  return [...found].sort((a, b) => (a.created < b.created ? 1 : a.created > b.created ? -1 : 0));
}

type IdText = (image: ImageSummary) => string;

function jsonText(found: readonly ImageSummary[], id: IdText, c: CommandContext): string {
  const rows = found.map((image) => ({
    id: id(image),
    names: image.names.length === 0 ? null : image.names,
    digest: image.digest,
    createdat: humanAge(c.now() - Date.parse(image.created)),
    size: humanSize(image.sizeBytes),
    created: Math.floor(Date.parse(image.created) / 1000),
    createdatraw: image.created,
    readonly: image.readOnly,
    history: null,
  }));
  return goJson(rows, c.stdout.isTty);
}

/** One row for each name; a nameless image has one all the same. */
function namesOf(image: ImageSummary): readonly { readonly name: string; readonly tag: string }[] {
  return image.names.length === 0 ? [{ name: NONE, tag: NONE }] : image.names.map(splitName);
}

/** `host:5000/app:1` is `host:5000/app` and `1`; a name with a digest has no tag. */
export function splitName(full: string): { name: string; tag: string } {
  const at = full.indexOf('@');
  if (at !== -1) return { name: full.slice(0, at), tag: NONE };
  const colon = full.lastIndexOf(':');
  if (colon <= full.lastIndexOf('/')) return { name: full, tag: NONE };
  return { name: full.slice(0, colon), tag: full.slice(colon + 1) };
}

function templateRows(found: readonly ImageSummary[], id: IdText, now: number): Parameters<typeof listTemplate>[3] {
  return found.flatMap((image) =>
    namesOf(image).map(({ name, tag }) => ({
      Name: name,
      Tag: tag,
      ID: id(image),
      Digest: image.digest,
      Created: Math.floor(Date.parse(image.created) / 1000),
      CreatedAt: humanAge(now - Date.parse(image.created)),
      CreatedAtRaw: goTime(image.created),
      Size: humanSize(image.sizeBytes),
      ReadOnly: image.readOnly,
      History: image.names.length === 0 ? NONE : [...image.names].reverse().join(', '),
    })),
  );
}

function table(found: readonly ImageSummary[], id: IdText, c: CommandContext): string {
  const { flags } = c;
  const digests = flags.on('digests');
  const history = flags.on('history');
  const optional = (isShown: boolean, cell: string): string[] => (isShown ? [cell] : []);
  const heading = [
    'REPOSITORY',
    'TAG',
    ...optional(digests, 'DIGEST'),
    'IMAGE ID',
    'CREATED',
    'SIZE',
    ...optional(history, 'HISTORY'),
  ];
  const rows = found.flatMap((image) =>
    namesOf(image).map(({ name, tag }) => [
      name,
      tag,
      ...optional(digests, image.digest),
      id(image),
      humanAge(c.now() - Date.parse(image.created)),
      humanSize(image.sizeBytes),
      ...optional(history, NONE),
    ]),
  );
  // Buildah lines the rows up with the headings even when it does not print them.
  const lines = alignRows([heading, ...rows]);
  return flags.on('noheading') ? lines.slice(lines.indexOf('\n') + 1) : lines;
}
