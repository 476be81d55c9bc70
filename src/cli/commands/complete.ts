/**
 * `__complete WORD…`: what could stand in place of the last word, one candidate a line, `value⇥description`. `:files`
 * and `:directories` leave the matter to the shell. Never fails: a shell at a prompt must not be disturbed.
 */
import { readFile } from 'node:fs/promises';
import type { Builder } from '../../index.ts';
import type { Command, CommandContext } from '../command.ts';
import { type FlagWord, OptionIndex, splitWords } from '../flag-words.ts';
import { GLOBAL_FLAGS, PROGRAM_FLAGS } from '../flags/global-flags.ts';
import type { Option, ValueKind } from '../option.ts';
import { commandsOf, findCommand, GROUPS } from '../program.ts';
import { storeOptions } from '../run-program.ts';

/** Candidate and description. */
type Candidate = readonly [string, string];
type Answer = readonly Candidate[] | ':files' | ':directories';

export async function complete(c: CommandContext): Promise<number> {
  try {
    const answer = await candidates(c.args, c);
    const last = c.args.at(-1) ?? '';
    if (typeof answer === 'string') c.stdout.write(`${answer}\n`);
    else for (const [value, text] of answer) if (value.startsWith(last)) c.stdout.write(lineOf(value, text));
  } catch {
    // No candidates.
  }
  return 0;
}

function lineOf(value: string, text: string): string {
  return text === '' ? `${value}\n` : `${value}\t${text}\n`;
}

async function candidates(typed: readonly string[], c: CommandContext): Promise<Answer> {
  const last = typed.at(-1) ?? '';
  const before = typed.slice(0, -1);
  const program = new OptionIndex([...PROGRAM_FLAGS, ...GLOBAL_FLAGS]);
  const head = words(before, program, false);
  if (head.pending !== undefined) return optionValues(head.pending, '', undefined, [], c, head.flags);
  const [name] = head.positionals;
  if (name === undefined)
    return last.startsWith('-') ? flagNames(program, last, undefined, [], c) : commandCandidates();
  if (GROUPS.has(name) && head.positionals.length === 1) return memberCandidates(name);
  const found = findCommand(head.positionals);
  if (found === undefined) return [];
  const { command, rest } = found;
  const index = new OptionIndex([...command.options, ...GLOBAL_FLAGS]);
  const tail = words(rest, index, command.interspersed);
  const flags = [...head.flags, ...tail.flags];
  if (tail.pending !== undefined) return optionValues(tail.pending, '', command, tail.positionals, c, flags);
  const mayBeFlag = command.interspersed || tail.positionals.length === 0;
  if (mayBeFlag && last.startsWith('-')) return flagNames(index, last, command, tail.positionals, c);
  return positionalValues(command, tail.positionals, c, flags);
}

/** The words so far; `pending` is a flag whose value is being typed. */
function words(
  typed: readonly string[],
  index: OptionIndex,
  interspersed: boolean,
): { flags: readonly FlagWord[]; positionals: readonly string[]; pending?: Option } {
  try {
    return splitWords(typed, index, interspersed);
  } catch {
    const last = typed.at(-1) ?? '';
    const pending = last.startsWith('--') ? index.long(last.slice(2)) : index.short(last.slice(-1));
    if (pending === undefined) throw new Error('not understood');
    return { ...splitWords(typed.slice(0, -1), index, interspersed), pending };
  }
}

function commandCandidates(): readonly Candidate[] {
  return [...commandsOf(undefined).map(({ name, summary }) => [name, summary] as const), ...GROUPS];
}

function memberCandidates(group: string): readonly Candidate[] {
  return commandsOf(group).map(({ name, summary }) => [name.slice(group.length + 1), summary]);
}

async function flagNames(
  index: OptionIndex,
  last: string,
  command: Command | undefined,
  args: readonly string[],
  c: CommandContext,
): Promise<Answer> {
  const equals = last.indexOf('=');
  if (equals !== -1) {
    const option = index.long(last.slice(2, equals));
    const values =
      option === undefined ? [] : await optionValues(option, last.slice(0, equals + 1), command, args, c, []);
    return typeof values === 'string' ? [] : values;
  }
  return index.options.filter((option) => !option.hidden).map((option) => [`--${option.name}`, option.summary]);
}

