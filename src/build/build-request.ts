/** Everything a build reads before anything is built: the file, its contexts and arguments, the plan of its stages. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Engine } from '../container/engine.ts';
import type { BuildOptions } from '../container/verb-options.ts';
import { buildInstructions } from '../dockerfile/instructions.ts';
import { parseDockerfile } from '../dockerfile/parser.ts';
import { findTarget, planStages, type StagePlan } from '../dockerfile/stages.ts';
import type { SourceFile } from '../report/source-file.ts';
import { hostPlatform, type Platform } from '../spec/platform.ts';
import { buildArguments } from './build-arguments.ts';
import { type BuildContext, openContext, readAllStdin } from './build-context.ts';
import { readContainerfile } from './containerfile.ts';
import { type NamedContext, openNamedContexts } from './named-context.ts';

export interface BuildRequest {
  readonly context: BuildContext;
  /** As parsed: what `-f` named, several joined. */
  readonly source: SourceFile;
  readonly plan: StagePlan;
  /** Index of the stage to build. */
  readonly target: number;
  readonly buildArgs: ReadonlyMap<string, string>;
  readonly contexts: ReadonlyMap<string, NamedContext>;
  /** Path of the file when there is just one. */
  readonly containerfile: string | undefined;
  readonly platform: Platform;
}

/** @throws `dockerfile.*` with a place, `context.invalid`, `usage.invalid` */
export async function readRequest(engine: Engine, o: BuildOptions): Promise<BuildRequest> {
  const context = await openContext(engine, o.context, readAllStdin);
  const { source, path } = readContainerfile({
    files: filesOf(o, context),
    contextDir: context.dir,
    cwd: engine.cwd,
    readStdin: () => readFileSync('/dev/stdin', 'utf8'),
  });
  const buildArgs = buildArguments(o.buildArgs ?? [], o.buildArgFiles ?? [], engine.env, engine.cwd);
  const contexts = await openNamedContexts(engine, o.buildContexts ?? []);
  const parsed = parseDockerfile(source);
  for (const diagnostic of parsed.warnings) engine.emit({ type: 'diagnostic', diagnostic });
  const platform = o.platform ?? hostPlatform();
  const plan = planStages(buildInstructions(parsed), {
    platforms: { build: hostPlatform(), target: platform },
    buildArgs,
    contexts: new Set(contexts.keys()),
    ...(o.target === undefined ? {} : { target: o.target }),
  });
  return {
    context,
    source,
    plan,
    target: findTarget(plan, o.target),
    buildArgs,
    contexts,
    containerfile: path,
    platform,
  };
}

function filesOf(o: BuildOptions, context: BuildContext): readonly string[] {
  if (o.files !== undefined && o.files.length > 0) return o.files;
  return context.file === undefined ? [] : [resolve(context.dir, context.file)];
}
