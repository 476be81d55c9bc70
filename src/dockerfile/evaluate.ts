/**
 * Evaluating one stage: a reducer that turns instructions into concrete steps. State goes in, a step and the next state
 * come out, so that an executor can run each step before it asks for the next. Nothing here has effects.
 */
import type { SourceFile } from '../report/source-file.ts';
import { suggest } from '../report/suggestion.ts';
import type { EditConfig, ImageConfig } from '../spec/image-config.ts';
import { type BuildArgs, NON_ENVIRONMENT_ARGS } from './build-args.ts';
import * as edits from './config-edit.ts';
import { noOperation } from './created-by.ts';
import { evaluateAdd, evaluateCopy } from './evaluate-copy.ts';
import { evaluateRun, shellOf, wrapInShell } from './evaluate-run.ts';
import { type Evaluated, Scope } from './evaluation-scope.ts';
import { type Fragment, spanOf } from './fragment.ts';
import type { ArgInstruction } from './instructions/arg.ts';
import { syntaxError } from './instructions/base.ts';
import type { HealthcheckInstruction } from './instructions/health-check.ts';
import { buildInstruction, type StageInstruction } from './instructions.ts';
import { parseDockerfile } from './parser.ts';
import { parsePort } from './ports.ts';
import { isSignal, SIGNAL_NAMES } from './signals.ts';
import type { StageState } from './stage-state.ts';
import type { Stage, StagePlan } from './stages.ts';
import type { ArgStep, WorkdirStep } from './step.ts';

/** Drivers hold states between steps. */
export type { StageState } from './stage-state.ts';

export interface StageInput {
  readonly plan: StagePlan;
  readonly stage: Stage;
  readonly buildArgs?: BuildArgs;
  /** Config of the base image; undefined for scratch and for a base stage. */
  readonly baseConfig?: ImageConfig;
  /** Final state of the stage named in FROM. */
  readonly parent?: StageState;
}

export interface StageStart {
  readonly state: StageState;
  /** To be applied to the base's config before anything else. */
  readonly edit: EditConfig;
  /** ONBUILD instructions of the base, to be evaluated before the stage's own. */
  readonly triggers: readonly StageInstruction[];
}

/** @throws BuilderError `dockerfile.syntax` and the like for a malformed trigger in the base image */
export function beginStage(input: StageInput): StageStart {
  const { plan, stage, parent } = input;
  const platform = stage.platform ?? plan.platforms.target;
  const base = parent?.config ?? input.baseConfig ?? edits.scratchConfig(platform);
  const edit = edits.startFromBase();
  const config = edit(base);
  const imageEnv = new Map((config.config?.Env ?? []).map(splitEnv));
  // The parent's arguments stay visible, but a stage begins as on any image: with every ENV set, whatever came last there.
  const env = parent === undefined ? imageEnv : new Map([...imageEnv, ...parent.env, ...imageEnv]);
  return {
    edit,
    triggers: (base.config?.OnBuild ?? []).map((expression) => parseTrigger(expression, stage)),
    state: {
      plan,
      stage,
      buildArgs: input.buildArgs ?? new Map(),
      config,
      env,
      args: parent?.args ?? [],
      hasCmd: false,
      hasWorkdir: parent?.hasWorkdir ?? false,
    },
  };
}

function splitEnv(entry: string): [string, string] {
  const equals = entry.indexOf('=');
  return equals === -1 ? [entry, ''] : [entry.slice(0, equals), entry.slice(equals + 1)];
}

/** Parses a trigger stored in an image. @throws BuilderError `dockerfile.syntax` and the like */
export function parseTrigger(expression: string, stage: Stage): StageInstruction {
  const file: SourceFile = { name: `ONBUILD of ${stage.baseText}`, text: expression };
  const parsed = parseDockerfile(file);
  const [raw, ...more] = parsed.instructions;
  const built = raw === undefined || more.length > 0 ? undefined : buildInstruction(raw, parsed.escape);
  if (built === undefined || built.kind === 'from' || built.kind === 'onbuild' || built.kind === 'maintainer') {
    const message = `the base ${stage.baseText} has an ONBUILD trigger that is not one instruction of its own`;
    throw syntaxError({ file, start: 0, end: expression.length }, message);
  }
  return built;
}

/** Evaluates one instruction. @throws BuilderError `dockerfile.expansion`, `dockerfile.syntax`, `dockerfile.stage-not-found` */
export function evaluateInstruction(state: StageState, instruction: StageInstruction, isTrigger = false): Evaluated {
  return evaluate(instruction, new Scope(state, instruction, isTrigger));
}

/** Names of build arguments a stage took notice of, for the warning about unused ones. */
export function consumedArgs(state: StageState): Set<string> {
  return new Set(state.args.map(({ name }) => name));
}