async function optionValues(
  option: Option,
  prefix: string,
  command: Command | undefined,
  args: readonly string[],
  c: CommandContext,
  flags: readonly FlagWord[],
): Promise<Answer> {
  if (option.choices !== undefined) return option.choices.map((choice) => [`${prefix}${choice}`, '']);
  const found = await valuesOf(option.complete ?? 'none', c, flags, command, args);
  return typeof found === 'string' ? found : found.map(([value, text]) => [`${prefix}${value}`, text]);
}

async function positionalValues(
  command: Command,
  args: readonly string[],
  c: CommandContext,
  flags: readonly FlagWord[],
): Promise<Answer> {
  if (command.name === 'completion') return ['bash', 'zsh', 'fish'].map((shell) => [shell, '']);
  if (command.name === 'help') return commandCandidates();
  if (args.length >= command.positionals.max) return [];
  const isFirst = args.length === 0;
  if (isFirst || ['rm', 'umount', 'mount', 'rmi'].includes(command.name)) {
    return valuesOf(command.positionals.complete ?? 'none', c, flags, command, args);
  }
  return ['copy', 'add', 'run', 'unshare'].includes(command.name) ? ':files' : [];
}

async function valuesOf(
  kind: ValueKind,
  c: CommandContext,
  flags: readonly FlagWord[],
  command: Command | undefined,
  args: readonly string[],
): Promise<Answer> {
  switch (kind) {
    case 'file':
      return ':files';
    case 'directory':
      return ':directories';
    case 'none':
      return [];
    case 'stage':
      return stages(flags, args[0] ?? c.cwd);
    case 'container': {
      await using builder = await openQuietly(c, flags);
      const containers = await containerNames(builder);
      return command?.name === 'inspect' ? [...containers, ...(await imageNames(builder))] : containers;
    }
    case 'image': {
      await using builder = await openQuietly(c, flags);
      const images = await imageNames(builder);
      return command?.name === 'from' ? [...images, ['scratch', 'an empty container']] : images;
    }
  }
}

/** Opens the store that the words on the line name. */
async function openQuietly(c: CommandContext, words: readonly FlagWord[]): Promise<Builder> {
  const { openBuilder } = await c.library();
  const value = (name: string): string | undefined => words.findLast((word) => word.option.name === name)?.value;
  const [root, runroot, driver] = [value('root'), value('runroot'), value('storage-driver')];
  const [imageStore, transient] = [value('imagestore'), value('transient-store')];
  return openBuilder({
    ...storeOptions(c),
    emit: () => {},
    ...(root === undefined ? {} : { root }),
    ...(runroot === undefined ? {} : { runroot }),
    ...(imageStore === undefined ? {} : { imageStore }),
    ...(transient === undefined ? {} : { transientStore: transient === 'true' }),
    ...(driver === 'overlay' || driver === 'vfs' ? { driver } : {}),
  });
}

async function containerNames(builder: Builder): Promise<readonly Candidate[]> {
  return (await builder.containers()).map(({ name, imageName }) => [name, imageName]);
}

/** Full names, and the short forms of those that need no registry. */
async function imageNames(builder: Builder): Promise<readonly Candidate[]> {
  const names = (await builder.images()).flatMap((image) => image.names);
  const short = names.filter((name) => name.startsWith('localhost/')).map((name) => name.slice('localhost/'.length));
  return [...short, ...names].map((name) => [name, '']);
}

/** Names after AS in the Containerfile that the line means. A pattern is enough here: nothing is built from it. */
async function stages(flags: readonly FlagWord[], context: string): Promise<readonly Candidate[]> {
  const file = flags.findLast((word) => word.option.name === 'file')?.value;
  const paths = file === undefined ? [`${context}/Containerfile`, `${context}/Dockerfile`] : [file];
  for (const path of paths) {
    const text = await readFile(path, 'utf8').catch(() => undefined);
    if (text === undefined) continue;
    const found = text.matchAll(/^\s*FROM\s+(?:--\S+\s+)*(\S+)\s+AS\s+(\S+)/gim);
    return [...found].map((match) => [match[2]!.toLowerCase(), match[1]!]);
  }
  return [];
}
