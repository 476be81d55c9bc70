/** What a lint rule is, and what it gets to look at. */
import type { Span } from '../../report/source-file.ts';
import type { Platform } from '../../spec/platform.ts';
import type { EvaluatedStage } from '../evaluate-plan.ts';
import type { IgnoreMatcher } from '../ignore-file.ts';
import type { ParsedDockerfile, RawInstruction } from '../parser.ts';
import type { StagePlan } from '../stages.ts';

export interface LintContext {
  readonly parsed: ParsedDockerfile;
  readonly plan: StagePlan;
  /** Stages that were evaluated; rules about values look at these only. */
  readonly evaluated: readonly EvaluatedStage[];
  /** Rules of the main context's ignore file, with none for contexts that have none. */
  readonly ignore?: IgnoreMatcher;
  /** Platforms that base images really have, by stage index. */
  readonly basePlatforms?: ReadonlyMap<number, Platform>;
}

export interface Finding {
  readonly message: string;
  readonly span: Span;
  /** The instruction it is about: its comments may switch the rule off. */
  readonly about: RawInstruction;
  readonly help?: string;
  /** The one of the rule's numbers that says just this; all of them when undefined. */
  readonly number?: string;
}

/**
 * `buildkit`: BuildKit's own, on everywhere. `recommended`: what is most likely a mistake or a waste; on where a file is
 * checked, not in builds. `strict`: matters of opinion; on where they are asked for.
 */
export type RuleGroup = 'buildkit' | 'recommended' | 'strict';

export interface LintRule {
  readonly name: string;
  readonly description: string;
  /** BuildKit's page about its rule; undefined when there is none. `docs/rules/NAME.md` tells of each. */
  readonly url: string | undefined;
  readonly group: RuleGroup;
  /** Off unless asked for by BuildKit's word `experimental`. */
  readonly isExperimental: boolean;
  /** What hadolint calls the same. */
  readonly numbers: readonly string[];
  check(context: LintContext): Iterable<Finding>;
}

/** A rule of BuildKit with a page of its own. */
export function rule(
  name: string,
  description: string,
  check: LintRule['check'],
  numbers: readonly string[] = [],
): LintRule {
  const slug = name.replace(/(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, '-').toLowerCase();
  return {
    name,
    description,
    url: `https://docs.docker.com/go/dockerfile/rule/${slug}/`,
    group: 'buildkit',
    isExperimental: false,
    numbers,
    check,
  };
}

/** A rule BuildKit does not have. */
export function extraRule(
  group: 'recommended' | 'strict',
  name: string,
  description: string,
  numbers: readonly string[],
  check: LintRule['check'],
): LintRule {
  return { name, description, url: undefined, group, isExperimental: false, numbers, check };
}
