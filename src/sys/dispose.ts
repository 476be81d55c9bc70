/**
 * A stack of things to undo, newest first. Node 20 has no `AsyncDisposableStack`, hence this small one. The first
 * failure is thrown after everything was tried; disposing twice does nothing the second time.
 */
export class CleanupStack implements AsyncDisposable {
  #steps: (() => unknown)[] = [];

  use<T extends AsyncDisposable | Disposable>(resource: T): T {
    this.#steps.push(() =>
      Symbol.asyncDispose in resource ? resource[Symbol.asyncDispose]() : (resource as Disposable)[Symbol.dispose](),
    );
    return resource;
  }

  defer(undo: () => unknown): void {
    this.#steps.push(undo);
  }

  /** Hands everything over to a new stack; this one then disposes nothing. */
  move(): CleanupStack {
    const moved = new CleanupStack();
    moved.#steps = this.#steps;
    this.#steps = [];
    return moved;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    let failure: { error: unknown } | undefined;
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step();
      } catch (error) {
        failure ??= { error };
      }
    }
    if (failure !== undefined) throw failure.error;
  }
}
