/**
 * Runs the vertices of a graph, each after those it needs, as many at once as allowed. The first failure cancels what
 * runs and starts nothing more. Knows nothing of what a vertex does.
 */
import type { Graph, Vertex } from '../graph/graph.ts';

export interface ScheduleOptions {
  /** At least 1. */
  readonly concurrency: number;
  readonly signal?: AbortSignal | undefined;
  /** Aborted with the first failure, so that work which listens to it ends. */
  readonly cancel?: AbortController;
}

/**
 * Resolves when every vertex has run. Of those that are ready, the earliest in the graph's order starts first, so that
 * with a concurrency of 1 the order is the one given.
 * @throws the first failure, after everything that had started has ended; the signal's reason when aborted
 */
export async function schedule<Op>(
  graph: Graph<Op>,
  run: (vertex: Vertex<Op>, signal: AbortSignal) => Promise<void>,
  o: ScheduleOptions,
): Promise<void> {
  const missing = new Map(graph.vertices.map(({ key, needs }) => [key, new Set(needs).size]));
  const position = new Map(graph.vertices.map(({ key }, i) => [key, i]));
  const dependents = graph.dependents();
  const ready = graph.vertices.filter(({ key }) => missing.get(key) === 0).map(({ key }) => position.get(key)!);
  const running = new Set<Promise<void>>();
  const cancel = o.cancel ?? new AbortController();
  const signal = o.signal === undefined ? cancel.signal : AbortSignal.any([o.signal, cancel.signal]);
  let failure: { readonly error: unknown } | undefined;

  const finish = (key: string): void => {
    for (const dependent of dependents.get(key)!) {
      const left = missing.get(dependent)! - 1;
      missing.set(dependent, left);
      if (left === 0) insert(ready, position.get(dependent)!);
    }
  };
  const start = (vertex: Vertex<Op>): void => {
    const task = run(vertex, signal)
      .then(
        () => finish(vertex.key),
        (error: unknown) => {
          // What fails because of the cancellation is not the cause.
          failure ??= { error };
          cancel.abort(error);
        },
      )
      .finally(() => running.delete(task));
    running.add(task);
  };

  while (failure === undefined && (ready.length > 0 || running.size > 0)) {
    while (ready.length > 0 && running.size < o.concurrency) start(graph.vertices[ready.shift()!]!);
    await Promise.race(running);
    if (o.signal?.aborted === true) failure ??= { error: o.signal.reason };
  }
  await Promise.all(running);
  if (failure !== undefined) throw failure.error;
}

/** Keeps the list ascending. */
function insert(sorted: number[], value: number): void {
  const at = sorted.findIndex((other) => other > value);
  if (at === -1) sorted.push(value);
  else sorted.splice(at, 0, value);
}
