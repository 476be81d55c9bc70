/**
 * Remembered steps. A key is the digest of what a step reads; the inputs themselves are kept with the result, so that a
 * miss can be explained by the first one that differs.
 */
import { chainSnapshot } from '../container/chain-snapshot.ts';
import type { Engine } from '../container/engine.ts';
import type { StepResult } from '../container/step-result.ts';
import { type Digest, digestOf } from '../spec/digest.ts';
import type { StepInput } from '../store/step-table.ts';
import { explainMiss, type RememberedInputs } from './explain-miss.ts';

/** Bump when the meaning of keys or results changes: old records then never match. */
const KEY_VERSION = '1';

export interface StepKey {
  readonly digest: Digest;
  readonly inputs: readonly StepInput[];
}

/** @param inputs in a fixed order; secrets, agents, cache mounts and undeclared proxies have no place here */
export function stepKey(inputs: readonly StepInput[]): StepKey {
  const text = JSON.stringify([KEY_VERSION, ...inputs.map(({ name, value }) => [name, value])]);
  return { digest: digestOf(text), inputs };
}

export class BuildCache {
  readonly #engine: Engine;
  readonly #reads: boolean;
  readonly #writes: boolean;
  readonly #explains: boolean;
  readonly #missed = new Map<Digest, string>();
  /** Inputs of all steps earlier builds left, read when the first step misses. */
  #remembered: readonly RememberedInputs[] | undefined;
  /** Steps of this build by key: of two equal ones, one is run. */
  readonly #ofThisBuild = new Map<Digest, Promise<StepResult>>();

  /** @param o reads: results of earlier builds count; writes: results are kept for later ones; explains: misses too */
  constructor(engine: Engine, o: { reads: boolean; writes: boolean; explains?: boolean }) {
    this.#engine = engine;
    this.#reads = o.reads;
    this.#writes = o.writes;
    this.#explains = o.explains === true;
  }

  /**
   * The result of a step: remembered, or that of an equal step of this build, or made now.
   * @param make runs the step; what it throws reaches everybody who waits for the same key
   */
  async resolve(
    key: StepKey,
    make: () => Promise<StepResult>,
  ): Promise<{ readonly result: StepResult /** made by this call */; readonly isFresh: boolean }> {
    const running = this.#ofThisBuild.get(key.digest);
    if (running !== undefined) return { result: await running, isFresh: false };
    let isFresh = false;
    const work = (async () => {
      const known = await this.#lookup(key);
      if (known !== undefined) return known;
      isFresh = true;
      if (this.#explains) this.#missed.set(key.digest, this.#explanation(key));
      const result = await make();
      this.#save(key, result);
      return result;
    })();
    this.#ofThisBuild.set(key.digest, work);
    return { result: await work, isFresh };
  }

  /** Why a step had to be run, if misses are explained. */
  explainMiss(key: StepKey): string | undefined {
    return this.#missed.get(key.digest);
  }

  #explanation(key: StepKey): string {
    if (!this.#reads) return 'the cache was not asked';
    this.#remembered ??= [...this.#engine.store.steps.list()].map(({ record }) => ({
      savedAt: record.savedAt,
      inputs: record.inputs,
    }));
    return explainMiss(key.inputs, this.#remembered);
  }

  /** A result whose snapshot still exists. */
  async #lookup(key: StepKey): Promise<StepResult | undefined> {
    if (!this.#reads) return undefined;
    const result = this.#engine.store.steps.get(key.digest)?.result;
    if (result === undefined) return undefined;
    const { layer, chain } = result;
    if (layer === undefined || chain === undefined) return result;
    const snapshot = await chainSnapshot(this.#engine, chain, layer.diffId);
    return snapshot === undefined ? undefined : { ...result, snapshot };
  }

  #save(key: StepKey, result: StepResult): void {
    if (!this.#writes) return;
    this.#engine.store.steps.put(key.digest, { version: 1, savedAt: Date.now(), inputs: key.inputs, result });
  }
}
