/**
 * Stages: splitting a file at its FROM lines, naming what each is based on and reads from, and which of them a target
 * needs. All of this is known before any base image is looked at.
 */
import { BuilderError } from '../report/builder-error.ts';
import type { Span } from '../report/source-file.ts';
import { suggest } from '../report/suggestion.ts';
import { type Platform, parsePlatform } from '../spec/platform.ts';
import { familiarName, parseReference, withDefaultTag } from '../spec/reference.ts';
import {
  type BuildArgs,
  type BuildPlatforms,
  type GlobalScope,
  globalScope,
  lookupIn,
  noteUndefined,
  predefinedArgs,
  type UndefinedUse,
} from './build-args.ts';
import { expandFragment } from './expand.ts';
import { type Fragment, spanOf } from './fragment.ts';
import type { ArgInstruction } from './instructions/arg.ts';
import { syntaxError } from './instructions/base.ts';
import type { FromInstruction } from './instructions/from.ts';
import type { Instruction, StageInstruction } from './instructions.ts';

/** Where a filesystem comes from: what FROM builds on, or what COPY and mounts read. */
export type Source =
  | { readonly kind: 'scratch' }
  | { readonly kind: 'stage'; readonly index: number }
  /** A named context of the command line; its name as there. */
  | { readonly kind: 'context'; readonly name: string }
  | { readonly kind: 'image'; readonly reference: string };

/** One use of another stage. */
export interface StageDependency {
  readonly index: number;
  readonly reason: 'from' | 'copy' | 'mount';
  readonly span: Span;
}

export interface Stage {
  readonly index: number;
  /** In lower case. */
  readonly name: string | undefined;
  readonly from: FromInstruction;
  readonly base: Source;
  /** The image of the FROM line, expanded. */
  readonly baseText: string;
  /** From `--platform`; the target platform when undefined. */
  readonly platform: Platform | undefined;
  readonly instructions: readonly StageInstruction[];
  readonly dependencies: readonly StageDependency[];
}

export interface StagePlan {
  readonly global: GlobalScope;
  readonly globalArgs: readonly ArgInstruction[];
  readonly stages: readonly Stage[];
  readonly contexts: ReadonlySet<string>;
  readonly platforms: BuildPlatforms;
  /** Unset variables used in FROM lines. */
  readonly undefinedUses: readonly UndefinedUse[];
}

export interface PlanOptions {
  readonly platforms: BuildPlatforms;
  readonly buildArgs?: BuildArgs;
  /** `--target` as given: sets TARGETSTAGE. */
  readonly target?: string;
  /** Names of additional contexts (`--build-context name=…`); they win over stages and images. */
  readonly contexts?: ReadonlySet<string>;
}

interface Draft {
  readonly from: FromInstruction;
  readonly instructions: StageInstruction[];
}

/**
 * @throws BuilderError `dockerfile.syntax` (no FROM, an instruction before it, blank base name, bad platform, cycle),
 *   `dockerfile.expansion`, `dockerfile.stage-not-found` (index out of range)
 */
export function planStages(instructions: readonly Instruction[], options: PlanOptions): StagePlan {
  const { globalArgs, drafts } = splitStages(instructions);
  const buildArgs = options.buildArgs ?? new Map<string, string>();
  const target = options.target ?? drafts.at(-1)?.from.stageName;
  const global = globalScope(globalArgs, predefinedArgs(options.platforms, target, buildArgs), buildArgs);
  const undefinedUses: UndefinedUse[] = [];
  const contexts = options.contexts ?? new Set<string>();
  const stages: Stage[] = [];
  for (const draft of drafts) stages.push(planBase(draft, stages, { global, contexts, options, undefinedUses }));
  const names: NameTable = { stages, contexts };
  const complete = stages.map((stage) => ({ ...stage, dependencies: allDependencies(stage, names) }));
  refuseCycles(complete);
  return { global, globalArgs, stages: complete, contexts, platforms: options.platforms, undefinedUses };
}

function splitStages(instructions: readonly Instruction[]): { globalArgs: ArgInstruction[]; drafts: Draft[] } {
  const globalArgs: ArgInstruction[] = [];
  const drafts: Draft[] = [];
  for (const instruction of instructions) {
    const current = drafts.at(-1);
    if (instruction.kind === 'from') drafts.push({ from: instruction, instructions: [] });
    else if (current !== undefined) current.instructions.push(instruction);
    else if (instruction.kind === 'arg') globalArgs.push(instruction);
    else {
      throw syntaxError(
        instruction.span,
        `${instruction.raw.name} stands before the first FROM`,
        'only ARG may stand there',
      );
    }
  }
  const last = globalArgs.at(-1);
  if (drafts.length === 0) {
    const message = 'the dockerfile has no FROM, so there is nothing to build';
    throw last === undefined ? new BuilderError('dockerfile.syntax', message) : syntaxError(last.span, message);
  }
  return { globalArgs, drafts };
}

