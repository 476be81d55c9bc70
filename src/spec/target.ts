/**
 * Capabilities of a place where images live: a registry repository, an OCI layout, an archive, the local store.
 * One-method interfaces, summed; optional powers are separate and found with a predicate.
 */
import type { Descriptor } from './descriptor.ts';

/** A chunk belongs to the consumer until the next pull. Chunks should be at least 64 KiB where the source allows it. */
export type Bytes = AsyncIterable<Uint8Array>;

export interface Cancellable {
  readonly signal?: AbortSignal | undefined;
}

export interface BlobSource {
  exists(d: Descriptor, o?: Cancellable): Promise<boolean>;
  /** Streams the content named by `d.digest`. The consumer verifies digest and size unless the source says it did. */
  open(d: Descriptor, o?: Cancellable): Promise<Bytes>;
}

export interface BlobSink {
  /** Stores `content`, verified against `expected`; content that is already there is success and is not read. */
  push(expected: Descriptor, content: Bytes, o?: Cancellable): Promise<void>;
}

export interface NameResolver {
  /** Descriptor of the manifest or index that `name` (a tag, a digest, or '' for the only one) stands for. */
  resolve(name: string, o?: Cancellable): Promise<Descriptor>;
}

export interface NameTagger {
  /** Names the manifest or index `d`, which was pushed before. */
  tag(d: Descriptor, name: string, o?: Cancellable): Promise<void>;
}

export type ReadTarget = BlobSource & NameResolver;
export type Target = ReadTarget & BlobSink & NameTagger;

/** Optional power: take a blob from another repository of the same registry without moving its bytes. */
export interface MountsBlobs {
  mountFrom(repository: string, d: Descriptor, o?: Cancellable): Promise<boolean>;
}

export function canMountBlobs(target: object): target is MountsBlobs {
  return 'mountFrom' in target && typeof target.mountFrom === 'function';
}
