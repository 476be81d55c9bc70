/** RUN into a concrete step: the three heredoc forms, the environment, the mounts. */
import { cleanPath, isAtOrBelow } from '../spec/path-pattern.ts';
import { NON_ENVIRONMENT_ARGS, PROXY_ARGS } from './build-args.ts';
import { joinWorkdir } from './config-edit.ts';
import { runHistory } from './created-by.ts';
import type { Scope } from './evaluation-scope.ts';
import { type Heredoc, heredocText, parseHeredocWord } from './heredoc.ts';
import type { CommandForm, RunInstruction } from './instructions/command.ts';
import { type MountRequest, resolveMount } from './run-mount.ts';
import type { StageState } from './stage-state.ts';
import { resolveSource, type Source } from './stages.ts';
import type { RunStep, StepMount } from './step.ts';

const DEFAULT_SHELL: readonly string[] = ['/bin/sh', '-c'];

/** Where scripts from heredocs with a shebang appear. */
const SCRIPT_DIRECTORY = '/dev/pipes';

/** SHELL as set by the stage or its base. */
export function shellOf(state: StageState): readonly string[] {
  const shell = state.config.config?.Shell ?? [];
  return shell.length === 0 ? DEFAULT_SHELL : shell;
}

/** The exec form as it is, the shell form behind the shell. */
export function wrapInShell(command: CommandForm, shell: readonly string[]): readonly string[] {
  return command.form === 'exec' ? command.argv : [...shell, command.text];
}

export function evaluateRun(instruction: RunInstruction, scope: Scope): RunStep {
  const { state } = scope;
  const shell = shellOf(state);
  const { argv, script } = commandOf(instruction, shell);
  const config = state.config.config ?? {};
  const workdir = joinWorkdir(config.WorkingDir, '');
  const args = visibleArgs(state);
  const mounts = evaluateMounts(instruction.mounts, workdir, scope);
  const historyShell = instruction.command.form === 'exec' ? DEFAULT_SHELL : shell;
  const history = runHistory(instruction.raw, historyShell, args);
  return {
    ...scope.base(),
    kind: 'run',
    argv,
    shell,
    env: [...state.env].map(([name, value]) => `${name}=${value}`),
    proxyEnv: proxyEnv(state),
    args,
    workdir,
    user: config.User ?? '',
    mounts,
    volumes: outermost(Object.keys(config.Volumes ?? {})),
    network: instruction.network,
    security: instruction.security,
    devices: instruction.devices,
    script,
    createdBy: (suffix = '') => history + suffix,
  };
}

/**
 * One heredoc alone is the script itself: run directly when it has a shebang, else by the shell. Anything more goes to
 * the shell with its heredocs put together again, and the shell does the rest.
 */
function commandOf(
  instruction: RunInstruction,
  shell: readonly string[],
): { argv: readonly string[]; script: RunStep['script'] } {
  const { command, heredocs } = instruction;
  const [first] = heredocs;
  if (command.form === 'exec' || first === undefined) return { argv: wrapInShell(command, shell), script: undefined };
  if (parseHeredocWord(command.text) === undefined) {
    return { argv: [...shell, command.text + heredocs.map(reassemble).join('')], script: undefined };
  }
  const content = heredocText(first);
  if (!content.startsWith('#!')) return { argv: [...shell, content], script: undefined };
  const path = `${SCRIPT_DIRECTORY}/${first.name}`;
  return { argv: [path], script: { path, content, mode: 0o755 } };
}

function reassemble(heredoc: Heredoc): string {
  return `\n${heredoc.content}${heredoc.name}`;
}

function outermost(volumes: readonly string[]): string[] {
  const paths = [...new Set(volumes.map((path) => cleanPath(`/${path}`)))].sort();
  return paths.filter((path) => !paths.some((other) => other !== path && isAtOrBelow(path, other)));
}

/** Declared arguments as history tells them. */
function visibleArgs(state: StageState): { name: string; value: string }[] {
  const visible: { name: string; value: string }[] = [];
  for (const { name, value } of state.args) {
    const seen = state.env.get(name) ?? value;
    if (seen !== undefined && !NON_ENVIRONMENT_ARGS.has(name)) visible.push({ name, value: seen });
  }
  // By the whole word, as Buildah sorts: `A2=x` comes before `A=x`.
  return visible.sort((a, b) => (`${a.name}=${a.value}` < `${b.name}=${b.value}` ? -1 : 1));
}

function proxyEnv(state: StageState): string[] {
  return [...state.buildArgs]
    .filter(([name]) => PROXY_ARGS.has(name) && !state.env.has(name))
    .map(([name, value]) => `${name}=${value}`);
}

function evaluateMounts(requests: readonly MountRequest[], workdir: string, scope: Scope): StepMount[] {
  const mounts: StepMount[] = [];
  for (const request of requests) {
    const sshIndex = mounts.filter(({ type }) => type === 'ssh').length;
    const mount = resolveMount(request, { expand: (value) => scope.expand(value), workdir, sshIndex });
    mounts.push({ ...mount, content: contentOf(mount.type, request, scope.state) });
  }
  return mounts;
}

function contentOf(type: StepMount['type'], request: MountRequest, state: StageState): Source | undefined {
  if (type !== 'bind' && type !== 'cache') return undefined;
  if (request.from !== undefined) return resolveSource(request.from, state.stage.index, state.plan, 'names-only');
  return type === 'cache' ? { kind: 'scratch' } : undefined;
}
