/** The digest and size of a difference without its bytes. */
import { createHash } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { BuilderError } from '../report/builder-error.ts';
import type { ErrorCode } from '../report/error-codes.ts';
import { type Digest, digestFromHex } from '../spec/digest.ts';
import { type DiffCounts, type DiffOptions, LayerWriter } from './layer-writer.ts';
import type { ChangeSource } from './snapshotter.ts';

export interface DiffMeasure {
  /** Digest of the tar: the layer's DiffID. */
  readonly diffId: Digest;
  /** bytes of the tar */
  readonly size: number;
  /** 0 when nothing changed */
  readonly entries: number;
}

/** A worker takes about 30 ms to start; below this much work it is not worth it. */
const SMALL_VISITS = 3000;
const SMALL_BYTES = 32 * 1024 * 1024;

/** More than was meant for the calling thread. */
class TooLarge extends Error {}

/** What the worker is given, and what it answers. */
export interface DiffOrder {
  readonly source: ChangeSource;
  readonly options: DiffOptions;
}
export type DiffAnswer =
  | { readonly measure: DiffMeasure }
  | {
      readonly failure: {
        readonly code: ErrorCode | undefined;
        readonly message: string;
        readonly hint: string | undefined;
        readonly facts: BuilderError['facts'];
      };
    };

/**
 * Digest, size and number of entries of what `diffTrees` would write. Large differences are worked on in a thread of
 * their own, so the caller can start the next step meanwhile.
 * @throws as `diffTrees`
 */
export async function measureDiff(source: ChangeSource, options: DiffOptions = {}): Promise<DiffMeasure> {
  options.signal?.throwIfAborted();
  try {
    return await measureHere(source, options, { visits: SMALL_VISITS, bytes: SMALL_BYTES });
  } catch (error) {
    if (!(error instanceof TooLarge)) throw error;
    return measureInWorker(source, options);
  }
}

/** Measures in this thread, giving up with `TooLarge` beyond `limit`. */
export async function measureHere(
  source: ChangeSource,
  options: DiffOptions,
  limit: { readonly visits: number; readonly bytes: number } = { visits: Infinity, bytes: Infinity },
): Promise<DiffMeasure> {
  const hash = createHash('sha256');
  let size = 0;
  const writer = new LayerWriter(source, options, (counts: DiffCounts, nextFileSize) => {
    if (counts.visited > limit.visits || counts.bytesRead + nextFileSize > limit.bytes) throw new TooLarge();
  });
  for await (const chunk of writer) {
    hash.update(chunk);
    size += chunk.length;
  }
  return { diffId: digestFromHex(hash.digest('hex')), size, entries: writer.counts.entries };
}

async function measureInWorker(source: ChangeSource, options: DiffOptions): Promise<DiffMeasure> {
  const { signal, ...plain } = options;
  const { lower, merged, uppers, unchangedInodes } = source;
  const order = { source: { lower, merged, uppers, unchangedInodes }, options: plain };
  const worker = new Worker(new URL('./diff-worker.js', import.meta.url), {
    workerData: order,
    // Descriptors are opened through the C library and closed through node, which would warn of each.
    trackUnmanagedFds: false,
  });
  const stop = (): void => void worker.terminate();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    const answer = await new Promise<DiffAnswer>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
      worker.once('exit', (code) => reject(signal?.reason ?? new Error(`the diff worker ended with code ${code}`)));
    });
    if ('measure' in answer) return answer.measure;
    const { code, message, hint, facts } = answer.failure;
    if (code === undefined) throw new Error(message);
    throw new BuilderError(code, message, { facts, ...(hint === undefined ? {} : { hint }) });
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}
