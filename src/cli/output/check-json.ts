/** What a check found, for programs: JSON of our own, and SARIF for what shows findings beside the code. */
import { pathToFileURL } from 'node:url';
import type { CheckFinding, CheckReport, Span } from '../../index.ts';
import { countFindings, pageOf } from './check-text.ts';

/** Changes when a member changes its meaning. */
export const CHECK_SCHEMA = 1;

type PositionOf = typeof import('../../index.ts').positionOf;

/** Lines and columns count from 1, columns in UTF-16 units; an end is the place behind. */
function range(span: Span, positionOf: PositionOf): { start: object; end: object } {
  return { start: positionOf(span.file, span.start), end: positionOf(span.file, span.end) };
}

export function checkJson(reports: readonly CheckReport[], positionOf: PositionOf): object {
  return {
    schema: CHECK_SCHEMA,
    files: reports.map(({ file, findings, errors, failsBuild }) => ({
      file: file.name,
      failsBuild,
      errors: errors.map(({ code, message, hint, span }) => ({
        code,
        message,
        hint,
        ...(span === undefined ? {} : range(span, positionOf)),
      })),
      findings: findings.map(({ rule, group, description, message, help, numbers, url, span }) => ({
        rule,
        severity: 'warning',
        message,
        help,
        description,
        group,
        hadolint: numbers,
        url,
        page: pageOf(rule),
        ...range(span, positionOf),
      })),
    })),
    summary: countFindings(reports),
  };
}

const SARIF_SCHEMA = 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json';

/** @see SARIF 2.1.0, sections 3.13 (log), 3.27 (result), 3.30 (region), 3.49 (reportingDescriptor) */
export function checkSarif(reports: readonly CheckReport[], version: string, positionOf: PositionOf): object {
  const rules = descriptors(reports);
  const indexes = new Map(rules.map(({ id }, i) => [id, i]));
  const result = (id: string, level: string, text: string, file: string, span: Span | undefined): object => ({
    ruleId: id,
    ruleIndex: indexes.get(id),
    level,
    message: { text },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: uriOf(file) },
          ...(span === undefined ? {} : { region: region(span, positionOf) }),
        },
      },
    ],
  });
  return {
    $schema: SARIF_SCHEMA,
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'slipway', version, rules } },
        columnKind: 'utf16CodeUnits',
        results: reports.flatMap(({ file, findings, errors }) => [
          ...errors.map(({ code, message, hint, span }) =>
            result(code, 'error', sentence(message, hint), file.name, span),
          ),
          ...findings.map(({ rule, message, help, span }) =>
            result(rule, 'warning', sentence(message, help), span.file.name, span),
          ),
        ]),
      },
    ],
  };
}

function sentence(message: string, help: string | undefined): string {
  return help === undefined ? message : `${message} (${help})`;
}

interface Descriptor {
  readonly id: string;
}

/** Each rule and error code that something was found for, once. */
function descriptors(reports: readonly CheckReport[]): Descriptor[] {
  const found = new Map<string, Descriptor>();
  for (const { code } of reports.flatMap(({ errors }) => errors)) {
    found.set(code, { id: code, ...level('error') });
  }
  for (const finding of reports.flatMap(({ findings }) => findings)) found.set(finding.rule, descriptor(finding));
  return [...found.values()];
}

function descriptor({ rule, description, url, numbers, group }: CheckFinding): Descriptor {
  return {
    id: rule,
    ...{ name: rule, shortDescription: { text: `${description}.` }, ...level('warning') },
    ...{ help: { text: `See ${pageOf(rule)}.` }, properties: { tags: [group, ...numbers] } },
    ...(url === undefined ? {} : { helpUri: url }),
  };
}

function level(name: string): object {
  return { defaultConfiguration: { level: name } };
}

function region(span: Span, positionOf: PositionOf): object {
  const start = positionOf(span.file, span.start);
  const end = positionOf(span.file, span.end);
  return { startLine: start.line, startColumn: start.column, endLine: end.line, endColumn: end.column };
}

/** Paths below the current directory stay relative; standard input has no better name than `stdin`. */
function uriOf(name: string): string {
  if (name === '-') return 'stdin';
  if (name.startsWith('/')) return pathToFileURL(name).href;
  return name.split('/').map(encodeURIComponent).join('/');
}
