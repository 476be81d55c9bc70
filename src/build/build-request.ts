/** Everything a build reads before anything is built: the file, its contexts and arguments, the plan of its stages. */
import { resolve } from 'node:path';
import type { Engine } from '../container/engine.ts';
import type { BuildOptions } from '../container/verb-options.ts';
import { buildInstructions, type Instruction } from '../dockerfile/instructions.ts';
import { type ParsedDockerfile, parseDockerfile } from '../dockerfile/parser.ts';
import { findTarget, planStages, type StagePlan } from '../dockerfile/stages.ts';
import { BuilderError } from '../report/builder-error.ts';
import type { SourceFile } from '../report/source-file.ts';
import { hostPlatform, type Platform } from '../spec/platform.ts';
import { buildArguments } from './build-arguments.ts';
import { type BuildContext, type FetchContext, openContext, readAllStdin } from './build-context.ts';
import { readContainerfile } from './containerfile.ts';
import { type GrantedSecrets, grantedSecrets } from './granted-secrets.ts';
import { type NamedContext, openNamedContexts } from './named-context.ts';
import { SourceGate } from './source-gate.ts';

/** The same for every platform. */
export interface BuildInput extends GrantedSecrets {
  readonly context: BuildContext;
  /** As parsed: what `-f` named, several joined. */
  readonly source: SourceFile;
  readonly parsed: ParsedDockerfile;
  readonly instructions: readonly Instruction[];
  readonly buildArgs: ReadonlyMap<string, string>;
  readonly contexts: ReadonlyMap<string, NamedContext>;
  /** Path of the file when there is just one. */
  readonly containerfile: string | undefined;
  /** What everything fetched has to pass. */
  readonly gate: SourceGate;
}

export interface BuildRequest extends BuildInput {
  readonly plan: StagePlan;
  /** Index of the stage to build. */
  readonly target: number;
  readonly platform: Platform;
  /** False when the platform is this machine's because none was named. */
  readonly isPlatformAsked: boolean;
}

/** @throws `dockerfile.*` with a place, `context.invalid`, `usage.invalid`, `lock.*`, `policy.*` */
export async function readInput(engine: Engine, o: BuildOptions): Promise<BuildInput> {
  if (o.stdin === true) refuseTakenInput(o);
  const gate = await SourceGate.open(engine, o);
  const granted = grantedSecrets(engine, o);
  const fetch: FetchContext = (at, text) => gate.fetchContext(at, text, granted);
  const context = await openContext(engine, o.context, readAllStdin, fetch);
  if (context.isLocal) gate.requireLocal('context');
  const { source, path } = readContainerfile({
    files: filesOf(o, context),
    contextDir: context.dir,
    isFetched: !context.isLocal,
    cwd: engine.cwd,
    cppFlags: o.cppFlags ?? [],
    readStdin: () => readAllStdin().toString(),
  });
  const buildArgs = buildArguments(o.buildArgs ?? [], o.buildArgFiles ?? [], engine.env, engine.cwd);
  const contexts = await openNamedContexts(engine, o.buildContexts ?? [], { gate, fetch });
  const parsed = parseDockerfile(source);
  const instructions = buildInstructions(parsed);
  return { ...granted, context, source, parsed, instructions, buildArgs, contexts, containerfile: path, gate };
}

/** What is read to its end by the build itself leaves nothing to a RUN. */
function refuseTakenInput({ context, files = [] }: BuildOptions): void {
  const isTaken = (text: string | undefined): boolean => text === '-' || text === '/dev/stdin' || text === '/dev/fd/0';
  const taker = context === '-' ? 'the context' : [context, ...files].some(isTaken) ? 'the Containerfile' : undefined;
  if (taker === undefined) return;
  throw new BuilderError('usage.invalid', `--stdin cannot give RUN the standard input from which ${taker} is read`, {
    hint: `give ${taker} as a path`,
  });
}

/** @param platform undefined for this machine's. @throws `dockerfile.*` with a place */
export function requestFor(input: BuildInput, o: BuildOptions, platform: Platform | undefined): BuildRequest {
  const wanted = platform ?? hostPlatform();
  const plan = planStages(input.instructions, {
    platforms: { build: hostPlatform(), target: wanted },
    buildArgs: input.buildArgs,
    contexts: new Set(input.contexts.keys()),
    ...(o.target === undefined ? {} : { target: o.target }),
  });
  const target = findTarget(plan, o.target);
  return { ...input, plan, target, platform: wanted, isPlatformAsked: platform !== undefined };
}

function filesOf(o: BuildOptions, context: BuildContext): readonly string[] {
  if (o.files !== undefined && o.files.length > 0) return o.files;
  return context.file === undefined ? [] : [resolve(context.dir, context.file)];
}
