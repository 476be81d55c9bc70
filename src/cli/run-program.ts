/** From words to an exit code: finds the command, parses, runs its body and tells what went wrong. */
import type { Builder, BuilderOptions, Emit } from '../index.ts';
import type { Command, CommandContext, Library } from './command.ts';
import { errorCode, FAILURE } from './exit-code.ts';
import { type FlagWord, OptionIndex, splitWords } from './flag-words.ts';
import { GLOBAL_FLAGS, PROGRAM_FLAGS } from './flags/global-flags.ts';
import type { Flags } from './flags.ts';
import type { Output } from './output/output.ts';
import { parseCommand } from './parse-command.ts';
import { commandNames, findCommand, GROUPS, REFUSED_COMMANDS } from './program.ts';
import { UsageError } from './usage-error.ts';

/** All that surrounds the program, so that tests can give their own. */
export interface Surroundings {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly signal: AbortSignal;
  readonly now: () => number;
  readonly library: () => Promise<Library>;
}

/** Runs one command line. Never throws; the exit code is 0, the command's own, or 125. */
export async function runProgram(s: Surroundings): Promise<number> {
  let flags: Flags | undefined;
  try {
    const { before, rest } = splitProgram(s.argv);
    const early = await answerEarly(s, before, rest);
    if (early !== undefined) return early;
    const { command, rest: words } = requireCommand(rest);
    const parsed = await parseCommand(command, words, GLOBAL_FLAGS, s.env, before);
    if (parsed.help) return await printHelp(s, command);
    flags = parsed.flags;
    checkLogLevel(flags);
    const body = await command.load();
    const context = makeContext(s, command, parsed);
    if (!isProfiled(flags)) return await body(context);
    const { profiled } = await import('./profile.ts');
    return await profiled(flags, () => body(context));
  } catch (thrown) {
    const error = await firstOf(thrown, s);
    // An abort was asked for; its reason says all.
    if (!s.signal.aborted) await tellError(error, s, flags);
    return errorCode(error);
  }
}

function isProfiled(flags: Flags): boolean {
  return flags.given('cpu-profile') || flags.given('memory-profile');
}

/** What failed first, where cleaning up failed as well. */
async function firstOf(error: unknown, s: Surroundings): Promise<unknown> {
  if (!(error instanceof Error) || error.name !== 'SuppressedError') return error;
  return (await s.library()).firstError(error);
}

function splitProgram(argv: readonly string[]): { before: readonly FlagWord[]; rest: readonly string[] } {
  const index = new OptionIndex([...PROGRAM_FLAGS, ...GLOBAL_FLAGS]);
  const { flags, positionals } = splitWords(argv, index, false);
  return { before: flags, rest: positionals };
}

async function answerEarly(
  s: Surroundings,
  before: readonly FlagWord[],
  rest: readonly string[],
): Promise<number | undefined> {
  if (before.some((word) => word.option.name === 'version' && word.value !== 'false')) {
    const { versionLine } = await import('./release.ts');
    s.stdout.write(`${versionLine()}\n`);
    return 0;
  }
  const [group, second] = rest;
  const isGroup =
    group !== undefined && GROUPS.has(group) && (second === undefined || /^(?:-h|--help|help)$/.test(second));
  if (group !== undefined && !isGroup) return undefined;
  const { groupHelp, programHelp } = await import('./help.ts');
  s.stdout.write(group === undefined ? programHelp() : groupHelp(group));
  return 0;
}

function requireCommand(words: readonly string[]): NonNullable<ReturnType<typeof findCommand>> {
  const found = findCommand(words);
  if (found !== undefined) return found;
  const [word = '', second = ''] = words;
  const refusal = REFUSED_COMMANDS.get(word);
  if (refusal !== undefined) {
    throw new UsageError(`the command "${word}" is not supported: ${refusal}`, { code: 'usage.unsupported' });
  }
  if (GROUPS.has(word)) {
    throw new UsageError(`unknown command "${second}" for "slipway ${word}"`, {
      near: { word: second, candidates: commandNames(word), prefix: `slipway ${word} ` },
    });
  }
  throw new UsageError(`unknown command "${word}" for "slipway"`, {
    near: { word, candidates: commandNames(), prefix: 'slipway ' },
  });
}

async function printHelp(s: Surroundings, command: Command): Promise<number> {
  const { commandHelp } = await import('./help.ts');
  s.stdout.write(commandHelp(command));
  return 0;
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'warning', 'error', 'fatal', 'panic'];

