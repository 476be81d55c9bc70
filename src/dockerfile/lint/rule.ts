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
}

export interface LintRule {
  readonly name: string;
  readonly description: string;
  /** Page that explains the rule; undefined when there is none. */
  readonly url: string | undefined;
  /** Off unless asked for. */
  readonly isExperimental: boolean;
  check(context: LintContext): Iterable<Finding>;
}

/** A rule with a page of its own. */
export function rule(name: string, description: string, check: LintRule['check']): LintRule {
  const slug = name.replace(/(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, '-').toLowerCase();
  return {
    name,
    description,
    url: `https://docs.docker.com/go/dockerfile/rule/${slug}/`,
    isExperimental: false,
    check,
  };
}
