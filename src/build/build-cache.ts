/**
 * Remembered steps. A key is the digest of what a step reads; the inputs themselves are kept with the result, so that a
 * miss can be explained by the first one that differs.
 */
import { chainSnapshot } from '../container/chain-snapshot.ts';
import type { Engine } from '../container/engine.ts';
import { isStored } from '../container/layer-bytes.ts';
import type { StepResult } from '../container/step-result.ts';
import type { SnapshotId } from '../rootfs/snapshotter.ts';
import { type ChainId, chainIdOf, type Digest, digestOf } from '../spec/digest.ts';
import type { StepInput, StepRecord } from '../store/step-table.ts';
import type { CacheImport } from './cache-import.ts';
import type { FileList, StepReads } from './step-inputs.ts';

/** Bump when the meaning of keys or results changes: old records then never match. */
const KEY_VERSION = '2';

export interface StepKey {
  readonly digest: Digest;
  readonly inputs: readonly StepInput[];
}

/** @param inputs in a fixed order; secrets, agents, cache mounts and undeclared proxies have no place here */
export function stepKey(inputs: readonly StepInput[]): StepKey {
  const text = JSON.stringify([KEY_VERSION, ...inputs.map(({ name, value }) => [name, value])]);
  return { digest: digestOf(text), inputs };
}

/** A step to be looked up. */
export interface KeyedStep {
  /** The line of the Dockerfile. */
  readonly text: string;
  /** Inputs that are known at once and stand for those that `reads` gives; undefined when there are none such. */
  readonly quick: readonly StepInput[] | undefined;
  readonly reads: () => Promise<StepReads>;
  /** What it comes to depends on more than its inputs tell: it is always run, and never remembered. */
  readonly isOnce?: boolean;
  /** ChainID of the layers on which the step's own goes; undefined for none. */
  readonly chain: string | undefined;
}

/** Why a step was not taken from the cache, as far as the cache knows. */
export type Miss =
  | { readonly kind: 'off' }
  /** The step may read what no key tells. */
  | { readonly kind: 'once' }
  /** Nothing is kept under the key. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'expired'; readonly ageMs: number }
  /** The record is there, and the layer is not. */
  | { readonly kind: 'lost' };

interface Hit {
  readonly result: StepResult;
  readonly savedAt: number;
  /** Another cache that knew it, for people. */
  readonly from?: string;
}

export interface Lookup {
  readonly key: Digest;
  /** undefined for a hit by quick inputs: they were not read then. */
  readonly reads: StepReads | undefined;
  readonly hit: Hit | undefined;
  readonly miss: Miss | undefined;
}

export interface Resolved extends Omit<Lookup, 'hit'> {
  readonly result: StepResult;
  readonly savedAt: number | undefined;
  /** The other cache it came from, for people. */
  readonly from?: string | undefined;
  /** Made by this call. */
  readonly isFresh: boolean;
}

export interface BuildCacheOptions {
  /** Results of earlier builds count. */
  readonly reads: boolean;
  /** Results are kept for later builds. */
  readonly writes: boolean;
  /** Older results do not count. */
  readonly maxAgeMs?: number | undefined;
  /** Nothing in the store may change. */
  readonly isDryRun?: boolean;
  /** Other caches, asked for what is not here. */
  readonly imports?: CacheImport | undefined;
}

export class BuildCache {
  readonly #engine: Engine;
  readonly #o: BuildCacheOptions;
  /** Steps of this build by key: of two equal ones, one is run. */
  readonly #imported: { readonly key: Digest; readonly record: StepRecord<StepResult> }[] = [];
  readonly #ofThisBuild = new Map<Digest, Promise<StepResult>>();

  constructor(engine: Engine, o: BuildCacheOptions) {
    this.#engine = engine;
    this.#o = o;
  }

  /**
   * The result of a step: remembered, or that of an equal step of this build, or made now.
   * @param make runs the step; what it throws reaches everybody who waits for the same key
   * @param told of the outcome of the lookup before anything is run
   */
  async resolve(
    step: KeyedStep,
    make: () => Promise<StepResult>,
    told: (lookup: Lookup) => void = () => {},
  ): Promise<Resolved> {
    const lookup = await this.lookup(step);
    const { key, hit } = lookup;
    if (step.isOnce === true) {
      told(lookup);
      return { ...lookup, result: await make(), savedAt: undefined, isFresh: true };
    }
    const running = this.#ofThisBuild.get(key);
    if (running !== undefined) {
      return { ...lookup, miss: undefined, result: await running, savedAt: undefined, isFresh: false };
    }
    if (hit !== undefined) return { ...lookup, ...hit, isFresh: false };
    told(lookup);
    const work = this.#make(step, lookup, make);
    this.#ofThisBuild.set(key, work);
    return { ...lookup, result: await work, savedAt: undefined, isFresh: true };
  }

  /** Nothing that is remembered may be used. */
  get isOff(): boolean {
    return !this.#o.reads;
  }

