/**
 * Runs the nodes of an acyclic graph, each after those it needs, as many at once as allowed. The first failure cancels
 * what runs and starts nothing more. Knows nothing of what a node does.
 */

export interface ScheduledNode<Key> {
  readonly key: Key;
  /** Keys that must be done first. */
  readonly needs: readonly Key[];
}

export interface ScheduleOptions {
  /** At least 1. */
  readonly concurrency: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Resolves with the result of every node. Nodes that are ready at once start in the order given.
 * @throws the first failure, after everything that had started has ended; the signal's reason when aborted
 * @throws RangeError when a node needs an unknown key or the graph has a cycle
 */
export async function schedule<Key, Result>(
  nodes: readonly ScheduledNode<Key>[],
  run: (key: Key, results: ReadonlyMap<Key, Result>, signal: AbortSignal) => Promise<Result>,
  o: ScheduleOptions,
): Promise<ReadonlyMap<Key, Result>> {
  assertRunnable(nodes);
  const results = new Map<Key, Result>();
  const missing = new Map(nodes.map((node) => [node.key, new Set(node.needs).size]));
  const dependents = new Map<Key, Key[]>();
  for (const node of nodes) {
    for (const need of new Set(node.needs)) dependents.set(need, [...(dependents.get(need) ?? []), node.key]);
  }
  const ready = nodes.filter((node) => missing.get(node.key) === 0).map((node) => node.key);
  const running = new Set<Promise<void>>();
  const cancel = new AbortController();
  const signal = o.signal === undefined ? cancel.signal : AbortSignal.any([o.signal, cancel.signal]);
  let failure: { readonly error: unknown } | undefined;

  const finish = (key: Key, result: Result): void => {
    results.set(key, result);
    for (const dependent of dependents.get(key) ?? []) {
      const left = missing.get(dependent)! - 1;
      missing.set(dependent, left);
      if (left === 0) ready.push(dependent);
    }
  };
  const start = (key: Key): void => {
    const task = run(key, results, signal)
      .then(
        (result) => finish(key, result),
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
    while (ready.length > 0 && running.size < o.concurrency) start(ready.shift()!);
    await Promise.race(running);
    if (o.signal?.aborted === true) failure ??= { error: o.signal.reason };
  }
  await Promise.all(running);
  if (failure !== undefined) throw failure.error;
  return results;
}

function assertRunnable<Key>(nodes: readonly ScheduledNode<Key>[]): void {
  const byKey = new Map(nodes.map((node) => [node.key, node]));
  const state = new Map<Key, 'open' | 'done'>();
  // Iterative, so that a chain of thousands of nodes does not overflow the stack.
  for (const node of nodes) {
    const stack: { node: ScheduledNode<Key>; next: number }[] = [{ node, next: 0 }];
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      if (top.next === 0 && state.get(top.node.key) === 'done') {
        stack.pop();
        continue;
      }
      state.set(top.node.key, 'open');
      const need = top.node.needs[top.next];
      if (need === undefined && top.next >= top.node.needs.length) {
        state.set(top.node.key, 'done');
        stack.pop();
        continue;
      }
      top.next += 1;
      const child = byKey.get(need as Key);
      if (child === undefined) throw new RangeError(`a node needs ${String(need)}, which is not in the graph`);
      if (state.get(child.key) === 'open') throw new RangeError(`the graph has a cycle through ${String(need)}`);
      if (state.get(child.key) !== 'done') stack.push({ node: child, next: 0 });
    }
  }
}
