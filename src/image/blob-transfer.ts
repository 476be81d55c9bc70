/** Moving single blobs between two places: skipped when there, mounted when near, else sent, again when it broke off. */
import { setTimeout as sleep } from 'node:timers/promises';
import { verified } from '../archive/verify.ts';
import { Patience, pauseBefore } from '../registry/retry.ts';
import { isBuilderError } from '../report/builder-error.ts';
import { type Emit, silent } from '../report/event.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { Digest } from '../spec/digest.ts';
import { type Bytes, type Cancellable, canMountBlobs, type ReadTarget, type Target } from '../spec/target.ts';
import type { CopyOptions, LayerReplacement } from './copy-options.ts';
import { atDestination, fromSource, ofPlace, sourceBytes } from './copy-side.ts';
import { spool } from './spooled-content.ts';

const DEFAULT_RETRIES = 3;
/** Milliseconds between two progress events of one blob. */
const PROGRESS_INTERVAL_MS = 200;

/** Optional power: store content whose digest is known only at its end. */
interface PushesUnsized {
  pushUnsized(content: Bytes, o?: Cancellable): Promise<Stored>;
}

interface Stored {
  readonly digest: Digest;
  readonly size: number;
}

function pushesUnsized(target: object): target is PushesUnsized {
  return 'pushUnsized' in target && typeof target.pushUnsized === 'function';
}

export class BlobTransfer {
  readonly #from: ReadTarget;
  readonly #to: Target;
  readonly #o: CopyOptions;
  readonly #emit: Emit;
  /** One transfer per digest, however many manifests list it. */
  readonly #begun = new Map<Digest, Promise<void>>();

  constructor(from: ReadTarget, to: Target, o: CopyOptions) {
    this.#from = from;
    this.#to = to;
    this.#o = o;
    this.#emit = o.emit ?? silent;
  }

  /** Makes sure the blob is at the destination. */
  copy(d: Descriptor, label: string, signal: AbortSignal): Promise<void> {
    return this.#once(d, () => this.#move(d, label, () => this.#from.open(d, { signal }), signal));
  }

  /** Puts `replacement` where `layer` would go, and gives its descriptor. */
  async replace(layer: Descriptor, replacement: LayerReplacement, signal: AbortSignal): Promise<Descriptor> {
    const label = `Copying blob ${layer.digest}`;
    if ('descriptor' in replacement) {
      const { descriptor } = replacement;
      await this.#once(descriptor, () => this.#move(descriptor, label, () => replacement.open(), signal));
      return descriptor;
    }
    const { mediaType } = replacement;
    this.#emit({ type: 'transfer', id: layer.digest, label, state: 'started' });
    const content = this.#counted(layer.digest, label, undefined, replacement.content);
    const { digest, size } = await this.#pushUnsized(mediaType, content, signal);
    this.#emit({ type: 'transfer', id: layer.digest, label, state: 'done', current: size, total: size });
    const annotations = (await replacement.annotations?.()) ?? {};
    return { mediaType, digest, size, ...(Object.keys(annotations).length === 0 ? {} : { annotations }) };
  }

  /** A place that has to know the digest first gets the content when it has been written to a file. */
  async #pushUnsized(mediaType: string, content: Bytes, signal: AbortSignal): Promise<Stored> {
    const to = this.#to;
    if (pushesUnsized(to)) return atDestination(() => to.pushUnsized(content, { signal }));
    await using spooled = await spool(content);
    const { digest, size } = spooled;
    await atDestination(() => to.push({ mediaType, digest, size }, spooled.open(), { signal }));
    return { digest, size };
  }

  #once(d: Descriptor, action: () => Promise<void>): Promise<void> {
    let transfer = this.#begun.get(d.digest);
    if (transfer === undefined) {
      transfer = action();
      this.#begun.set(d.digest, transfer);
    }
    return transfer;
  }

  async #move(d: Descriptor, label: string, open: () => Promise<Bytes>, signal: AbortSignal): Promise<void> {
    const event = { type: 'transfer', id: d.digest, label, total: d.size } as const;
    if (await atDestination(() => this.#to.exists(d, { signal }))) return this.#emit({ ...event, state: 'skipped' });
    if (await this.#mount(d, signal)) return this.#emit({ ...event, state: 'mounted' });
    this.#emit({ ...event, state: 'started', current: 0 });
    await this.#send(d, label, open, signal);
    this.#emit({ ...event, state: 'done', current: d.size });
  }

  async #mount(d: Descriptor, signal: AbortSignal): Promise<boolean> {
    const to = this.#to;
    if (!canMountBlobs(to)) return false;
    for (const repository of this.#o.mountFrom ?? []) {
      if (await atDestination(() => to.mountFrom(repository, d, { signal }))) return true;
    }
    return false;
  }

  /** A stream cannot be rewound, so what broke off is opened again at the source. */
  async #send(d: Descriptor, label: string, open: () => Promise<Bytes>, signal: AbortSignal): Promise<void> {
    const policy = { retries: this.#o.retries ?? DEFAULT_RETRIES, delayMs: this.#o.retryDelayMs };
    const patience = new Patience();
    for (let attempt = 0; ; attempt++) {
      signal.throwIfAborted();
      patience.begin();
      try {
        const content = this.#counted(d.digest, label, d, await fromSource(open));
        return await atDestination(() => this.#to.push(d, content, { signal }), this.#named(d.digest));
      } catch (error) {
        const isPassing = isBuilderError(error) && error.facts['retryable'] === true;
        // The source has its own retries and resumes; when it gives up, so does the copy.
        if (!isPassing || error.facts['side'] !== 'destination' || attempt >= policy.retries) throw error;
        const pauseMs = pauseBefore(attempt + 1, error, policy);
        if (patience.isOver(error, pauseMs)) throw error;
        await sleep(pauseMs, undefined, { signal });
      }
    }
  }

  #named(digest: string): string {
    return `blob ${digest}${ofPlace(this.#from)}`;
  }

  /** Tells how far it is. Sinks verify what they store, and nothing past the expected size is handed to them. */
  async *#counted(id: string, label: string, expected: { readonly size: number } | undefined, content: Bytes): Bytes {
    let current = 0;
    let told = performance.now();
    const bounded = expected === undefined ? content : verified(content, { size: expected.size }, this.#named(id));
    for await (const chunk of sourceBytes(bounded)) {
      current += chunk.length;
      const now = performance.now();
      if (now - told >= PROGRESS_INTERVAL_MS) {
        told = now;
        const total = expected === undefined ? {} : { total: expected.size };
        this.#emit({ type: 'transfer', id, label, state: 'progress', current, ...total });
      }
      yield chunk;
    }
  }
}
