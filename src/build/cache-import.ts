/**
 * `--cache-from`: steps that were remembered elsewhere. What is asked for is a key that was computed here; what is given
 * counts only while its layer, once somebody needs it, turns out to have the DiffID that was promised.
 */
import { decompress } from '../archive/compression.ts';
import { verified } from '../archive/verify.ts';
import type { Engine, RemoteLayers } from '../container/engine.ts';
import { registryAccess } from '../container/short-names.ts';
import { admitFromPlace } from '../container/trust.ts';
import type { BuildOptions } from '../container/verb-options.ts';
import type { Admit } from '../image/admission.ts';
import { type ReadImage, readImage } from '../image/read-image.ts';
import { openTransport } from '../image/transport/open-transport.ts';
import type { OpenTarget } from '../image/transport/transport.ts';
import { BuilderError, isBuilderError } from '../report/builder-error.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import { type DiffId, type Digest, hexOf } from '../spec/digest.ts';
import { hostPlatform } from '../spec/platform.ts';
import { CleanupStack } from '../sys/dispose.ts';
import { readBundle, type TravellingStep } from './cache-bundle.ts';
import { type CachePlace, placeName } from './cache-place.ts';

export interface ImportedStep {
  readonly step: TravellingStep;
  /** Where it was found, for people. */
  readonly from: string;
}

/** A layer where it lies, in the form in which it lies there. */
interface RemoteLayer {
  readonly descriptor: Descriptor;
  readonly place: OpenTarget;
  readonly from: string;
}

export class CacheImport implements RemoteLayers, AsyncDisposable {
  readonly #engine: Engine;
  readonly #o: BuildOptions;
  readonly #places: readonly CachePlace[];
  readonly #cleanup = new CleanupStack();
  readonly #targets = new Map<CachePlace, Promise<OpenTarget | undefined>>();
  readonly #bundles = new Map<CachePlace, Promise<ReadonlyMap<Digest, TravellingStep>>>();
  readonly #layers = new Map<DiffId, RemoteLayer>();
  readonly #fetching = new Map<DiffId, Promise<void>>();
  /** Places that failed: told once, and not asked again. */
  readonly #failed = new Set<CachePlace>();

  constructor(engine: Engine, o: BuildOptions, places: readonly CachePlace[]) {
    this.#engine = engine;
    this.#o = o;
    this.#places = places;
  }

  /** The first of the places that knows the key; one that cannot be read is told of and left out. */
  async find(key: Digest): Promise<ImportedStep | undefined> {
    for (const place of this.#places) {
      if (this.#failed.has(place)) continue;
      try {
        const step =
          place.type === 'repository' ? await this.#fromRepository(place, key) : await this.#fromImage(place, key);
        if (step !== undefined) return { step, from: placeName(place) };
      } catch (error) {
        this.#engine.signal?.throwIfAborted();
        if (!isBuilderError(error)) throw error;
        this.#failed.add(place);
        const text = `the cache ${placeName(place)} cannot be read and is left out: ${error.message}`;
        this.#engine.emit({ type: 'warning', code: 'cache.import', text });
      }
    }
    return undefined;
  }

  async #fromRepository(place: CachePlace, key: Digest): Promise<TravellingStep | undefined> {
    const target = await this.#open(place);
    if (target === undefined) return undefined;
    let image: ReadImage;
    try {
      image = await readImage(target, hexOf(key), hostPlatform(), this.#engine.signal, this.#admit(place, target));
    } catch (error) {
      if (isBuilderError(error) && error.facts['status'] === 404) return undefined;
      throw error;
    }
    this.#note(place, target, image);
    // What a tag says is worth nothing: the key in the image counts.
    return readBundle(image.config).get(key);
  }

  async #fromImage(place: CachePlace, key: Digest): Promise<TravellingStep | undefined> {
    let bundle = this.#bundles.get(place);
    if (bundle === undefined) {
      bundle = this.#readBundle(place);
      this.#bundles.set(place, bundle);
    }
    return (await bundle).get(key);
  }

  async #readBundle(place: CachePlace): Promise<ReadonlyMap<Digest, TravellingStep>> {
    const target = await this.#open(place);
    if (target === undefined) return new Map();
    const image = await readImage(target, '', hostPlatform(), this.#engine.signal, this.#admit(place, target));
    this.#note(place, target, image);
    return readBundle(image.config);
  }

  /** A cache becomes part of images, so it is let in as one. */
  #admit(place: CachePlace, target: OpenTarget): Admit | undefined {
    if (place.type === 'inline') return undefined;
    return admitFromPlace(this.#engine, place.type === 'image' ? place.transport : 'docker', place.name, target);
  }

  #open(place: CachePlace): Promise<OpenTarget | undefined> {
    let target = this.#targets.get(place);
    if (target === undefined) {
      target = this.#openNow(place);
      this.#targets.set(place, target);
    }
    return target;
  }

  async #openNow(place: CachePlace): Promise<OpenTarget | undefined> {
    if (place.type === 'inline') return undefined;
    const transport = place.type === 'image' ? place.transport : 'docker';
    const { tlsVerify, certDir, authfile, creds, retries, retryDelayMs } = this.#o;
    const { env, emit, signal } = this.#engine;
    const target = await openTransport(transport, place.name, 'read', {
      registry: { tlsVerify, certDir, authfile, creds, retries, retryDelayMs, env, emit },
      registriesConf: registryAccess(this.#engine),
      signal,
    });
    return this.#cleanup.use(target);
  }

  #note(place: CachePlace, target: OpenTarget, { manifest, config }: ReadImage): void {
    if (manifest.layers.length !== config.rootfs.diff_ids.length) {
      throw new BuilderError('manifest.invalid', 'its manifest and its config list different numbers of layers');
    }
    for (const [i, diffId] of config.rootfs.diff_ids.entries()) {
      if (this.#layers.has(diffId)) continue;
      this.#layers.set(diffId, { descriptor: manifest.layers[i]!, place: target, from: placeName(place) });
    }
  }

  has(diffId: DiffId): boolean {
    return this.#layers.has(diffId);
  }

  fetch(diffId: DiffId): Promise<void> {
    let work = this.#fetching.get(diffId);
    if (work === undefined) {
      work = this.#fetchNow(diffId, this.#layers.get(diffId)!);
      this.#fetching.set(diffId, work);
    }
    return work;
  }

  async #fetchNow(diffId: DiffId, { descriptor, place, from }: RemoteLayer): Promise<void> {
    const { store, signal, emit } = this.#engine;
    const { digest } = descriptor;
    const label = `Copying blob ${digest}`;
    emit({ type: 'transfer', id: digest, label, state: 'started', total: descriptor.size });
    try {
      if (!store.blobs.has(digest))
        await store.blobs.push(descriptor, await place.open(descriptor, { signal }), { signal });
      const blob = verified(await store.blobs.open({ digest }), descriptor, `layer ${digest}`);
      for await (const _ of verified(decompress(blob), { digest: diffId }, `uncompressed layer ${digest}`)) {
        signal?.throwIfAborted();
      }
    } catch (cause) {
      signal?.throwIfAborted();
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new BuilderError('cache.damaged', `the cache ${from} promised the layer ${diffId}: ${why}`, {
        cause,
        facts: { cache: from },
      });
    }
    if (digest !== diffId) store.layers.noteForm(diffId, descriptor);
    emit({ type: 'transfer', id: digest, label, state: 'done', current: descriptor.size, total: descriptor.size });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#cleanup[Symbol.asyncDispose]();
  }
}
