/** Build arguments: the predefined ones, the global scope that FROM lines see, and which given ones nobody declared. */
import type { Span } from '../report/source-file.ts';
import { suggest } from '../report/suggestion.ts';
import { formatPlatform, normalizePlatform, type Platform } from '../spec/platform.ts';
import { expandFragment, type FragmentExpansion, type Lookup } from './expand.ts';
import { spanOf } from './fragment.ts';
import type { ArgInstruction } from './instructions/arg.ts';

/** Values of `--build-arg`, by name. */
export type BuildArgs = ReadonlyMap<string, string>;

export interface BuildPlatforms {
  readonly build: Platform;
  readonly target: Platform;
}

/** A variable that was used but not set. */
export interface UndefinedUse {
  readonly name: string;
  readonly span: Span;
  /** Names that were set there, for suggestions. */
  readonly known: readonly string[];
}

export interface DeclaredArg {
  readonly name: string;
  /** After build arguments and expansion; undefined for a bare declaration without a value. */
  readonly value: string | undefined;
  /** As written. */
  readonly defaultText: string | undefined;
  readonly description: string | undefined;
  readonly span: Span;
}

/** What is visible to FROM, and what a bare ARG in a stage takes its value from. */
export interface GlobalScope {
  readonly values: ReadonlyMap<string, string>;
  readonly declared: readonly DeclaredArg[];
  readonly undefinedUses: readonly UndefinedUse[];
}

/** Proxy settings: usable without ARG, handed to RUN, and kept out of history unless declared. */
export const PROXY_ARGS: ReadonlySet<string> = new Set(
  ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'].flatMap((name) => [name, name.toLowerCase()]),
);

/** Arguments that speak to the builder and never become environment. */
export const NON_ENVIRONMENT_ARGS: ReadonlySet<string> = new Set([
  'BUILDKIT_SBOM_SCAN_CONTEXT',
  'BUILDKIT_SBOM_SCAN_STAGE',
]);

/** Platform arguments and `TARGETSTAGE`, each replaced by a build argument of its name if there is one. */
export function predefinedArgs(
  platforms: BuildPlatforms,
  targetStage: string | undefined,
  buildArgs: BuildArgs,
): Map<string, string> {
  const values = new Map<string, string>();
  for (const [prefix, wanted] of [['BUILD', platforms.build] as const, ['TARGET', platforms.target] as const]) {
    const platform = normalizePlatform(wanted);
    values.set(`${prefix}PLATFORM`, formatPlatform(platform));
    values.set(`${prefix}OS`, platform.os);
    values.set(`${prefix}OSVERSION`, platform['os.version'] ?? '');
    values.set(`${prefix}ARCH`, platform.architecture);
    values.set(`${prefix}VARIANT`, platform.variant ?? '');
  }
  values.set('TARGETSTAGE', targetStage === undefined || targetStage === '' ? 'default' : targetStage);
  for (const name of values.keys()) values.set(name, buildArgs.get(name) ?? values.get(name)!);
  return values;
}

/** Evaluates the ARGs before the first FROM. @throws BuilderError `dockerfile.expansion` */
export function globalScope(
  instructions: readonly ArgInstruction[],
  predefined: ReadonlyMap<string, string>,
  buildArgs: BuildArgs,
): GlobalScope {
  const values = new Map(predefined);
  const declared: DeclaredArg[] = [];
  const undefinedUses: UndefinedUse[] = [];
  for (const instruction of instructions) {
    for (const declaration of instruction.declarations) {
      const expand = (fragment: typeof declaration.name) =>
        noteUndefined(
          expandFragment(fragment, (name) => values.get(name), instruction),
          values.keys(),
          undefinedUses,
        );
      const name = expand(declaration.name);
      const value = buildArgs.get(name) ?? (declaration.value === undefined ? undefined : expand(declaration.value));
      if (value !== undefined) values.set(name, value);
      declared.push({
        name,
        value,
        defaultText: declaration.value?.text,
        description: declaration.description,
        span: spanOf(declaration.name),
      });
    }
  }
  return { values, declared, undefinedUses };
}

/** The expanded text; uses of unset variables are added to `into`. */
export function noteUndefined(expansion: FragmentExpansion, known: Iterable<string>, into: UndefinedUse[]): string {
  for (const { name, isSet, span } of expansion.variables) {
    if (!isSet && isNamed(name)) into.push({ name, span, known: [...known] });
  }
  return expansion.text;
}

/** Positional and special parameters are always empty and no mistake to warn of. */
function isNamed(name: string): boolean {
  return /^[\p{L}_]/u.test(name);
}

export function lookupIn(values: ReadonlyMap<string, string>): Lookup {
  return (name) => values.get(name);
}

/** A build argument no reached ARG declares. */
export interface UnusedBuildArg {
  readonly name: string;
  /** A declared name it was likely meant to be. */
  readonly suggestion: string | undefined;
}

/**
 * Given build arguments that nothing consumed, in alphabetical order. Proxies, platform arguments and those that speak
 * to the builder (`BUILDKIT_…`, `SOURCE_DATE_EPOCH`) need no declaration.
 */
export function unusedBuildArgs(buildArgs: BuildArgs, consumed: ReadonlySet<string>): UnusedBuildArg[] {
  const isFree = (name: string) =>
    PROXY_ARGS.has(name) ||
    name.startsWith('BUILDKIT_') ||
    name === 'SOURCE_DATE_EPOCH' ||
    /^(BUILD|TARGET)(PLATFORM|OS|OSVERSION|ARCH|VARIANT)$/.test(name) ||
    name === 'TARGETSTAGE';
  return [...buildArgs.keys()]
    .filter((name) => !consumed.has(name) && !isFree(name))
    .sort()
    .map((name) => ({ name, suggestion: suggest(name, consumed) }));
}
