/**
 * The filesystem side of a stage: the layers below, and the writable snapshot on top while there is one. A snapshot is
 * made when the first step touches files, so a stage of configuration alone mounts nothing.
 */
import { type Engine, temporaryKey } from '../container/engine.ts';
import { type LayerTimes, type SealedLayer, sealLayer } from '../container/seal-layer.ts';
import { unpack } from '../container/unpack.ts';
import type { MountedRootfs, SnapshotId } from '../rootfs/snapshotter.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { ChainId, DiffId } from '../spec/digest.ts';
import { MEDIA } from '../spec/media-type.ts';

/** Immutable: what is below a stage, or what it came to. */
export interface LayerState {
  /** Bottom first. */
  readonly layers: readonly Descriptor[];
  readonly diffIds: readonly DiffId[];
  readonly chain: ChainId | undefined;
  /** Where the layers are unpacked, as far as it is known: `snapshotOf` unpacks them. */
  readonly snapshot: SnapshotId | undefined;
}

/** The snapshot that holds the layers, unpacked now if they are not; undefined for no layers. */
export async function snapshotOf(engine: Engine, state: LayerState): Promise<SnapshotId | undefined> {
  return state.snapshot ?? (await unpack(engine, state));
}

export const NO_LAYERS: LayerState = { layers: [], diffIds: [], chain: undefined, snapshot: undefined };

/** The state with one more layer. */
export function withLayer(
  before: LayerState,
  layer: { readonly diffId: DiffId; readonly size: number },
  snapshot: SnapshotId | undefined,
  chain: ChainId | undefined,
): LayerState {
  return {
    layers: [...before.layers, { mediaType: MEDIA.ociLayer, digest: layer.diffId, size: layer.size }],
    diffIds: [...before.diffIds, layer.diffId],
    chain,
    snapshot,
  };
}

export class StageRoot implements AsyncDisposable {
  readonly #engine: Engine;
  readonly #times: LayerTimes;
  #state: LayerState;
  #active: { readonly key: string; mounted: MountedRootfs | undefined } | undefined;

  constructor(engine: Engine, base: LayerState, times: LayerTimes) {
    this.#engine = engine;
    this.#state = base;
    this.#times = times;
  }

  /** Sealed layers; what the writable snapshot holds is not in it yet. */
  get state(): LayerState {
    return this.#state;
  }

  get isTouched(): boolean {
    return this.#active !== undefined;
  }

  async snapshot(): Promise<SnapshotId | undefined> {
    const snapshot = await snapshotOf(this.#engine, this.#state);
    this.#state = { ...this.#state, snapshot };
    return snapshot;
  }

  /** Path of the writable root filesystem, mounted. */
  async writable(): Promise<string> {
    if (this.#active === undefined) {
      const key = temporaryKey(this.#engine);
      await this.#engine.snapshots.prepare(key, await this.snapshot());
      this.#active = { key, mounted: undefined };
    }
    this.#active.mounted ??= await this.#engine.snapshots.mount(this.#active.key);
    return this.#active.mounted.path;
  }

  /** Ends the writable snapshot, if there is one, as a layer. `always`: also when nothing changed. */
  async seal(always: boolean): Promise<SealedLayer['layer']> {
    const active = this.#active;
    if (active === undefined) return undefined;
    await active.mounted?.[Symbol.asyncDispose]();
    active.mounted = undefined;
    const { snapshot, chain } = this.#state;
    const sealed = await sealLayer(this.#engine, active.key, {
      base: snapshot,
      baseChain: chain,
      times: this.#times,
      always,
    });
    this.#active = undefined;
    if (sealed.layer !== undefined) this.#state = withLayer(this.#state, sealed.layer, sealed.snapshot, sealed.chain);
    return sealed.layer;
  }

  /** Takes over a remembered result instead of doing the work. */
  adopt(
    layer: { readonly diffId: DiffId; readonly size: number },
    snapshot: SnapshotId | undefined,
    chain: ChainId | undefined,
  ): void {
    this.#state = withLayer(this.#state, layer, snapshot, chain);
  }

  /** Gives the key of the writable snapshot away, not mounted any more; undefined when there is none. */
  async release(): Promise<string | undefined> {
    const active = this.#active;
    this.#active = undefined;
    await active?.mounted?.[Symbol.asyncDispose]();
    return active?.key;
  }

  /** Discards what was not sealed. */
  async [Symbol.asyncDispose](): Promise<void> {
    const active = this.#active;
    if (active === undefined) return;
    this.#active = undefined;
    await active.mounted?.[Symbol.asyncDispose]();
    await this.#engine.snapshots.removeActive(active.key);
  }
}