function checkLogLevel(flags: Flags): void {
  const level = flags.string('log-level');
  if (level === undefined || LOG_LEVELS.includes(level)) return;
  throw new UsageError(`unable to parse log level "${level}"`, {
    near: { word: level, candidates: LOG_LEVELS, prefix: '' },
  });
}

/** `warn` unless said otherwise. */
export function logLevelOf(flags: Flags): string {
  return flags.string('log-level') ?? (flags.on('debug') ? 'debug' : 'warn');
}

function makeContext(
  s: Surroundings,
  command: Command,
  parsed: { readonly flags: Flags; readonly args: readonly string[]; readonly dashAt: number | undefined },
): CommandContext {
  const { flags, args, dashAt } = parsed;
  const context: CommandContext = {
    command,
    flags,
    args,
    dashAt,
    env: s.env,
    cwd: s.cwd,
    get stdin() {
      return s.stdin;
    },
    stdout: s.stdout,
    stderr: s.stderr,
    signal: s.signal,
    now: s.now,
    library: s.library,
    open: (emit) => openStore(context, emit),
  };
  return context;
}

async function openStore(c: CommandContext, emit: Emit | undefined): Promise<Builder> {
  const { openBuilder } = await c.library();
  return openBuilder({ ...storeOptions(c), emit: emit ?? (await plainEmit(c)) });
}

/** Where the store is and how registries are found, as the global flags say. */
export function storeOptions({ command, flags, env, cwd, signal }: CommandContext): BuilderOptions {
  const root = flags.string('root');
  const runroot = flags.string('runroot');
  const driver = flags.string('storage-driver');
  const imageStore = flags.string('imagestore');
  const transientStore = flags.bool('transient-store');
  // Options of storage.conf are for the driver named there, as in Buildah.
  const storageOptions = flags.strings('storage-opt') ?? (flags.given('storage-driver') ? [] : undefined);
  const registriesConf = flags.string('registries-conf');
  const registriesConfDir = flags.string('registries-conf-dir');
  const shortNameAliasConf = flags.string('short-name-alias-conf');
  // A flag of the commands that move images, but there is one policy for all that a command does.
  const hasPolicy = command.options.some(({ name }) => name === 'signature-policy');
  const signaturePolicy = hasPolicy ? flags.string('signature-policy') : undefined;
  const defaultMountsFile = flags.string('default-mounts-file');
  if (driver !== undefined && driver !== 'overlay' && driver !== 'vfs') {
    throw new UsageError(`storage driver "${driver}" is not supported: overlay and vfs are`, {
      code: 'usage.unsupported',
    });
  }
  return {
    env,
    cwd,
    signal,
    ...(root === undefined ? {} : { root }),
    ...(runroot === undefined ? {} : { runroot }),
    ...(driver === undefined ? {} : { driver }),
    ...(imageStore === undefined ? {} : { imageStore }),
    ...(transientStore === undefined ? {} : { transientStore }),
    ...(storageOptions === undefined ? {} : { storageOptions }),
    ...(registriesConf === undefined ? {} : { registriesConf }),
    ...(registriesConfDir === undefined ? {} : { registriesConfDir }),
    ...(shortNameAliasConf === undefined ? {} : { shortNameAliasConf }),
    ...(signaturePolicy === undefined ? {} : { signaturePolicy }),
    ...(defaultMountsFile === undefined ? {} : { defaultMountsFile }),
  };
}

async function plainEmit(c: CommandContext): Promise<Emit> {
  const { reporterFor } = await import('./command-reporter.ts');
  return reporterFor(c, { mode: 'plain' }).emit;
}

async function tellError(error: unknown, s: Surroundings, flags: Flags | undefined): Promise<void> {
  const [{ errorText, isCoded, isSystemError }, { styleFor }, { releaseVersion }] = await Promise.all([
    import('./output/error-text.ts'),
    import('./output/style.ts'),
    import('./release.ts'),
  ]);
  const wantsSuggestion = error instanceof UsageError && error.near !== undefined;
  const suggest = wantsSuggestion ? (await s.library().catch(() => undefined))?.suggest : undefined;
  const level = flags === undefined ? 'warn' : logLevelOf(flags);
  s.stderr.write(
    errorText(error, {
      width: s.stderr.columns,
      style: styleFor(s.stderr, s.env, flags?.string('color')),
      verbose: level === 'debug' || level === 'trace',
      ...(isCoded(error) || isSystemError(error) ? {} : { version: releaseVersion() }),
      ...(suggest === undefined ? {} : { suggest }),
    }),
  );
}

export { FAILURE };
