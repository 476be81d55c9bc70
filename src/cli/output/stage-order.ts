/**
 * Puts the events of stages that are built side by side one after the other, for displays that only ever append. The
 * first unfinished stage is in the foreground and its events pass at once; those of later stages wait, and come out in
 * one piece when their turn comes. So the order is that of the Dockerfile, whichever stage was quicker. With one stage
 * nothing ever waits.
 */
import type { BuildEvent, Emit } from '../../index.ts';
import { stageOfEvent } from './stage-of-event.ts';

/** Bytes that may wait for one stage; beyond it the older half passes although its turn has not come. */
export const MAX_HELD_BYTES = 4 * 1024 * 1024;
/** What an event costs besides its text. */
const OVERHEAD_BYTES = 128;

type Outcome = Extract<BuildEvent, { type: 'stage-finished' }>['outcome'];

interface Queue {
  readonly id: string;
  readonly name: string;
  readonly events: BuildEvent[];
  bytes: number;
  outcome: Outcome | undefined;
}

export class StageOrder {
  readonly #next: Emit;
  readonly #maxHeldBytes: number;
  /** Stages whose turn has not passed, the one in the foreground first. */
  #queues: Queue[] = [];
  /** What comes after all stages: commit, names, warnings about the whole. */
  readonly #last: BuildEvent[] = [];

  constructor(next: Emit, o: { readonly maxHeldBytes?: number } = {}) {
    this.#next = next;
    this.#maxHeldBytes = o.maxHeldBytes ?? MAX_HELD_BYTES;
  }

  readonly emit: Emit = (event) => {
    if (event.type === 'build-started') {
      this.#queues.push(
        ...event.stages.map(({ id, name }) => ({ id, name, events: [], bytes: 0, outcome: undefined })),
      );
    }
    const stage = stageOfEvent(event);
    const queue = this.#queues.find(({ id }) => id === stage);
    if (queue === undefined) this.#outside(event);
    else if (queue === this.#queues[0]) this.#foreground(queue, event);
    else this.#hold(queue, event);
  };

  /**
   * Lets go what still waits, which only a build that failed or was stopped leaves. After a failure that is what the
   * failed stage said, so that it stands right above the error, and of the others their warnings; else everything.
   */
  end(): void {
    const hasFailed = this.#queues.some(({ outcome }) => outcome === 'failed');
    const untold: string[] = [];
    for (const { name, events, outcome } of this.#queues) {
      const isTold = !hasFailed || outcome === 'failed';
      if (!isTold && events.length > 0) untold.push(name);
      if (!isTold) for (const event of events) if (event.type === 'warning') this.#next(event);
    }
    if (untold.length > 0) {
      this.#next({ type: 'note', text: `output of stages that did not fail is not shown: ${untold.join(', ')}` });
    }
    for (const { events, outcome } of this.#queues) {
      if (!hasFailed || outcome === 'failed') for (const event of events) this.#next(event);
    }
    this.#queues = [];
    this.#releaseLast();
  }

  #outside(event: BuildEvent): void {
    const isLate = event.type === 'step-line' || event.type === 'build-finished';
    if (isLate && this.#queues.length > 0) this.#last.push(event);
    else this.#next(event);
  }

  #foreground(queue: Queue, event: BuildEvent): void {
    this.#next(event);
    if (event.type !== 'stage-finished') return;
    queue.outcome = event.outcome;
    // Behind a stage that failed or was stopped nobody's turn comes: what waits is for the end.
    if (event.outcome === 'built') this.#advance();
  }

  #advance(): void {
    this.#queues.shift();
    for (let queue = this.#queues[0]; queue !== undefined; queue = this.#queues[0]) {
      for (const event of queue.events.splice(0)) this.#next(event);
      queue.bytes = 0;
      if (queue.outcome !== 'built') return;
      this.#queues.shift();
    }
    this.#releaseLast();
  }

  #releaseLast(): void {
    for (const event of this.#last.splice(0)) this.#next(event);
  }

  #hold(queue: Queue, event: BuildEvent): void {
    if (event.type === 'stage-finished') queue.outcome = event.outcome;
    const held = owned(event);
    queue.events.push(held);
    queue.bytes += bytesOf(held);
    if (queue.bytes > this.#maxHeldBytes) this.#spill(queue);
  }

  /** Memory is bounded, nothing is lost, and the log says why it is out of order. */
  #spill(queue: Queue): void {
    this.#next({ type: 'note', text: `stage ${queue.name} is ahead and has much to say: its output so far follows` });
    while (queue.bytes > this.#maxHeldBytes / 2) {
      const event = queue.events.shift()!;
      queue.bytes -= bytesOf(event);
      this.#next(event);
    }
    this.#next({ type: 'note', text: `stage ${this.#queues[0]!.name} goes on` });
  }
}

/** The sender may use its buffer again. */
function owned(event: BuildEvent): BuildEvent {
  return event.type === 'step-output' ? { ...event, data: Uint8Array.from(event.data) } : event;
}

function bytesOf(event: BuildEvent): number {
  if (event.type === 'step-output') return OVERHEAD_BYTES + event.data.length;
  return OVERHEAD_BYTES + ('text' in event ? event.text.length : 0);
}
