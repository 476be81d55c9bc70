/** What a build has come to so far, folded from its events. Knows no terminal. */
import type { BuildEvent, PlannedStage } from '../../index.ts';
import { OutputTail } from './output-tail.ts';
import { stageOfEvent } from './stage-of-event.ts';
import { TransferProgress } from './transfer-progress.ts';

export interface StepProgress {
  /** `[deps 2/3] RUN npm ci` */
  readonly label: string;
  readonly startedAt: number;
  readonly tail: OutputTail;
}

export interface FinishedStep extends StepProgress {
  readonly outcome: 'ran' | 'cached' | 'failed' | 'canceled';
  readonly milliseconds: number;
}

type Finished = Extract<BuildEvent, { type: 'build-finished' }>;

export class BuildProgress {
  readonly #stages = new Map<string, PlannedStage>();
  readonly running = new Map<string, StepProgress>();
  readonly transfers = new Map<string, TransferProgress>();
  readonly failed: FinishedStep[] = [];
  readonly copied = { blobs: 0, bytes: 0, skipped: 0 };
  platform: string | undefined;
  ran = 0;
  cached = 0;
  warnings = 0;
  result: Finished | undefined;

  /** Steps there will be, as far as is known; FROM lines are none. */
  get planned(): number | undefined {
    if (this.#stages.size === 0) return undefined;
    let sum = 0;
    for (const { steps } of this.#stages.values()) sum += steps - 1;
    // Triggers of base images come on top, and are known late.
    return Math.max(sum, this.ran + this.cached + this.running.size);
  }

  /** @returns the step, when the event was its end */
  apply(event: BuildEvent, now: number): FinishedStep | undefined {
    switch (event.type) {
      case 'build-started':
        this.platform = event.platform;
        for (const stage of event.stages) this.#stages.set(stage.id, stage);
        return undefined;
      case 'step-started':
        this.running.set(event.step, { label: this.#label(event), startedAt: event.at, tail: new OutputTail() });
        return undefined;
      case 'step-output':
        this.running.get(event.step)?.tail.push(event.stream, event.data);
        return undefined;
      case 'step-finished':
        return this.#stepFinished(event);
      case 'step-line':
        if (event.step === 'warning') this.warnings += 1;
        return undefined;
      case 'transfer':
        this.#transfer(event, now);
        return undefined;
      case 'warning':
        this.warnings += 1;
        return undefined;
      case 'diagnostic':
        if (event.diagnostic.severity === 'warning') this.warnings += 1;
        return undefined;
      case 'build-finished':
        this.result = event;
        return undefined;
      case 'stage-finished':
      case 'steps-planned':
      case 'debug-shell':
      case 'phase':
      case 'timings':
      case 'explained':
      case 'note':
        return undefined;
    }
  }

  #label(event: Extract<BuildEvent, { type: 'step-started' }>): string {
    const stage = this.#stages.get(stageOfEvent(event) ?? '');
    if (stage === undefined) return event.name;
    const number = Number(event.step.slice(event.step.lastIndexOf('.') + 1));
    const name = this.#stages.size > 1 ? `${stage.name} ` : '';
    return `[${name}${number}/${Math.max(number, stage.steps)}] ${event.name}`;
  }

  #stepFinished(event: Extract<BuildEvent, { type: 'step-finished' }>): FinishedStep | undefined {
    const step = this.running.get(event.step);
    this.running.delete(event.step);
    if (event.outcome === 'cached') this.cached += 1;
    else if (event.outcome === 'ran') this.ran += 1;
    if (step === undefined) return undefined;
    const finished = { ...step, outcome: event.outcome, milliseconds: event.at - step.startedAt };
    if (event.outcome === 'failed') this.failed.push(finished);
    return finished;
  }

  #transfer(event: Extract<BuildEvent, { type: 'transfer' }>, now: number): void {
    const key = `${event.stage ?? ''} ${event.id}`;
    if (event.state === 'started' || event.state === 'progress') {
      const transfer = this.transfers.get(key) ?? new TransferProgress(event.label, now);
      transfer.update(event.current, event.total, now);
      this.transfers.set(key, transfer);
      return;
    }
    // Signatures and manifests are announced as done only, without a size.
    if (event.state !== 'done') this.copied.skipped += 1;
    else if (event.current !== undefined) {
      this.copied.blobs += 1;
      this.copied.bytes += event.current;
    }
    this.transfers.delete(key);
  }
}
