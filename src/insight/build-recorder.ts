/** Reads the event stream of one build and keeps what a trace, a report and a table of times are made from. */
import type { BuildEvent, Emit, PlannedStep } from '../report/event.ts';
import type {
  BuildRecording,
  RecordedPhase,
  RecordedStep,
  RecordedTransfer,
  RecordedWarning,
} from './build-recording.ts';
import { OutputTail } from './output-tail.ts';

type Event<Type extends BuildEvent['type']> = Extract<BuildEvent, { type: Type }>;

type Writable<T> = { -readonly [K in keyof T]: T[K] };
type OpenStep = Writable<Omit<RecordedStep, 'phases' | 'output'>> & {
  readonly isBase: boolean;
  isRunning: boolean;
  readonly phases: RecordedPhase[];
  readonly output: OutputTail;
};

/** A build with more blobs in flight than this one after the other is told in part. */
const MOST_TRANSFERS = 10_000;

export class BuildRecorder {
  readonly #now: () => number;
  readonly #startedAt: number;
  readonly #steps = new Map<string, OpenStep>();
  readonly #stages = new Map<string, string>();
  readonly #phases: RecordedPhase[] = [];
  /** Base images are pulled before the steps are known. */
  readonly #early = new Map<string, RecordedPhase[]>();
  readonly #transfers: Writable<RecordedTransfer>[] = [];
  /** Transfers under way by id. */
  readonly #open = new Map<string, Writable<RecordedTransfer>>();
  readonly #warnings: RecordedWarning[] = [];
  readonly #built = new Set<string>();
  #platform: string | undefined;

  /** @param now ms since the epoch */
  constructor(now: () => number) {
    this.#now = now;
    this.#startedAt = now();
  }

  readonly emit: Emit = (event) => {
    switch (event.type) {
      case 'build-started':
        this.#platform ??= event.platform;
        for (const { id, name } of event.stages) this.#stages.set(id, name);
        return;
      case 'steps-planned':
        for (const step of event.steps) this.#plan(step);
        return;
      case 'step-started':
        this.#stepStarted(event);
        return;
      case 'step-output':
        this.#steps.get(event.step)?.output.add(event.data);
        return;
      case 'step-finished':
        this.#stepFinished(event);
        return;
      case 'phase':
        this.#phase(event);
        return;
      case 'transfer':
        this.#transfer(event);
        return;
      case 'warning':
        this.#warnings.push({ at: this.#now(), text: event.text, ...(event.code ? { code: event.code } : {}) });
        return;
      case 'diagnostic':
        this.#warnings.push({ at: this.#now(), text: event.diagnostic.message, diagnostic: event.diagnostic });
        return;
      case 'stage-finished':
        if (event.outcome === 'built') this.#built.add(event.stage);
        return;
      case 'step-line':
      case 'note':
      case 'build-finished':
      case 'timings':
      case 'explained':
      case 'debug-shell':
        return;
    }
  };

  /** What is known by now; a build that is still running is recorded as far as it came. */
  recording(): BuildRecording {
    const used = this.#usedBases();
    return {
      startedAt: this.#startedAt,
      finishedAt: this.#now(),
      platform: this.#platform,
      stages: this.#stageNames(),
      steps: [...this.#steps.values()].map(({ isRunning: _, isBase, ...step }) => ({
        ...step,
        outcome: isBase && used.has(step.id) ? 'ran' : step.outcome,
        phases: [...step.phases].sort((a, b) => a.startedAt - b.startedAt),
        output: step.output.read(),
      })),
      phases: [...this.#phases, ...[...this.#early.values()].flat()].sort((a, b) => a.startedAt - b.startedAt),
      transfers: this.#transfers,
      warnings: this.#warnings,
    };
  }

  #plan(step: PlannedStep): OpenStep {
    const { id, stage, name, needs, span, isBase } = step;
    const open: OpenStep = {
      ...{ id, stage, name, needs, span },
      startedAt: undefined,
      finishedAt: undefined,
      outcome: undefined,
      key: undefined,
      missed: undefined,
      isBase,
      isRunning: false,
      phases: [],
      output: new OutputTail(),
    };
    this.#steps.set(id, open);
    for (const phase of this.#early.get(id) ?? []) addPhase(open, phase);
    this.#early.delete(id);
    return open;
  }

  /** A step nobody planned stands alone. */
  #stepStarted({ step: id, name, at }: Event<'step-started'>): void {
    const step =
      this.#steps.get(id) ?? this.#plan({ id, stage: id.replace(/\.\d+$/, ''), name, needs: [], isBase: false });
    step.startedAt = Math.min(step.startedAt ?? at, at);
    step.finishedAt = undefined;
    step.isRunning = true;
  }

  #stepFinished({ step: id, at, outcome, key, missed }: Event<'step-finished'>): void {
    const step = this.#steps.get(id);
    if (step === undefined) return;
    step.isRunning = false;
    step.finishedAt = at;
    step.outcome = outcome;
    step.key = key;
    step.missed = missed;
  }

  #phase({ phase, step: id, startedAt, at }: Event<'phase'>): void {
    const recorded = { phase, startedAt, finishedAt: at };
    if (id === undefined) {
      this.#phases.push(recorded);
      return;
    }
    const step = this.#steps.get(id);
    if (step === undefined) this.#early.set(id, [...(this.#early.get(id) ?? []), recorded]);
    else addPhase(step, recorded);
  }

  #transfer({ id, label, state, current, total }: Event<'transfer'>): void {
    const now = this.#now();
    let transfer = this.#open.get(id);
    if (transfer === undefined) {
      if (this.#transfers.length >= MOST_TRANSFERS) return;
      transfer = { label, startedAt: now, finishedAt: undefined, state, bytes: undefined };
      this.#transfers.push(transfer);
      this.#open.set(id, transfer);
    }
    transfer.state = state;
    transfer.bytes = total ?? current ?? transfer.bytes;
    if (state === 'started' || state === 'progress') return;
    transfer.finishedAt = now;
    this.#open.delete(id);
  }

  /** Steps that are not told of themselves: something that needs them has begun, or their stage is built. */
  #usedBases(): Set<string> {
    const steps = [...this.#steps.values()];
    const used = steps.filter(({ startedAt }) => startedAt !== undefined).flatMap(({ needs }) => needs);
    return new Set([...used, ...steps.filter(({ stage }) => this.#built.has(stage)).map(({ id }) => id)]);
  }

  #stageNames(): { readonly id: string; readonly name: string }[] {
    const ids = new Set([...this.#stages.keys(), ...[...this.#steps.values()].map(({ stage }) => stage)]);
    return [...ids].map((id) => ({ id, name: this.#stages.get(id) ?? id }));
  }
}

/** What is done before a step begins or after it finished belongs to it all the same. */
function addPhase(step: OpenStep, phase: RecordedPhase): void {
  const { startedAt, finishedAt } = phase;
  step.phases.push(phase);
  step.startedAt = Math.min(step.startedAt ?? startedAt, startedAt);
  if (step.finishedAt !== undefined || !step.isRunning) {
    step.finishedAt = Math.max(step.finishedAt ?? finishedAt, finishedAt);
  }
}
