/** What can be asked of a Dockerfile without building it. A store is opened only for contexts that must be fetched. */
import type { TargetList, TargetOutline } from './build/check.ts';
import { type Builder, openBuilder } from './builder.ts';
import type { BuilderOptions, CheckOptions, DockerfileOptions } from './container/verb-options.ts';
import type { CheckFinding, CheckReport, CheckTextOptions } from './dockerfile/lint/check.ts';
import type { OutlineArg, OutlineCache, OutlineRequirement, TargetEntry } from './dockerfile/outline.ts';
import type { InstructionRanges } from './dockerfile/source-ranges.ts';

/**
 * Checks a Dockerfile: what a build would refuse, and what the lint rules find. Pure, and needs nothing but the text.
 * @throws BuilderError `usage.invalid` for an unknown rule, `dockerfile.stage-not-found` for an unknown target
 */
export async function checkDockerfile(text: string, o: CheckTextOptions = {}): Promise<CheckReport> {
  return (await import('./dockerfile/lint/check.ts')).checkText(text, o);
}

/**
 * Where keyword, flags, arguments and variables of each instruction stand, for editors. Pure. Ranges only: what an
 * instruction means, builds and checks alone tell.
 * @throws BuilderError `dockerfile.syntax` for a text that cannot be parsed
 */
export async function dockerfileRanges(text: string, name = 'Dockerfile'): Promise<readonly InstructionRanges[]> {
  const [{ parseDockerfile }, { sourceRanges }] = await Promise.all([
    import('./dockerfile/parser.ts'),
    import('./dockerfile/source-ranges.ts'),
  ]);
  return sourceRanges(parseDockerfile({ name, text }));
}

/**
 * Checks the Dockerfiles of a context, one report each.
 * @throws BuilderError `dockerfile.not-found`, `context.invalid`, `usage.invalid`, `dockerfile.stage-not-found`
 */
export async function check(o: CheckOptions & BuilderOptions = {}): Promise<readonly CheckReport[]> {
  return await answered(o, (asked) => asked.check(o));
}

/** The stages a Dockerfile can build. @throws BuilderError as `check`, and `dockerfile.*` with a place */
export async function listTargets(o: DockerfileOptions & BuilderOptions = {}): Promise<TargetList> {
  return await answered(o, (asked) => asked.listTargets(o));
}

/** The arguments, secrets, agents and caches a target takes. @throws BuilderError as `listTargets` */
export async function outlineTarget(o: DockerfileOptions & BuilderOptions = {}): Promise<TargetOutline> {
  return await answered(o, (asked) => asked.outlineTarget(o));
}

type Queries = Pick<Builder, 'check' | 'listTargets' | 'outlineTarget'>;

async function answered<T>(o: DockerfileOptions & BuilderOptions, ask: (asked: Queries) => Promise<T>): Promise<T> {
  const { isRemoteContext } = await import('./container/remote-context.ts');
  if (o.context === '-' || (o.context !== undefined && isRemoteContext(o.context))) {
    await using builder = await openBuilder(o);
    return await ask(builder);
  }
  const queries = await import('./build/check.ts');
  const place = queries.localPlace(o);
  return await ask({
    check: (options = {}) => queries.check(place, options),
    listTargets: (options = {}) => queries.listTargetsOf(place, options),
    outlineTarget: (options = {}) => queries.outlineTargetOf(place, options),
  });
}

export type {
  CheckFinding,
  CheckOptions,
  CheckReport,
  CheckTextOptions,
  DockerfileOptions,
  InstructionRanges,
  OutlineArg,
  OutlineCache,
  OutlineRequirement,
  TargetEntry,
  TargetList,
  TargetOutline,
};
