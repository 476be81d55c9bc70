/** What the RUN instructions of a file call, for rules about commands. */
import type { EvaluatedStage } from '../evaluate-plan.ts';
import { shellOf } from '../evaluate-run.ts';
import { type Fragment, spanOf } from '../fragment.ts';
import { heredocBody, parseHeredocWord } from '../heredoc.ts';
import type { RunInstruction } from '../instructions/command.ts';
import type { RawInstruction } from '../parser.ts';
import { type ShellCommand, type ShellWord, shellCommands } from '../shell/shell-commands.ts';
import type { StageState } from '../stage-state.ts';

export interface RunScript {
  readonly stage: EvaluatedStage;
  readonly instruction: RunInstruction;
  /** The instruction of the file: the same, or the ONBUILD in front of it. */
  readonly about: RawInstruction;
  readonly before: StageState;
  /** The shell that reads it, `-c` and the like included; undefined for a form that has none. */
  readonly shell: readonly string[] | undefined;
  readonly commands: readonly ShellCommand[];
  /** Places outside the image while it runs: caches and tmpfs. */
  readonly mounted: readonly string[];
}

const SHELLS = /^(?:\/(?:usr\/(?:local\/)?)?bin\/)?(?:sh|bash|dash|ash|zsh|ksh)$/;

const known = new WeakMap<readonly EvaluatedStage[], readonly RunScript[]>();

/** All that can be read; a RUN for another kind of shell, or one no shell would take, is left out. */
export function runScripts(evaluated: readonly EvaluatedStage[]): readonly RunScript[] {
  const found = known.get(evaluated) ?? evaluated.flatMap((stage) => [...scriptsOf(stage)]);
  known.set(evaluated, found);
  return found;
}

function* scriptsOf(stage: EvaluatedStage): Generator<RunScript> {
  for (const { step, before } of stage.steps) {
    const { instruction, isTrigger } = step;
    if (isTrigger) continue;
    const run = instruction.kind === 'onbuild' ? instruction.trigger : instruction;
    if (run.kind !== 'run') continue;
    const read = readRun(run, shellOf(before));
    if (read === undefined) continue;
    const mounts = step.kind === 'run' ? step.mounts : [];
    const mounted = mounts.flatMap((mount) => (mount.type === 'cache' || mount.type === 'tmpfs' ? mount.target : []));
    yield { stage, instruction: run, about: instruction.raw, before, mounted, ...read };
  }
}

type Read = Pick<RunScript, 'shell' | 'commands'>;

function readRun(run: RunInstruction, shell: readonly string[]): Read | undefined {
  if (run.command.form === 'exec') return readArgv(run.raw.args);
  if (!SHELLS.test(shell[0] ?? '')) return undefined;
  const text = scriptText(run);
  const commands = text === undefined ? undefined : shellCommands(text);
  return commands === undefined ? undefined : { shell, commands };
}

/** A heredoc alone is the script, unless its first line names another interpreter. */
function scriptText(run: RunInstruction): Fragment | undefined {
  const [text] = run.raw.args;
  const [first] = run.heredocs;
  if (text === undefined || first === undefined || parseHeredocWord(text.text) === undefined) return text;
  const program = /^#!\s*(\S+)(?:\s+(\S+))?/.exec(first.content);
  const interpreter = program?.[1]?.endsWith('/env') ? `/bin/${program[2]}` : program?.[1];
  return interpreter === undefined || SHELLS.test(interpreter) ? heredocBody(first) : undefined;
}

