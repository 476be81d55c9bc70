/** Answers of `build --call` in BuildKit's shapes, which programs made for it read. */
import type { CheckReport, SourceFile, Span, TargetList, TargetOutline } from '../../index.ts';

type PositionOf = typeof import('../../index.ts').positionOf;
type Cells = readonly (readonly string[])[];

interface Location {
  readonly ranges: readonly { readonly start: { readonly line: number }; readonly end: { readonly line: number } }[];
}

const lines = (first: number, last: number): Location => ({
  ranges: [{ start: { line: first }, end: { line: last } }],
});

/** BuildKit knows lines only. */
function locationOf(span: Span, positionOf: PositionOf): Location {
  return lines(positionOf(span.file, span.start).line, positionOf(span.file, span.end).line);
}

const dataOf = ({ text }: SourceFile): string => Buffer.from(text).toString('base64');

/** @see BuildKit's `frontend.lint` request, version 1.0.0 */
export function lintJson(report: CheckReport, positionOf: PositionOf): object {
  const { file, findings, errors } = report;
  const [error] = errors;
  return {
    warnings: findings.map(({ rule, description, url, message, lines: { first, last } }) => ({
      ruleName: rule,
      description,
      ...(url === undefined ? {} : { url }),
      detail: message,
      location: lines(first, last),
    })),
    sources: [{ filename: file.name, data: dataOf(file), language: 'Dockerfile' }],
    ...(error === undefined
      ? {}
      : {
          buildError: {
            message: error.message,
            location: error.span === undefined ? {} : locationOf(error.span, positionOf),
          },
        }),
  };
}

/** @see BuildKit's `frontend.targets` request, version 1.0.0 */
export function targetsJson({ file, targets }: TargetList, positionOf: PositionOf): object {
  return {
    targets: targets.map(({ name, isDefault, description, base, platform, span }) => ({
      ...(name === undefined ? {} : { name }),
      ...(isDefault ? { default: true } : {}),
      ...(description === undefined ? {} : { description }),
      base,
      ...(platform === undefined ? {} : { platform }),
      location: locationOf(span, positionOf),
    })),
    sources: [dataOf(file)],
  };
}

export function targetsText({ targets }: TargetList): string {
  const rows = targets.map(({ name = '', isDefault, description = '' }) => {
    const shown = isDefault ? `${name} (default)`.trim() : name;
    return [shown, description];
  });
  return columns([['TARGET', 'DESCRIPTION'], ...rows], 1);
}

/** @see BuildKit's `frontend.outline` request, version 1.0.0 */
export function outlineJson(o: TargetOutline, positionOf: PositionOf): object {
  const { target, args, secrets, ssh, caches, file } = o;
  const place = (span: Span): { location: Location } => ({ location: locationOf(span, positionOf) });
  const requirement = ({ id, required, span }: TargetOutline['secrets'][number]): object => ({
    name: id,
    ...(required ? { required } : {}),
    ...place(span),
  });
  return {
    ...(target.name === undefined ? {} : { name: target.name }),
    ...(target.description === undefined ? {} : { description: target.description }),
    ...(args.length === 0
      ? {}
      : {
          args: args.map(({ name, value = '', description, span }) => ({
            name,
            ...(description === undefined ? {} : { description }),
            ...(value === '' ? {} : { value }),
            ...place(span),
          })),
        }),
    ...(secrets.length === 0 ? {} : { secrets: secrets.map(requirement) }),
    ...(ssh.length === 0 ? {} : { ssh: ssh.map(requirement) }),
    ...(caches.length === 0 ? {} : { cache: caches.map(({ id, span }) => ({ ID: id, ...place(span) })) }),
    sources: [dataOf(file)],
  };
}

export function outlineText({ target, args, secrets, ssh }: TargetOutline): string {
  const tables: string[] = [];
  if (target.name !== undefined || target.description !== undefined) {
    const head = [['TARGET:', target.name ?? '(default)']];
    if (target.description !== undefined) head.push(['DESCRIPTION:', target.description]);
    tables.push(columns(head, 1));
  }
  if (args.length > 0) {
    const rows = args.map(({ name, value = '', description = '' }) => [name, value, description]);
    tables.push(columns([['BUILD ARG', 'VALUE', 'DESCRIPTION'], ...rows], 3));
  }
  for (const [title, entries] of [
    ['SECRET', secrets],
    ['SSH', ssh],
  ] as const) {
    const rows = entries.map(({ id, required }) => [id, required ? 'true' : '']);
    if (rows.length > 0) tables.push(columns([[title, 'REQUIRED'], ...rows], 3));
  }
  return tables.map((table) => `${table}\n`).join('');
}

/** Every cell but the last of a row is padded to its column. */
function columns(rows: Cells, gap: number): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)) + gap);
  return rows
    .map((row) => `${row.map((cell, i) => (i + 1 < row.length ? cell.padEnd(widths[i]!) : cell)).join('')}\n`)
    .join('');
}