  /** What is remembered of a step. */
  async lookup(step: KeyedStep): Promise<Lookup> {
    if (step.isOnce === true) {
      const once = await step.reads();
      return { key: stepKey(once.inputs).digest, reads: once, hit: undefined, miss: { kind: 'once' } };
    }
    const quick = step.quick === undefined ? undefined : stepKey(step.quick).digest;
    const { steps } = this.#engine.store;
    if (quick !== undefined && this.#o.reads) {
      const key = steps.aliasOf(quick);
      const found = key === undefined ? undefined : await this.#find(key);
      if (key !== undefined && found?.hit !== undefined) {
        this.#touch(quick);
        return { key, reads: undefined, ...found };
      }
    }
    const reads = await step.reads();
    const key = stepKey(reads.inputs).digest;
    const found = await this.#find(key);
    if (found.hit !== undefined && quick !== undefined && this.#o.writes) steps.putAlias(quick, key);
    if (found.hit !== undefined) return { key, reads, ...found };
    const imported = await this.#import(step, key, reads);
    return { key, reads, ...(imported === undefined ? found : { hit: imported, miss: undefined }) };
  }

  /** What another cache knows of a key. Its layer is fetched when somebody reads it, and the record kept after that. */
  async #import(step: KeyedStep, key: Digest, reads: StepReads): Promise<Hit | undefined> {
    if (!this.#o.reads) return undefined;
    const imported = await this.#o.imports?.find(key);
    if (imported === undefined) return undefined;
    const { from } = imported;
    const { savedAt, created, content, layer } = imported.step;
    if (this.#o.maxAgeMs !== undefined && Date.now() - savedAt > this.#o.maxAgeMs) return undefined;
    const chain = layer === undefined ? undefined : chainIdOf(step.chain as ChainId | undefined, layer.diffId);
    const result = { layer, snapshot: undefined, chain, created, ...(content === undefined ? {} : { content }) };
    const record: StepRecord<StepResult> = { version: 2, savedAt, text: step.text, inputs: reads.inputs, result };
    this.#imported.push({ key, record });
    return { result, savedAt, from };
  }

  /** Keeps what was imported, as far as it is here now. */
  async keepImported(): Promise<void> {
    if (!this.#o.writes) return;
    for (const { key, record } of this.#imported.splice(0)) {
      const { layer } = record.result;
      if (layer === undefined || (await isStored(this.#engine, layer.diffId)))
        this.#engine.store.steps.put(key, record);
    }
  }

  async #find(key: Digest): Promise<Pick<Lookup, 'hit' | 'miss'>> {
    const missed = (miss: Miss) => ({ hit: undefined, miss });
    if (!this.#o.reads) return missed({ kind: 'off' });
    const record = this.#engine.store.steps.get(key);
    if (record === undefined) return missed({ kind: 'unknown' });
    const ageMs = Date.now() - record.savedAt;
    if (this.#o.maxAgeMs !== undefined && ageMs > this.#o.maxAgeMs) return missed({ kind: 'expired', ageMs });
    const result = await this.#usable(record);
    if (result === undefined) return missed({ kind: 'lost' });
    this.#touch(key);
    return { hit: { result, savedAt: record.savedAt }, miss: undefined };
  }

  /** The result, when its snapshot still exists. */
  async #usable({ result }: StepRecord<StepResult>): Promise<StepResult | undefined> {
    const { layer, chain } = result;
    if (layer === undefined || chain === undefined) return result;
    const { isDryRun } = this.#o;
    const find = isDryRun === true ? this.#presentSnapshot(chain) : chainSnapshot(this.#engine, chain, layer.diffId);
    const snapshot = await find;
    if (snapshot !== undefined) return { ...result, snapshot };
    // What is not unpacked now is unpacked when somebody reads it.
    return (await isStored(this.#engine, layer.diffId)) ? { ...result, snapshot: undefined } : undefined;
  }

  /** The snapshot if it is here, and nothing is done about it if it is not. */
  async #presentSnapshot(chain: ChainId): Promise<SnapshotId | undefined> {
    const known = this.#engine.store.layers.snapshotOf(chain);
    if (known === undefined) return undefined;
    const id = known.id as SnapshotId;
    return (await this.#engine.snapshots.has({ id })) ? id : undefined;
  }

  #touch(key: Digest): void {
    if (this.#o.writes) this.#engine.store.steps.touch(key, Date.now());
  }

  async #make(step: KeyedStep, { key, reads }: Lookup, make: () => Promise<StepResult>): Promise<StepResult> {
    const { steps } = this.#engine.store;
    if (!this.#o.writes || reads === undefined) return make();
    // Written beside the work. A step that fails leaves its list behind until the next collection of garbage.
    const lists = this.#keepLists(reads.lists);
    let result: StepResult;
    try {
      result = await make();
    } finally {
      await lists;
    }
    const listed = reads.lists.map(({ name, digest, sources }) => ({ name, digest, sources }));
    steps.put(key, {
      version: 2,
      savedAt: Date.now(),
      text: step.text,
      inputs: reads.inputs,
      ...(listed.length === 0 ? {} : { lists: listed }),
      result,
    });
    if (step.quick !== undefined) steps.putAlias(stepKey(step.quick).digest, key);
    return result;
  }

  async #keepLists(lists: readonly FileList[]): Promise<void> {
    for (const { digest, records } of lists) {
      if (records !== undefined) await this.#engine.store.contentLists.put(digest, records);
    }
  }
}