interface BaseScope {
  readonly global: GlobalScope;
  readonly contexts: ReadonlySet<string>;
  readonly options: PlanOptions;
  readonly undefinedUses: UndefinedUse[];
}

function planBase(draft: Draft, earlier: readonly Stage[], scope: BaseScope): Stage {
  const { from } = draft;
  const expand = (fragment: Fragment) =>
    noteUndefined(
      expandFragment(fragment, lookupIn(scope.global.values), from),
      scope.global.values.keys(),
      scope.undefinedUses,
    );
  const baseText = expand(from.image);
  if (baseText === '') {
    const message = `the base image ${JSON.stringify(from.image.text)} is blank once its variables are filled in`;
    throw syntaxError(spanOf(from.image), message, 'declare the ARG before the first FROM and give it a default');
  }
  const replacement = from.stageName !== undefined && scope.contexts.has(from.stageName) ? from.stageName : undefined;
  return {
    index: earlier.length,
    name: from.stageName,
    from,
    base:
      replacement === undefined ? baseOf(baseText, earlier, scope.contexts) : { kind: 'context', name: replacement },
    baseText,
    platform: from.platform === undefined ? undefined : platformOf(from.platform, expand(from.platform), scope.options),
    // A named context stands in for the whole stage of its name.
    instructions: replacement === undefined ? draft.instructions : [],
    dependencies: [],
  };
}

function platformOf(written: Fragment, text: string, options: PlanOptions): Platform {
  const shown = JSON.stringify(written.text);
  if (text === '')
    throw syntaxError(spanOf(written), `the platform ${shown} is blank once its variables are filled in`);
  const isOs = text === 'linux' || text === 'windows' || text === 'darwin';
  const platform = isOs ? { ...options.platforms.build, os: text } : parsePlatform(text);
  if (platform === undefined)
    throw syntaxError(spanOf(written), `invalid platform ${JSON.stringify(text)}`, 'write it as os/arch[/variant]');
  return platform;
}

/** A FROM name may be an earlier stage only; case does not matter, which an image name could not have anyway. */
function baseOf(text: string, earlier: readonly Stage[], contexts: ReadonlySet<string>): Source {
  if (text === 'scratch') return { kind: 'scratch' };
  const context = contextOf(text, contexts);
  if (context !== undefined) return { kind: 'context', name: context };
  const stage = earlier.findLast(({ name }) => name === text.toLowerCase());
  return stage === undefined ? { kind: 'image', reference: text } : { kind: 'stage', index: stage.index };
}

/** A context may carry an image's name in any spelling: `alpine` is `docker.io/library/alpine:latest`. */
function contextOf(text: string, contexts: ReadonlySet<string>): string | undefined {
  if (contexts.has(text)) return text;
  const wanted = comparableName(text);
  return [...contexts].find((name) => comparableName(name) === wanted);
}

function comparableName(text: string): string {
  try {
    return familiarName(withDefaultTag(parseReference(text)));
  } catch {
    return text;
  }
}

export interface NameTable {
  readonly stages: readonly Stage[];
  readonly contexts: ReadonlySet<string>;
}

/**
 * What a `--from` or a mount's `from` names, seen from stage `user`. Of several stages of one name the nearest above
 * counts; a stage that only comes later is answered too (using it is an error, `requireEarlierStages` tells).
 * @throws BuilderError `dockerfile.stage-not-found` for an index out of range
 */
export function resolveSource(
  name: Fragment,
  user: number,
  names: NameTable,
  indexes: 'indexes' | 'names-only',
): Source {
  if (name.text === 'scratch') return { kind: 'scratch' };
  const context = contextOf(name.text, names.contexts);
  if (context !== undefined) return { kind: 'context', name: context };
  if (indexes === 'indexes' && /^[+-]?\d+$/.test(name.text)) return stageByIndex(name, names.stages);
  const same = names.stages.filter((stage) => stage.name === name.text.toLowerCase());
  const stage = same.findLast(({ index }) => index < user) ?? same[0];
  return stage === undefined ? { kind: 'image', reference: name.text } : { kind: 'stage', index: stage.index };
}

function stageByIndex(name: Fragment, stages: readonly Stage[]): Source {
  const index = Number(name.text);
  if (index >= 0 && index < stages.length) return { kind: 'stage', index };
  throw new BuilderError(
    'dockerfile.stage-not-found',
    `there is no stage ${name.text}: the file has ${stages.length}, counted from 0`,
    {
      span: spanOf(name),
    },
  );
}

/**
 * The other stages that some instructions of stage `user` read from. For triggers of a base image call it again once
 * its config is known.
 */