/** The exec form calls one program; a shell with `-c` is read further. */
function readArgv(args: readonly Fragment[]): Read | undefined {
  const option = args.findIndex(({ text }) => /^-[a-z]*c$/.test(text));
  const script = args[option + 1];
  if (SHELLS.test(args[0]?.text ?? '') && option > 0 && script !== undefined) {
    const commands = shellCommands(script);
    return commands === undefined ? undefined : { shell: args.slice(0, option + 1).map(({ text }) => text), commands };
  }
  const words = args.map(
    (fragment): ShellWord => ({ kind: 'word', text: fragment.text, fragment, isLiteral: true, isPlain: false }),
  );
  if (words.length === 0) return undefined;
  const span = { ...spanOf(args[0]!), end: spanOf(args.at(-1)!).end };
  return { shell: undefined, commands: [{ words, assignments: [], span, isPiped: false, isNested: false }] };
}

/** A program and what it is told, seen through `sudo`, `env` and the like. */
export interface Call {
  readonly command: ShellCommand;
  /** Without directories. */
  readonly program: string;
  readonly programWord: ShellWord;
  readonly args: readonly ShellWord[];
}

const WRAPPERS: ReadonlySet<string> = new Set(['command', 'env', 'exec', 'nice', 'nohup', 'sudo', 'eatmydata']);

/** Undefined where the program is not written out. */
export function callOf(command: ShellCommand): Call | undefined {
  let words = command.words;
  for (;;) {
    const [programWord, ...args] = words;
    if (programWord === undefined || !programWord.isLiteral) return undefined;
    const program = programWord.text.slice(programWord.text.lastIndexOf('/') + 1);
    const next = args.findIndex(({ text }) => !text.startsWith('-') && !/^\w+=/.test(text));
    if (!WRAPPERS.has(program) || next === -1) return { command, program, programWord, args };
    words = args.slice(next);
  }
}

/** All calls of a script that can be told. */
export function callsOf(script: RunScript): readonly Call[] {
  return script.commands.flatMap((command) => callOf(command) ?? []);
}

/** Whether one of the words may turn out to be a flag nobody can see here. */
export function mayHideFlags({ args }: Call): boolean {
  return args.some(({ text, isLiteral }) => !isLiteral && /^[$`]/.test(text));
}

/** The first word of a call that is no flag: `install` of `apt-get -y install x`. */
export function subcommand({
  args,
}: Call): { readonly word: ShellWord; readonly rest: readonly ShellWord[] } | undefined {
  const at = args.findIndex(({ text }, i) => !text.startsWith('-') && !takesValue(args[i - 1]?.text));
  return at === -1 ? undefined : { word: args[at]!, rest: args.slice(at + 1) };
}

/** Flags of package managers in front of their subcommand that take the next word. */
function takesValue(flag: string | undefined): boolean {
  return flag !== undefined && /^(-o|-c|-t|--option|--repository|-X|-p|--root|-C|--prefix)$/.test(flag);
}

/** Whether a short letter (also in a group) or one of the long names is among the flags. */
export function hasFlag({ args }: Call, letter: string | undefined, ...names: readonly string[]): boolean {
  return args.some(
    ({ text }) =>
      names.some((name) => text === `--${name}` || text.startsWith(`--${name}=`)) ||
      (letter !== undefined && /^-[A-Za-z]+$/.test(text) && text.includes(letter)),
  );
}

/** Whether `place` is one of the mounted directories or inside one. */
export function isMounted({ mounted }: RunScript, place: string): boolean {
  return mounted.some((target) => {
    const directory = target.replace(/\/+$/, '');
    return place === directory || place.startsWith(`${directory}/`);
  });
}

/** Indices of stages whose files end up in an image: those nothing else uses, and what they are built FROM. */
export function imageStages(evaluated: readonly EvaluatedStage[]): ReadonlySet<number> {
  const used = new Set(evaluated.flatMap(({ stage }) => stage.dependencies.map(({ index }) => index)));
  const kept = new Set<number>();
  for (const { stage } of evaluated.toReversed()) {
    if (used.has(stage.index) && !kept.has(stage.index)) continue;
    kept.add(stage.index);
    if (stage.base.kind === 'stage') kept.add(stage.base.index);
  }
  return kept;
}
