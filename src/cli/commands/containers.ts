/** `containers`: lists working containers as a table, JSON, ids or through a template. */
import type { ContainerSummary } from '../../index.ts';
import type { CommandContext } from '../command.ts';
import { goJson } from '../output/go-json.ts';
import { listTemplate } from '../output/list-template.ts';
import { UsageError } from '../usage-error.ts';

const SHORT_ID = 12;
const BUILDER_MARK = '   *';

const FIELDS = [
  ['ContainerID', 'CONTAINER ID'],
  ['Builder', 'BUILDER'],
  ['ImageID', 'IMAGE ID'],
  ['ImageName', 'IMAGE NAME'],
  ['ContainerName', 'CONTAINER NAME'],
] as const;

export async function containers(c: CommandContext): Promise<number> {
  const { flags } = c;
  const format = flags.string('format') || undefined;
  if (flags.on('quiet') && format !== undefined) throw new UsageError('quiet and format are mutually exclusive');
  const matches = containerFilter(flags.string('filter'));
  await using builder = await c.open();
  const found = (await builder.containers()).filter(matches);
  if (flags.on('json') || format === 'json') c.stdout.write(`${goJson(jsonRows(found), c.stdout.isTty)}\n`);
  else if (flags.on('quiet')) c.stdout.write(found.map(({ id }) => `${id}\n`).join(''));
  else if (format !== undefined)
    c.stdout.write(
      listTemplate({ name: 'image', type: 'main.containerOutputParams' }, format, FIELDS, found.map(templateRow)),
    );
  else c.stdout.write(table(found, flags.on('notruncate'), !flags.on('noheading')));
  return 0;
}

/** An empty list is `null`, as Go encodes a slice nobody filled. */
function jsonRows(found: readonly ContainerSummary[]): unknown {
  if (found.length === 0) return null;
  return found.map((container) => ({
    id: container.id,
    builder: container.builder,
    imageid: container.imageId,
    imagename: container.imageName,
    containername: container.name,
  }));
}

function templateRow(container: ContainerSummary): Readonly<Record<string, string>> {
  return {
    ContainerID: container.id,
    Builder: container.builder ? BUILDER_MARK : '',
    ImageID: container.imageId,
    ImageName: container.imageName,
    ContainerName: container.name,
  };
}

/** Fixed columns; the name of the image may push what follows. Full ids leave one blank instead of two, as in Buildah. */
function table(found: readonly ContainerSummary[], isFull: boolean, withHeading: boolean): string {
  const width = isFull ? 64 : SHORT_ID;
  const gap = isFull ? ' ' : '  ';
  const line = (id: string, mark: string, imageId: string, imageName: string, name: string): string =>
    `${id.slice(0, width).padEnd(width)}${gap}${mark.padEnd(8)} ${imageId.slice(0, width).padEnd(width)} ` +
    `${imageName.padEnd(32)} ${name}\n`;
  const heading = line('CONTAINER ID', 'BUILDER', 'IMAGE ID', 'IMAGE NAME', 'CONTAINER NAME');
  const rows = found.map(({ id, builder, imageId, imageName, name }) =>
    line(id, builder ? BUILDER_MARK : '', imageId, imageName, name),
  );
  return (withHeading ? heading : '') + rows.join('');
}

/** `id=`, `name=`, `ancestor=`, separated by commas; all must match. */
function containerFilter(text: string | undefined): (container: ContainerSummary) => boolean {
  if (text === undefined || text === '') return () => true;
  const tests = text.split(',').map((part): ((container: ContainerSummary) => boolean) => {
    const equals = part.indexOf('=');
    if (equals === -1) {
      throw new UsageError(`parsing filter: incorrect filter value "${part}", should be of form filter=value`);
    }
    const [key, value] = [part.slice(0, equals), part.slice(equals + 1)];
    switch (key) {
      case 'id':
        return (container) => container.id.includes(value);
      case 'name':
        return (container) => container.name.includes(value);
      case 'ancestor':
        return (container) => container.imageName.includes(value) || container.imageId.includes(value);
      default:
        throw new UsageError(`parsing filter: invalid filter "${key}"`, {
          near: { word: key, candidates: ['id', 'name', 'ancestor'], prefix: '' },
        });
    }
  });
  return (container) => tests.every((test) => test(container));
}