export function dependenciesOf(
  instructions: readonly StageInstruction[],
  user: number,
  names: NameTable,
): StageDependency[] {
  const found: StageDependency[] = [];
  const add = (name: Fragment | undefined, reason: 'copy' | 'mount') => {
    if (name === undefined) return;
    const source = resolveSource(name, user, names, reason === 'copy' ? 'indexes' : 'names-only');
    if (source.kind === 'stage') found.push({ index: source.index, reason, span: spanOf(name) });
  };
  for (const instruction of instructions) {
    if (instruction.kind === 'copy') add(instruction.from, 'copy');
    else if (instruction.kind === 'run') for (const mount of instruction.mounts) add(mount.from, 'mount');
  }
  return found;
}

/** Includes what the ONBUILD triggers of a stage it is based on will read. */
function allDependencies(stage: Stage, names: NameTable): StageDependency[] {
  const own = dependenciesOf(stage.instructions, stage.index, names);
  if (stage.base.kind !== 'stage') return own;
  const base = names.stages[stage.base.index]!;
  const triggers = base.instructions.flatMap((instruction) =>
    instruction.kind === 'onbuild' ? [instruction.trigger] : [],
  );
  const from = { index: base.index, reason: 'from', span: spanOf(stage.from.image) } as const;
  return [from, ...dependenciesOf(triggers, stage.index, names), ...own];
}

function refuseCycles(stages: readonly Stage[]): void {
  const done = new Set<number>();
  const path: number[] = [];
  const visit = (index: number, span: Span): void => {
    if (path.includes(index)) {
      const names = [...path.slice(path.indexOf(index)), index].map((i) => stageLabel(stages[i]!));
      throw syntaxError(span, `circular dependency between stages: ${names.join(' needs ')}`);
    }
    if (done.has(index)) return;
    path.push(index);
    for (const dependency of stages[index]!.dependencies) visit(dependency.index, dependency.span);
    path.pop();
    done.add(index);
  };
  for (const stage of stages) visit(stage.index, stage.from.span);
}

/** The stage's name, or `stage-N`. */
export function stageLabel(stage: Stage): string {
  return stage.name ?? `stage-${stage.index}`;
}

/**
 * The index of the stage to build: by name (case does not matter), else by index; the last one when nothing is asked.
 * @throws BuilderError `dockerfile.stage-not-found`, with the likely name
 */
export function findTarget(plan: StagePlan, target?: string): number {
  if (target === undefined || target === '') return plan.stages.length - 1;
  const named = plan.stages.findLast(({ name }) => name === target.toLowerCase());
  if (named !== undefined) return named.index;
  if (/^\d+$/.test(target) && Number(target) < plan.stages.length) return Number(target);
  const near = suggest(
    target,
    plan.stages.flatMap(({ name }) => name ?? []),
  );
  throw new BuilderError('dockerfile.stage-not-found', `target stage ${JSON.stringify(target)} could not be found`, {
    ...(near === undefined ? {} : { hint: `did you mean ${near}?` }),
  });
}

/**
 * The stages a target needs, itself included, in declaration order; the others need not even be resolved.
 * @throws BuilderError `dockerfile.stage-not-found` when one of them reads from a stage that comes later
 */
export function neededStages(plan: StagePlan, target: number): number[] {
  const needed = new Set<number>();
  const open = [target];
  for (let index = open.pop(); index !== undefined; index = open.pop()) {
    if (needed.has(index)) continue;
    needed.add(index);
    const { dependencies } = plan.stages[index]!;
    requireEarlierStages(plan.stages, index, dependencies);
    open.push(...dependencies.map((dependency) => dependency.index));
  }
  return [...needed].sort((a, b) => a - b);
}

/** Refuses to read from stages that come later. @throws BuilderError `dockerfile.stage-not-found` */
export function requireEarlierStages(
  stages: readonly Stage[],
  user: number,
  dependencies: readonly StageDependency[],
): void {
  for (const { index, reason, span } of dependencies) {
    if (index < user) continue;
    const verb = reason === 'mount' ? 'mount from' : 'copy from';
    const message = `cannot ${verb} stage ${stageLabel(stages[index]!)}: it needs to be defined before stage ${stageLabel(stages[user]!)}`;
    throw new BuilderError('dockerfile.stage-not-found', message, { span, hint: 'move that stage up' });
  }
}

/** Every ARG name that the global scope and the given stages declare. */
export function declaredArgNames(plan: StagePlan, stages: readonly number[]): Set<string> {
  const names = new Set(plan.global.declared.map(({ name }) => name));
  for (const index of stages) {
    for (const instruction of plan.stages[index]!.instructions) {
      if (instruction.kind !== 'arg') continue;
      for (const { name } of instruction.declarations) names.add(name.text);
    }
  }
  return names;
}
