/** Help texts, made from the command values; never wider than 80 columns. */
import type { Command } from './command.ts';
import { GLOBAL_FLAGS, PROGRAM_FLAGS } from './flags/global-flags.ts';
import type { Option } from './option.ts';
import { commandsOf, GROUPS } from './program.ts';

const WIDTH = 80;
/** Beyond this the summary starts on a line of its own. */
const COLUMN = 34;

export function programHelp(): string {
  const groups = [...GROUPS].map(([name, summary]) => ({ name, summary }));
  const commands = summaryLines([...commandsOf(undefined), ...groups]);
  return `Builds OCI images without a daemon and without root.

Usage:
  slipway [flags] COMMAND [ARG…]

Commands:
${commands}
Flags:
${flagLines([...PROGRAM_FLAGS, ...GLOBAL_FLAGS])}
"slipway COMMAND --help" tells about a command.
`;
}

/** Help of a word that stands before commands of its own. */
export function groupHelp(group: string): string {
  const commands = commandsOf(group).map(({ name, summary }) => ({ name: name.slice(group.length + 1), summary }));
  return `${GROUPS.get(group)}.

Usage:
  slipway ${group} COMMAND [ARG…]

Commands:
${summaryLines(commands)}
"slipway ${group} COMMAND --help" tells about a command.
`;
}

function summaryLines(commands: readonly { readonly name: string; readonly summary: string }[]): string {
  const longest = Math.max(...commands.map(({ name }) => name.length));
  return commands.map(({ name, summary }) => `  ${name.padEnd(longest)}  ${summary}\n`).join('');
}

/** Help of one command: purpose, usage, flags, examples. */
export function commandHelp(command: Command): string {
  const usage = ['slipway', command.name, command.options.length > 0 ? '[flags]' : '', command.usage];
  const parts = [
    wrap(command.description ?? `${command.summary}.`, ''),
    `\nUsage:\n  ${usage.filter((word) => word !== '').join(' ')}\n`,
  ];
  if (command.aliases.length > 0) parts.push(`\nAliases:\n  ${command.aliases.join(', ')}\n`);
  if (command.examples.length > 0) {
    parts.push(`\nExamples:\n${command.examples.map((text) => `  slipway ${text}\n`).join('')}`);
  }
  const own = flagLines(command.options);
  if (own !== '') parts.push(`\nFlags:\n${own}`);
  parts.push(`\nGlobal flags:\n${flagLines(globalsOf(command))}`);
  return parts.join('');
}

/** The flags every command has, but for those it has itself under that name. */
export function globalsOf(command: Command): readonly Option[] {
  const names = new Set(command.options.map((option) => option.name));
  return GLOBAL_FLAGS.filter((option) => !names.has(option.name));
}

function flagLines(options: readonly Option[]): string {
  return options
    .filter((option) => !option.hidden)
    .map(flagLine)
    .join('');
}

function flagLine(option: Option): string {
  const letter = option.short === undefined ? '    ' : `-${option.short}, `;
  const head = `  ${letter}--${option.name}${valuePart(option)}`;
  const body = wrap(optionSentence(option), ' '.repeat(COLUMN));
  return head.length > COLUMN - 2 ? `${head}\n${body}` : `${head.padEnd(COLUMN)}${body.slice(COLUMN)}`;
}

/** What a flag is for, with its default and the variable that stands in for it. */
export function optionSentence(option: Option): string {
  const facts = [
    option.default === undefined ? '' : `default ${option.default}`,
    option.env === undefined ? '' : `$${option.env}`,
  ].filter((fact) => fact !== '');
  return facts.length === 0 ? option.summary : `${option.summary} (${facts.join(', ')})`;
}

function valuePart(option: Option): string {
  if (option.placeholder === '') return '';
  return option.bare === undefined ? ` ${option.placeholder}` : `[=${option.placeholder}]`;
}

/** Breaks at spaces; every line is indented and ends with a line feed. */
function wrap(text: string, indent: string): string {
  let out = '';
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && indent.length + line.length + 1 + word.length > WIDTH) {
      out += `${indent}${line}\n`;
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return `${out}${indent}${line}\n`;
}
