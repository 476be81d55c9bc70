/** What can be asked of a Dockerfile without building it: what is wrong with it, its targets, what a target takes. */
import { readFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import type { Engine, Environment } from '../container/engine.ts';
import { findIgnoreFile } from '../container/ignore-rules.ts';
import { fetchContext } from '../container/remote-context.ts';
import type { CheckOptions, DockerfileOptions } from '../container/verb-options.ts';
import { evaluatePlan } from '../dockerfile/evaluate-plan.ts';
import { buildArgsOf, type CheckReport, type CheckTextOptions, checkText, planOf } from '../dockerfile/lint/check.ts';
import { listTargets, type Outline, outline, type TargetEntry } from '../dockerfile/outline.ts';
import { findTarget, neededStages } from '../dockerfile/stages.ts';
import type { SourceFile } from '../report/source-file.ts';
import { buildArguments } from './build-arguments.ts';
import { type BuildContext, openContext, openLocalContext, readAllStdin } from './build-context.ts';
import { type Containerfile, readContainerfile } from './containerfile.ts';
import { grantedSecrets } from './granted-secrets.ts';

/** Where the words of the options come from. */
export interface QueryPlace {
  readonly cwd: string;
  readonly env: Environment;
  /** Opens the context; remote ones need a place to put them. */
  readonly openContext: (o: DockerfileOptions) => BuildContext | Promise<BuildContext>;
}

/** With a store to put remote contexts in. */
export function placeIn(engine: Engine): QueryPlace {
  const { cwd, env } = engine;
  return {
    cwd,
    env,
    openContext: (o) =>
      openContext(engine, o.context, readAllStdin, (at, text) => fetchContext(at, text, grantedSecrets(at, o))),
  };
}

/** For contexts on this machine. */
export function localPlace(o: { readonly cwd?: string; readonly env?: Environment }): QueryPlace {
  const { cwd = process.cwd(), env = process.env } = o;
  return { cwd, env, openContext: (o) => openLocalContext(cwd, o.context) };
}

/**
 * Checks the files of a context. No base image is fetched or looked at.
 * @throws `dockerfile.not-found`, `context.invalid`, `usage.invalid` for an unknown rule, `dockerfile.stage-not-found`
 */
export async function check(place: QueryPlace, o: CheckOptions): Promise<readonly CheckReport[]> {
  const context = await place.openContext(o);
  const files = filesOf(o, context);
  const groups = o.separately === true && files.length > 1 ? files.map((file) => [file]) : [files];
  return groups.map((group) => {
    const containerfile = readFiles(place, o, context, group);
    const options = textOptions(place, o, context, containerfile);
    return checkText(containerfile.source.text, {
      ...options,
      name: containerfile.source.name,
      ...(o.rules === undefined ? {} : { rules: o.rules }),
    });
  });
}

export interface TargetList {
  readonly file: SourceFile;
  readonly targets: readonly TargetEntry[];
}

/** All stages of the file. @throws as `check`, and `dockerfile.*` for a file that cannot be read */
export async function listTargetsOf(place: QueryPlace, o: DockerfileOptions): Promise<TargetList> {
  const { source, options } = await readOne(place, o);
  return { file: source, targets: listTargets(planOf(source, options).plan) };
}

export interface TargetOutline extends Outline {
  readonly file: SourceFile;
}

/** What the target takes: arguments, secrets, agents, caches. @throws as `listTargetsOf` */
export async function outlineTargetOf(place: QueryPlace, o: DockerfileOptions): Promise<TargetOutline> {
  const { source, options } = await readOne(place, o);
  const { plan } = planOf(source, options);
  const target = findTarget(plan, o.target);
  const stages = neededStages(plan, target);
  const evaluated = evaluatePlan(plan, {
    buildArgs: buildArgsOf(options),
    stages,
    // What depends on a base image that is not looked at cannot be told.
    onError: (error, _, isBaseKnown) => {
      if (isBaseKnown) throw error;
    },
  });
  return { file: source, ...outline(plan, evaluated, target) };
}

async function readOne(
  place: QueryPlace,
  o: DockerfileOptions,
): Promise<{ source: SourceFile; options: CheckTextOptions }> {
  const context = await place.openContext(o);
  const containerfile = readFiles(place, o, context, filesOf(o, context));
  return { source: containerfile.source, options: textOptions(place, o, context, containerfile) };
}

function filesOf(o: DockerfileOptions, context: BuildContext): readonly string[] {
  if (o.files !== undefined && o.files.length > 0) return o.files;
  return context.file === undefined ? [] : [resolve(context.dir, context.file)];
}

function readFiles(
  { cwd }: QueryPlace,
  o: DockerfileOptions,
  context: BuildContext,
  files: readonly string[],
): Containerfile {
  const readStdin = (): string => readAllStdin().toString();
  const found = readContainerfile({ files, contextDir: context.dir, cwd, readStdin });
  // What came in as the context lies in a place of ours, which says nothing to anybody.
  const isInput = o.context === '-' && context.file !== undefined && files[0] === resolve(context.dir, context.file);
  const name = isInput ? '-' : shortName(found.source.name, cwd);
  return { ...found, source: { ...found.source, name } };
}

/** Below the current directory without it, for people and editors. */
function shortName(name: string, cwd: string): string {
  const short = name.startsWith('/') ? relative(cwd, name) : name;
  return short.startsWith('../') ? name : short;
}

function textOptions(
  { cwd, env }: QueryPlace,
  o: DockerfileOptions,
  context: BuildContext,
  { path }: Containerfile,
): CheckTextOptions {
  const buildArgs = Object.fromEntries(buildArguments(o.buildArgs ?? [], o.buildArgFiles ?? [], env, cwd));
  const isIgnoring = context.isLocal || o.ignoreFile !== undefined;
  const ignorePath = isIgnoring ? findIgnoreFile(context.dir, path, o.ignoreFile, cwd) : undefined;
  return {
    buildArgs,
    contexts: (o.buildContexts ?? []).map((entry) => entry.split('=', 1)[0]!),
    ...(o.target === undefined ? {} : { target: o.target }),
    ...(o.platform === undefined ? {} : { platform: o.platform }),
    ...(ignorePath === undefined
      ? {}
      : { ignore: { name: shortName(ignorePath, cwd), text: readFileSync(ignorePath, 'utf8') } }),
  };
}
