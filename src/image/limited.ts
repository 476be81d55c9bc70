/** Running many small tasks, a few at a time. */

/**
 * Calls `action` for every element, at most `limit` at once. The first failure cancels the rest through the signal
 * each call gets, and is thrown after all that had begun have ended.
 */
export async function forEachLimited<T>(
  elements: readonly T[],
  limit: number,
  signal: AbortSignal | undefined,
  action: (element: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const controller = new AbortController();
  const stop = (): void => controller.abort(signal?.reason);
  if (signal?.aborted === true) stop();
  signal?.addEventListener('abort', stop, { once: true });
  let failure: { readonly error: unknown } | undefined;
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < elements.length && failure === undefined && !controller.signal.aborted) {
      const element = elements[next++]!;
      try {
        await action(element, controller.signal);
      } catch (error) {
        failure ??= { error };
        controller.abort(error);
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(limit, elements.length) }, worker));
  } finally {
    signal?.removeEventListener('abort', stop);
  }
  if (failure !== undefined) throw failure.error;
  signal?.throwIfAborted();
}
