/** Ignore rules, `--exclude` and `--parents` patterns as one question per path: take it, skip it, or look below? */
import { type ByteString, textOf, type WalkDecision, type WalkFilter } from '../rootfs/copy-walk.ts';
import type { PathPattern } from '../spec/path-pattern.ts';
import { globOf } from './copy-source-pattern.ts';
import type { PathRules } from './copy-source-rules.ts';

/** Whether ignore rules hide `path` itself; the root cannot be hidden. */
export function isHidden(matcher: PathRules | undefined, path: ByteString): boolean {
  return matcher !== undefined && path !== '' && matcher.matches(textOf(path));
}

/** Ignore rules, for a walk that starts at `top`. A hidden directory is looked into only if a `!` rule may match there. */
export function ignoreFilter(matcher: PathRules | undefined, top: ByteString): WalkFilter | undefined {
  if (matcher === undefined) return undefined;
  const prefix = top === '' ? '' : `${top}/`;
  return (path) => decide(matcher, textOf(prefix + path));
}

/** `--exclude` rules, relative to the top of the walk. */
export function excludeFilter(matcher: PathRules | undefined): WalkFilter | undefined {
  return matcher === undefined ? undefined : (path) => decide(matcher, textOf(path));
}

function decide(matcher: PathRules, path: string): WalkDecision {
  if (!matcher.matches(path)) return 'take';
  return matcher.mayIncludeBelow(path) ? 'below' : 'skip';
}

/** Takes what matches the components (with everything below it) and looks into what leads there. `**` is any depth. */
export function includeFilter(components: readonly string[]): WalkFilter {
  const globs = components.map((component) => (component === '**' ? ANY_DEPTH : globOf(component)));
  return (path) => decideComponents(globs, 0, textOf(path).split('/'), 0);
}

const ANY_DEPTH = '**';

function decideComponents(
  components: readonly (PathPattern | typeof ANY_DEPTH)[],
  component: number,
  parts: readonly string[],
  part: number,
): WalkDecision {
  if (component === components.length) return 'take';
  if (part === parts.length) return 'below';
  const pattern = components[component]!;
  if (pattern === ANY_DEPTH) {
    const without = decideComponents(components, component + 1, parts, part);
    return without === 'take' ? 'take' : stronger(without, decideComponents(components, component, parts, part + 1));
  }
  if (!pattern.matches(parts[part]!)) return 'skip';
  return decideComponents(components, component + 1, parts, part + 1);
}

function stronger(a: WalkDecision, b: WalkDecision): WalkDecision {
  if (a === 'take' || b === 'take') return 'take';
  return a === 'below' || b === 'below' ? 'below' : 'skip';
}

/** The strictest of several filters; undefined when there is none. */
export function allOf(filters: readonly (WalkFilter | undefined)[]): WalkFilter | undefined {
  const real = filters.filter((filter) => filter !== undefined);
  if (real.length < 2) return real[0];
  return (path) => {
    let strictest: WalkDecision = 'take';
    for (const filter of real) {
      const decision = filter(path);
      if (decision === 'skip') return 'skip';
      if (decision === 'below') strictest = 'below';
    }
    return strictest;
  };
}
