/** Manual pages in roff, made from the command values like help. */
import type { Command } from './command.ts';
import { GLOBAL_FLAGS, PROGRAM_FLAGS } from './flags/global-flags.ts';
import { globalsOf, optionSentence } from './help.ts';
import type { Option } from './option.ts';
import { COMMANDS, commandsOf, GROUPS } from './program.ts';

export interface ManPage {
  /** `slipway-build.1` */
  readonly file: string;
  readonly text: string;
}

/** All pages: the program's, one for each word before commands of its own, one for each command. */
export function manPages(version: string): readonly ManPage[] {
  const page = (name: string, body: readonly string[]): ManPage => ({
    file: `${name}.1`,
    text: `${[title(name, version), ...body].join('\n')}\n`,
  });
  return [
    page('slipway', programPage()),
    ...[...GROUPS].map(([group, summary]) => page(`slipway-${group}`, groupPage(group, summary))),
    ...COMMANDS.filter(({ hidden }) => !hidden).map((command) => page(pageName(command.name), commandPage(command))),
  ];
}

function pageName(command: string): string {
  return `slipway-${command.replaceAll(' ', '-')}`;
}

/** Without a date: the same source gives the same page. */
function title(name: string, version: string): string {
  return `.TH ${roff(name.toUpperCase())} 1 "" "slipway ${roff(version)}" "Slipway"`;
}

function programPage(): readonly string[] {
  const groups = [...GROUPS].map(([name, summary]) => ({ name, summary }));
  return [
    ...nameSection('slipway', 'build OCI images without a daemon and without root'),
    ...synopsis('slipway', ['[flags]', 'COMMAND', '[ARG…]']),
    '.SH DESCRIPTION',
    roff("Builds OCI images with Buildah's command line and BuildKit's Dockerfile language."),
    '.SH COMMANDS',
    ...[...commandsOf(undefined), ...groups].flatMap(({ name, summary }) => item(bold(pageReference(name)), summary)),
    ...options('OPTIONS', [...PROGRAM_FLAGS, ...GLOBAL_FLAGS]),
    '.SH EXIT STATUS',
    ...item(bold('0'), 'success'),
    ...item(bold('1'), 'killed by a signal, or a command that could not be started'),
    ...item(bold('125'), 'a failure of the program itself'),
    ...item(italic('other'), 'that of the command which failed in a RUN or in run'),
  ];
}

function groupPage(group: string, summary: string): readonly string[] {
  return [
    ...nameSection(`slipway-${group}`, uncapitalized(summary)),
    ...synopsis(`slipway ${group}`, ['COMMAND', '[ARG…]']),
    '.SH COMMANDS',
    ...commandsOf(group).flatMap((command) => item(bold(pageReference(command.name)), command.summary)),
    ...seeAlso('slipway'),
  ];
}

function commandPage(command: Command): readonly string[] {
  const group = command.name.includes(' ') ? [`slipway-${command.name.split(' ')[0]}`] : [];
  return [
    ...nameSection(pageName(command.name), uncapitalized(command.summary)),
    ...synopsis(`slipway ${command.name}`, [command.options.length > 0 ? '[flags]' : '', ...command.usage.split(' ')]),
    ...(command.aliases.length === 0 ? [] : ['.PP', roff(`Also: ${command.aliases.join(', ')}`)]),
    '.SH DESCRIPTION',
    roff(command.description ?? `${command.summary}.`),
    ...options('OPTIONS', command.options),
    ...options('GLOBAL OPTIONS', globalsOf(command)),
    ...examples(command.examples),
    ...seeAlso('slipway', ...group),
  ];
}

function nameSection(name: string, summary: string): readonly string[] {
  return ['.SH NAME', `${roff(name)} \\- ${roff(summary)}`];
}

function synopsis(words: string, rest: readonly string[]): readonly string[] {
  return ['.SH SYNOPSIS', [bold(words), ...rest.filter((word) => word !== '').map(italicWord)].join(' ')];
}

/** Brackets stand upright, what is to be filled in does not. */
function italicWord(word: string): string {
  return word.replace(/[A-Z][A-Z|]*|[^A-Z]+/g, (part) => (/^[A-Z]/.test(part) ? italic(part) : roff(part)));
}

function options(heading: string, all: readonly Option[]): readonly string[] {
  const shown = all.filter(({ hidden }) => !hidden);
  if (shown.length === 0) return [];
  return [`.SH ${heading}`, ...shown.flatMap((option) => item(optionHead(option), optionSentence(option)))];
}

function optionHead(option: Option): string {
  const names = [option.short === undefined ? '' : bold(`-${option.short}`), bold(`--${option.name}`)];
  const head = names.filter((name) => name !== '').join(', ');
  if (option.placeholder === '') return head;
  return option.bare === undefined
    ? `${head} ${italic(option.placeholder)}`
    : `${head}[=${italic(option.placeholder)}]`;
}

function item(head: string, text: string): readonly string[] {
  return ['.TP', head, roff(text)];
}

function examples(lines: readonly string[]): readonly string[] {
  if (lines.length === 0) return [];
  return ['.SH EXAMPLES', '.EX', ...lines.map((line) => roff(`slipway ${line}`)), '.EE'];
}

function seeAlso(...pages: readonly string[]): readonly string[] {
  return ['.SH SEE ALSO', pages.map((page) => `${bold(page)}(1)`).join(', ')];
}

/** `slipway-build(1)` */
function pageReference(name: string): string {
  return `${pageName(name)}(1)`;
}

function uncapitalized(text: string): string {
  return /^[A-Z][a-z]/.test(text) ? text[0]!.toLowerCase() + text.slice(1) : text;
}

const bold = (text: string): string => `\\fB${roff(text)}\\fR`;
const italic = (text: string): string => `\\fI${roff(text)}\\fR`;

/** Text as roff takes it literally: no escapes, requests or hyphens of its own making. */
function roff(text: string): string {
  const plain = text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('`', '\\(ga')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti')
    .replaceAll('"', '\\(dq')
    .replace(/[^\x00-\x7f]/gu, (c) => `\\[u${c.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}]`);
  // A line that begins with a dot would be a request.
  return plain.startsWith('.') ? `\\&${plain}` : plain;
}
