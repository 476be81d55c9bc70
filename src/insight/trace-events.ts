/**
 * A build in the Trace Event Format, which Perfetto, chrome://tracing and the Firefox profiler open: one process for the
 * build, one thread for each stage and one for what belongs to none; complete events for steps and, inside them, their
 * phases; async events for transfers; instant events for warnings.
 *
 * @see Trace Event Format (the document "Trace Event Format" of the Chromium project)
 */
import { type BuildRecording, durationOf, type RecordedStep } from './build-recording.ts';

export interface TraceEvent {
  readonly name: string;
  /** Complete, async begin and end, instant, metadata. */
  readonly ph: 'X' | 'b' | 'e' | 'i' | 'M';
  readonly cat?: string;
  /** Microseconds since the build began. */
  readonly ts: number;
  readonly dur?: number;
  readonly pid: number;
  readonly tid: number;
  readonly id?: string;
  /** Scope of an instant event: the process. */
  readonly s?: 'p';
  readonly args?: Readonly<Record<string, unknown>>;
}

export interface Trace {
  readonly traceEvents: readonly TraceEvent[];
  readonly displayTimeUnit: 'ms';
  readonly otherData: Readonly<Record<string, string>>;
}

const PID = 1;
/** Thread of what belongs to no stage. */
const BUILD = 0;

/** @param about name of the process row, and facts for `otherData` */
export function traceOf(
  recording: BuildRecording,
  about: { readonly name: string; readonly facts: Readonly<Record<string, string>> },
): Trace {
  const threads = new Map(recording.stages.map(({ id }, i) => [id, i + 1]));
  const clock = new Clock(recording.startedAt);
  return {
    traceEvents: [
      meta('process_name', BUILD, { name: about.name }),
      meta('thread_name', BUILD, { name: 'build' }),
      meta('thread_sort_index', BUILD, { sort_index: BUILD }),
      ...recording.stages.flatMap(({ id, name }) => [
        meta('thread_name', threads.get(id)!, { name: name === id ? `stage ${name}` : name }),
        meta('thread_sort_index', threads.get(id)!, { sort_index: threads.get(id)! }),
      ]),
      ...recording.phases.map(({ phase, startedAt, finishedAt }) =>
        clock.complete(phase, BUILD, startedAt, finishedAt),
      ),
      ...recording.steps.flatMap((step) => stepEvents(step, threads.get(step.stage)!, recording, clock)),
      ...recording.transfers.flatMap((transfer, i) => {
        const end = transfer.finishedAt ?? recording.finishedAt;
        const { label, startedAt, state, bytes } = transfer;
        const args = { state, ...(bytes === undefined ? {} : { bytes }) };
        return clock.async(label, `transfer-${i + 1}`, startedAt, end, args);
      }),
      ...recording.warnings.map(({ at, text, code, diagnostic }) => {
        const rule = code ?? diagnostic?.code;
        return clock.instant(text, at, rule === undefined ? {} : { code: rule });
      }),
    ],
    displayTimeUnit: 'ms',
    otherData: { startedAt: new Date(recording.startedAt).toISOString(), ...about.facts },
  };
}

function stepEvents(step: RecordedStep, tid: number, recording: BuildRecording, clock: Clock): TraceEvent[] {
  const { startedAt, name, id, key, missed, phases } = step;
  if (startedAt === undefined) return [];
  const end = startedAt + durationOf(step, recording);
  const args = {
    step: id,
    outcome: step.outcome ?? 'unfinished',
    ...(key === undefined ? {} : { key }),
    ...(missed === undefined ? {} : { missed }),
  };
  const inner = phases.map((phase) =>
    // A phase must not stick out of its step: viewers draw such a pair wrongly.
    clock.complete(phase.phase, tid, clamp(phase.startedAt, startedAt, end), clamp(phase.finishedAt, startedAt, end)),
  );
  return [{ ...clock.complete(name, tid, startedAt, end), cat: 'step', args }, ...inner];
}

const clamp = (at: number, from: number, to: number): number => Math.min(Math.max(at, from), to);

function meta(name: string, tid: number, args: TraceEvent['args'] & object): TraceEvent {
  return { name, ph: 'M', ts: 0, pid: PID, tid, args };
}

/** Makes events whose times count from the beginning of the build. */
class Clock {
  readonly #zero: number;

  constructor(zero: number) {
    this.#zero = zero;
  }

  complete(name: string, tid: number, from: number, to: number): TraceEvent {
    return {
      name,
      ph: 'X',
      cat: 'phase',
      ts: this.#us(from),
      dur: Math.max(0, this.#us(to) - this.#us(from)),
      pid: PID,
      tid,
    };
  }

  async(name: string, id: string, from: number, to: number, args: object): TraceEvent[] {
    const common = { name, cat: 'transfer', id, pid: PID, tid: BUILD };
    return [
      { ...common, ph: 'b', ts: this.#us(from), args: { ...args } },
      { ...common, ph: 'e', ts: Math.max(this.#us(from), this.#us(to)) },
    ];
  }

  instant(name: string, at: number, args: object): TraceEvent {
    return { name, ph: 'i', cat: 'warning', ts: this.#us(at), pid: PID, tid: BUILD, s: 'p', args: { ...args } };
  }

  #us(at: number): number {
    return Math.max(0, Math.round((at - this.#zero) * 1000));
  }
}