function evaluate(instruction: StageInstruction, scope: Scope): Evaluated {
  const { state } = scope;
  switch (instruction.kind) {
    case 'run':
      return { step: evaluateRun(instruction, scope), state };
    case 'copy':
      return { step: evaluateCopy(instruction, scope), state };
    case 'add':
      return { step: evaluateAdd(instruction, scope), state };
    case 'workdir':
      return evaluateWorkdir(instruction.path, scope);
    case 'arg':
      return evaluateArg(instruction, scope);
    case 'env': {
      const pairs = expandPairs(instruction.pairs, scope);
      const env = new Map([...state.env, ...pairs]);
      return scope.config(edits.setEnv(pairs), { env });
    }
    case 'label': {
      const pairs = expandPairs(instruction.pairs, scope);
      return scope.config(edits.setLabels(pairs));
    }
    case 'cmd': {
      const argv = wrapInShell(instruction.command, shellOf(state));
      return scope.config(edits.setCmd(argv), { hasCmd: true });
    }
    case 'entrypoint': {
      const argv = wrapInShell(instruction.command, shellOf(state));
      return scope.config(edits.setEntrypoint(argv, state.hasCmd));
    }
    default:
      return evaluateSetting(instruction, scope);
  }
}

type Setting = Exclude<
  StageInstruction,
  { kind: 'run' | 'copy' | 'add' | 'workdir' | 'arg' | 'env' | 'label' | 'cmd' | 'entrypoint' }
>;

function evaluateSetting(instruction: Setting, scope: Scope): Evaluated {
  switch (instruction.kind) {
    case 'shell':
      return scope.config(edits.setShell(instruction.shell));
    case 'healthcheck':
      return evaluateHealthcheck(instruction, scope);
    case 'expose': {
      const ports = instruction.ports.flatMap((fragment) =>
        scope.expandWords(fragment).flatMap((word) => portsOf(word, fragment)),
      );
      return scope.config(edits.addPorts(ports));
    }
    case 'volume': {
      const paths = instruction.paths.map((path) => nonEmpty(scope.expand(path), path, 'VOLUME'));
      return scope.config(edits.addVolumes(paths));
    }
    case 'user': {
      const user = scope.expand(instruction.user);
      return scope.config(edits.setUser(user));
    }
    case 'stopsignal': {
      const signal = signalOf(scope.expand(instruction.signal), instruction.signal);
      return scope.config(edits.setStopSignal(signal));
    }
    case 'maintainer':
      return scope.config(edits.setAuthor(instruction.name));
    case 'onbuild':
      return scope.config(edits.addOnBuild(instruction.expression));
  }
}

function evaluateHealthcheck(instruction: HealthcheckInstruction, scope: Scope): Evaluated {
  return scope.config(edits.setHealthcheck(instruction.health));
}

function expandPairs(pairs: readonly { key: Fragment; value: Fragment }[], scope: Scope): edits.Pair[] {
  return pairs.map(({ key, value }) => [nonEmpty(scope.expand(key), key, 'a name'), scope.expand(value)] as const);
}

function nonEmpty(text: string, written: Fragment, what: string): string {
  if (text !== '') return text;
  throw syntaxError(spanOf(written), `${what} is empty once ${JSON.stringify(written.text)} is expanded`);
}

function portsOf(word: string, written: Fragment): readonly string[] {
  const port = parsePort(word);
  if (!('error' in port)) return port.ports;
  throw syntaxError(spanOf(written), `invalid port ${JSON.stringify(word)}: ${port.error}`);
}

function signalOf(signal: string, written: Fragment): string {
  if (isSignal(signal)) return signal;
  const near = suggest(signal.toUpperCase().startsWith('SIG') ? signal : `SIG${signal}`, SIGNAL_NAMES);
  const hint = near === undefined ? undefined : `did you mean ${near}?`;
  throw syntaxError(spanOf(written), `unknown signal ${JSON.stringify(signal)}`, hint);
}

function evaluateWorkdir(written: Fragment, scope: Scope): Evaluated {
  const { state } = scope;
  const path = edits.joinWorkdir(state.config.config?.WorkingDir, scope.expand(written));
  const edit = edits.setWorkdir(path);
  const step: WorkdirStep = {
    ...scope.base(),
    kind: 'workdir',
    path,
    owner: state.config.config?.User ?? '',
    edit,
    createdBy: scope.historyLine(),
  };
  return { step, state: { ...state, config: edit(state.config), hasWorkdir: true } };
}

/** Build argument, else own default (expanded now), else the global value; a bare name without any of them stays unset. */
function evaluateArg(instruction: ArgInstruction, scope: Scope): Evaluated {
  const { state } = scope;
  const env = new Map(state.env);
  const args = new Map(state.args.map(({ name, value }) => [name, value]));
  const names: string[] = [];
  for (const declaration of instruction.declarations) {
    const name = nonEmpty(scope.expand(declaration.name, env), declaration.name, 'a name');
    const inherited = declaration.value === undefined ? state.plan.global.values.get(name) : undefined;
    const value =
      state.buildArgs.get(name) ?? (declaration.value === undefined ? inherited : scope.expand(declaration.value, env));
    args.set(name, value ?? args.get(name));
    if (value !== undefined && !NON_ENVIRONMENT_ARGS.has(name)) env.set(name, value);
    names.push(name);
  }
  const known = [...args].filter(([, value]) => value !== undefined).map(([name]) => name);
  const createdBy = noOperation(`ARG ${known.sort().join(' ')}`);
  const step: ArgStep = { ...scope.base(), kind: 'arg', names, createdBy };
  return { step, state: { ...state, env, args: [...args].map(([name, value]) => ({ name, value })) } };
}
