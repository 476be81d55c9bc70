/** Checking a Dockerfile without building it: what a build would refuse to read, and what the rules find. */
import { type BuilderError, isBuilderError } from '../../report/builder-error.ts';
import type { SourceFile, Span } from '../../report/source-file.ts';
import { hostPlatform, type Platform } from '../../spec/platform.ts';
import { type EvaluatedStage, evaluatePlan } from '../evaluate-plan.ts';
import { parseIgnoreFile } from '../ignore-file.ts';
import { buildInstructions } from '../instructions.ts';
import { type ParsedDockerfile, parseDockerfile } from '../parser.ts';
import { findTarget, neededStages, planStages, type StagePlan } from '../stages.ts';
import { type LintFinding, lint } from './lint.ts';
import { CHECK_ARG } from './options.ts';
import type { RuleGroup } from './rule.ts';
import { chooseRules } from './rules.ts';

export interface CheckTextOptions {
  /** How the file is called in places and messages; default `Dockerfile`. */
  readonly name?: string;
  /** Only this stage and what it needs; default: all stages. */
  readonly target?: string;
  readonly buildArgs?: Readonly<Record<string, string>>;
  /** Names of further contexts. */
  readonly contexts?: readonly string[];
  /** The platform to build for; default: this machine's. */
  readonly platform?: Platform;
  /** The ignore file of the context. */
  readonly ignore?: SourceFile;
  /**
   * Rules beyond BuildKit's: groups (`recommended`, `strict`; `buildkit` is none of them), names, or hadolint's numbers.
   * Default: `recommended`.
   */
  readonly rules?: readonly string[];
}

export interface CheckFinding {
  readonly rule: string;
  /** One sentence about the rule. */
  readonly description: string;
  readonly group: RuleGroup;
  /** BuildKit's page about its rule. */
  readonly url: string | undefined;
  /** What hadolint calls the rule. */
  readonly numbers: readonly string[];
  readonly message: string;
  readonly help: string | undefined;
  readonly span: Span;
  /** First and last line, from 1, of the instruction it is about. */
  readonly lines: { readonly first: number; readonly last: number };
}

export interface CheckReport {
  readonly file: SourceFile;
  /** In the order of the source. */
  readonly findings: readonly CheckFinding[];
  /** What a build would refuse: with these the findings may be incomplete. */
  readonly errors: readonly BuilderError[];
  /** The options of the file say that findings fail a build. */
  readonly failsBuild: boolean;
}

/**
 * Checks a text. Base images are not looked at: what depends on them is passed over, or guessed where a slip is likely.
 * @throws BuilderError `usage.invalid` for an unknown rule, `dockerfile.stage-not-found` for an unknown target,
 *   `ignore.invalid`
 */
export function checkText(text: string, o: CheckTextOptions = {}): CheckReport {
  const file: SourceFile = { name: o.name ?? 'Dockerfile', text };
  const chosen = chooseRules(o.rules ?? ['recommended']);
  const planned = readPlan(file, o);
  if (isBuilderError(planned)) return { file, findings: [], errors: [planned], failsBuild: true };
  const { parsed, plan } = planned;
  const errors: BuilderError[] = [];
  const evaluated = evaluateWanted(plan, o, errors);
  const ignore = o.ignore === undefined ? {} : { ignore: parseIgnoreFile(o.ignore) };
  const checkArg = o.buildArgs?.[CHECK_ARG];
  try {
    const result = lint(
      { parsed, plan, evaluated, ...ignore },
      { chosen, ...(checkArg === undefined ? {} : { checkArg }) },
    );
    return { file, findings: result.findings.map(findingOf), errors, failsBuild: result.failed || errors.length > 0 };
  } catch (error) {
    if (!isBuilderError(error, 'dockerfile.syntax')) throw error;
    return { file, findings: [], errors: [error, ...errors], failsBuild: true };
  }
}

/** The stages of a file as the options see them. @throws BuilderError `dockerfile.*` */
export function planOf(file: SourceFile, o: CheckTextOptions): { parsed: ParsedDockerfile; plan: StagePlan } {
  const parsed = parseDockerfile(file);
  const plan = planStages(buildInstructions(parsed), {
    platforms: { build: hostPlatform(), target: o.platform ?? hostPlatform() },
    buildArgs: buildArgsOf(o),
    contexts: new Set(o.contexts),
    ...(o.target === undefined ? {} : { target: o.target }),
  });
  return { parsed, plan };
}

export function buildArgsOf(o: CheckTextOptions): Map<string, string> {
  return new Map(Object.entries(o.buildArgs ?? {}));
}

function readPlan(file: SourceFile, o: CheckTextOptions): ReturnType<typeof planOf> | BuilderError {
  try {
    const planned = planOf(file, o);
    for (const { index } of planned.plan.stages) neededStages(planned.plan, index);
    return planned;
  } catch (error) {
    if (isBuilderError(error)) return error;
    throw error;
  }
}

function evaluateWanted(plan: StagePlan, o: CheckTextOptions, errors: BuilderError[]): EvaluatedStage[] {
  return evaluatePlan(plan, {
    buildArgs: buildArgsOf(o),
    ...(o.target === undefined ? {} : { stages: neededStages(plan, findTarget(plan, o.target)) }),
    onError: (error, { raw }, isBaseKnown) => {
      // What an unknown base image sets may mend it.
      if (isBaseKnown || !raw.text.text.includes('$')) errors.push(error);
    },
  });
}

function findingOf({ rule, diagnostic, lines }: LintFinding): CheckFinding {
  const { name, description, group, url, numbers } = rule;
  const { message, help, span } = diagnostic;
  return { rule: name, description, group, url, numbers, message, help, span, lines };
}
