/**
 * Writes the pages that are made from source: docs/errors.md from src/report/error-codes.ts, docs/events.md from
 * docs/events.schema.json. A test fails when they are stale. Needs build/, that is: run the compiler first.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { ERROR_CODES } from '../build/src/report/error-codes.js';

const root = new URL('../', import.meta.url);

/** Areas of the codes, in the order of the source. */
const AREAS = {
  usage: 'Command line',
  sys: 'The machine',
  path: 'Paths',
  store: 'The store',
  blob: 'Blobs',
  image: 'Images',
  container: 'Working containers',
  tar: 'Archives',
  compression: 'Compression',
  layer: 'Layers',
  snapshot: 'Snapshots',
  driver: 'Storage drivers',
  run: 'Starting commands',
  step: 'Commands that fail',
  copy: 'COPY and ADD',
  reference: 'Image names',
  manifest: 'Manifests',
  platform: 'Platforms',
  registry: 'Registries',
  transport: 'Transports',
  auth: 'Credentials',
  dockerfile: 'Dockerfiles',
  ignore: 'Ignore files',
  context: 'Build contexts',
  build: 'Builds',
};

/** The text of docs/errors.md. */
export function errorsPage() {
  const areas = new Map();
  for (const [code, sentence] of Object.entries(ERROR_CODES)) {
    const area = code.slice(0, code.indexOf('.'));
    areas.set(area, [...(areas.get(area) ?? []), { code, sentence }]);
  }
  const sections = [...areas].map(([area, codes]) => {
    const title = AREAS[area] ?? `${area[0].toUpperCase()}${area.slice(1)}`;
    return `## ${title}\n\n${table(
      ['code', 'meaning'],
      codes.map(({ code, sentence }) => [`\`${code}\``, sentence]),
    )}`;
  });
  return `# Errors

Every error has a code. It stands beside the place in a file, in \`--progress=json\` as \`code\`, in the library as
\`error.code\`, and at \`--log-level=debug\` always. Messages may change between releases; codes do not change their meaning.

The exit code is that of the failed step or command for \`step.failed\` and \`build.failed\`, 125 for all others.

${sections.join('\n')}`;
}

/** The text of docs/events.md. */
export function eventsPage() {
  const { definitions, oneOf } = JSON.parse(readFileSync(new URL('docs/events.schema.json', root), 'utf8'));
  const sections = oneOf.map(({ $ref }) => {
    const name = $ref.split('/').at(-1);
    const { description, properties, required } = definitions[name];
    const rows = Object.entries(properties)
      .filter(([member]) => member !== 'schema' && member !== 'type')
      .map(([member, shape]) => memberRow(member, shape, required, definitions));
    return `## ${name}\n\n${description}\n\n${table(['member', 'kind', 'meaning'], rows)}`;
  });
  return `# Events

\`--progress=json\` writes what happens to standard error, one JSON object per line, in the order in which it happens: events
of stages that are built side by side are interleaved, their \`step\` tells them apart. Results go to standard output as ever.
\`slipway build\`, \`pull\` and \`push\` know the flag; the library hands the same events to \`emit\`.

Every object has \`schema\`, which is 1, and \`type\`. The number changes when a member changes its meaning or goes away.
Members and types may be added under the same number: let pass what you do not know. The JSON Schema of what this release
writes is [events.schema.json](events.schema.json).

Credentials in URLs, tokens and passwords are replaced by \`***\` everywhere but in \`step-output\`, which is what the commands
of the build printed, byte for byte.

${sections.join('\n')}`;
}

function memberRow(member, shape, required, definitions) {
  const named = shape.$ref === undefined ? shape : definitions[shape.$ref.split('/').at(-1)];
  const kind = named.enum === undefined ? kindOf(named) : named.enum.map((value) => `\`${value}\``).join(', ');
  return [`\`${member}\`${required.includes(member) ? '' : ' (optional)'}`, kind, named.description ?? ''];
}

function kindOf({ type, items }) {
  return type === 'array' && items?.type !== undefined ? `array of ${items.type}s` : type;
}

/** Cells are padded as the formatter of the other pages does. */
function table(head, rows) {
  const cells = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = head.map((_, i) => Math.max(...cells.map((row) => [...row[i]].length)));
  const line = (row) => `| ${row.map((cell, i) => cell + ' '.repeat(widths[i] - [...cell].length)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return `${[line(cells[0]), rule, ...cells.slice(1).map(line)].join('\n')}\n`;
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  writeFileSync(new URL('docs/errors.md', root), errorsPage());
  writeFileSync(new URL('docs/events.md', root), eventsPage());
}
