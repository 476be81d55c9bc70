/**
 * What a build went through, step by step: kept after it for whoever asks why a step was run again, and before the next
 * one as that with which its steps are compared.
 */
import { join } from 'node:path';
import type { Engine } from '../container/engine.ts';
import type { BuildExplanation, Cause, StageExplanation, StepExplanation } from '../report/explanation.ts';
import { type Digest, digestOf } from '../spec/digest.ts';
import { TraceTable } from '../store/trace-table.ts';
import { matchSteps } from './match-steps.ts';

const VERSION = 1;
/** Earlier runs of a step that a new one is compared with. */
const MOST_RECENT = 4;

/** What tells builds apart whose steps have nothing to do with each other. */
export interface TraceIdentity {
  /** Of the Dockerfile; `-` for standard input. */
  readonly file: string;
  readonly context: string;
  readonly platform: string;
}

export interface TracedBase {
  readonly reference: string;
  /** Of the manifest. */
  readonly digest: string;
}

interface TracedStep extends StepExplanation {
  readonly kind: string;
  /** undefined: the build ended before it was known. */
  readonly key: Digest | undefined;
  /** Keys of earlier runs, the latest first. */
  readonly recent: readonly Digest[];
}

export interface TracedStage extends Omit<StageExplanation, 'steps'> {
  readonly base: TracedBase | undefined;
  readonly steps: readonly TracedStep[];
  /** Of a build before the last one, which did not need this stage. */
  readonly isOlder?: true;
}

export interface Trace extends TraceIdentity {
  readonly version: number;
  readonly at: number;
  readonly stages: readonly TracedStage[];
}

/** A stage as it is about to be built. */
export interface PlannedTrace {
  readonly index: number;
  readonly name: string;
  readonly from: string;
  readonly base: TracedBase | undefined;
  readonly steps: readonly { readonly kind: string; readonly text: string }[];
}

export interface StepOutcome {
  readonly outcome: StepExplanation['outcome'];
  readonly key: Digest | undefined;
  readonly causes: readonly Cause[];
  readonly savedAt?: number | undefined;
}

/** What is known of the last time a step was run. */
export interface EarlierStep {
  readonly recent: readonly Digest[];
  /** Key of the last run, when that failed. */
  readonly failed: Digest | undefined;
}

export function traceTable(engine: Engine): TraceTable<Trace> {
  return new TraceTable(join(engine.store.paths.cache, 'builds'), VERSION);
}

/** One build, as it goes on. */
export class BuildTrace {
  readonly #identity: TraceIdentity;
  readonly #stages: readonly PlannedTrace[];
  readonly #names: ReadonlySet<string>;
  readonly #before: Trace | undefined;
  /** By stage: the step of the earlier build that a step is compared with. */
  readonly #partners = new Map<number, readonly (TracedStep | undefined)[]>();
  readonly #outcomes = new Map<string, StepOutcome>();

  /** @param names of all stages of the file, whether they are built or not */
  constructor(
    identity: TraceIdentity,
    stages: readonly PlannedTrace[],
    names: readonly string[],
    before: Trace | undefined,
  ) {
    this.#identity = identity;
    this.#names = new Set(names);
    this.#stages = stages;
    this.#before = before;
    for (const stage of stages) {
      const steps = this.earlierStage(stage.index)?.steps ?? [];
      this.#partners.set(
        stage.index,
        matchSteps(stage.steps, steps).map((at) => (at === undefined ? undefined : steps[at])),
      );
    }
  }

  static idOf(identity: TraceIdentity): Digest {
    const { file, context, platform } = identity;
    return digestOf(JSON.stringify([file, context, platform]));
  }

  stage(index: number): PlannedTrace {
    return this.#stages.find((stage) => stage.index === index)!;
  }

  /** The stage of that name in the build before, or the one of that number whose name the file has no more. */
  earlierStage(index: number): TracedStage | undefined {
    const { name } = this.stage(index);
    const before = this.#before?.stages ?? [];
    const isRenamed = (stage: TracedStage): boolean => stage.index === index && !this.#names.has(stage.name);
    return before.find((stage) => stage.name === name) ?? before.find(isRenamed);
  }

  /** @param step counted from 0, as everywhere here */
  earlier(stage: number, step: number): EarlierStep {
    const partner = this.#partners.get(stage)?.[step];
    return { recent: partner?.recent ?? [], failed: partner?.outcome === 'failed' ? partner.key : undefined };
  }

  note(stage: number, step: number, outcome: StepOutcome): void {
    this.#outcomes.set(`${stage}.${step}`, outcome);
  }

  /** The step did not come to an end of its own. */
  forget(stage: number, step: number): void {
    this.#outcomes.delete(`${stage}.${step}`);
  }

  outcome(stage: number, step: number): StepOutcome | undefined {
    return this.#outcomes.get(`${stage}.${step}`);
  }

  /** What is known now, to be shown. */
  explanation(isDryRun: boolean): BuildExplanation {
    const stages = this.#stages.map((planned) => shown(this.#stageOf(planned)));
    return { ...this.#identity, at: Date.now(), isDryRun, stages };
  }

  /** What is known now, to be kept. Of stages of the file that were not built now, what was known before. */
  trace(): Trace {
    const built = new Set(this.#stages.map(({ name }) => name));
    const others = (this.#before?.stages ?? [])
      .filter(({ name }) => !built.has(name) && this.#names.has(name))
      .map((stage): TracedStage => ({ ...stage, isOlder: true }));
    const stages = [...this.#stages.map((planned) => this.#stageOf(planned)), ...others];
    return { version: VERSION, ...this.#identity, at: Date.now(), stages };
  }

  #stageOf({ index, name, from, base, steps }: PlannedTrace): TracedStage {
    const traced = steps.flatMap(({ kind, text }, i): TracedStep[] => {
      const { outcome, key, causes, savedAt } = this.outcome(index, i) ?? {};
      const { recent: before } = this.earlier(index, i);
      if (outcome === undefined) {
        // The build ended before: what was known of the step is still worth a comparison.
        const kept = this.#partners.get(index)?.[i];
        return kept === undefined ? [] : [{ ...kept, step: `${index}.${i + 2}`, text }];
      }
      const recent = key === undefined || outcome === 'failed' ? before : [...new Set([key, ...before])];
      return [
        {
          step: `${index}.${i + 2}`,
          text,
          kind,
          outcome,
          causes: causes ?? [],
          ...(savedAt === undefined ? {} : { savedAt }),
          key,
          recent: recent.slice(0, MOST_RECENT),
        },
      ];
    });
    return { index, name, from, base, steps: traced };
  }
}

/** The last build of that kind, as it can be shown. */
export function explanationOf(trace: Trace): BuildExplanation {
  const { file, context, platform, at, stages } = trace;
  const last = stages.filter(({ isOlder }) => isOlder !== true);
  return { file, context, platform, at, isDryRun: false, stages: last.map(shown) };
}

function shown({ index, name, from, steps }: TracedStage): StageExplanation {
  return { index, name, from, steps: steps.map(({ kind: _, key: __, recent: ___, ...step }) => step) };
}
