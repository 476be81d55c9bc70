/**
 * What is said about an image, kept in the store until the image goes somewhere: statements name the manifest, and
 * that is known only when the layers have their final form.
 */
import type { Predicate } from '../attest/in-toto.ts';
import type { Descriptor } from '../spec/descriptor.ts';
import type { Digest } from '../spec/digest.ts';
import type { Engine } from './engine.ts';

const PREDICATE_TYPE = 'in-toto.io/predicate-type';

/** Puts predicates into the store as blobs. An image record must name them before the process ends. */
export function storePredicates(engine: Engine, predicates: readonly Predicate[]): Descriptor[] {
  return predicates.map(({ type, content }) => {
    const bytes = Buffer.from(JSON.stringify(content));
    return {
      mediaType: 'application/json',
      digest: engine.store.blobs.put(bytes),
      size: bytes.length,
      annotations: { [PREDICATE_TYPE]: type },
    };
  });
}

/** By digest of the manifest they are about, as it is in this store. */
export type StoredPredicates = ReadonlyMap<Digest, readonly Descriptor[]>;

/** What is said about the images of this store. */
export function storedPredicates(engine: Engine): StoredPredicates {
  const images = engine.store.images.list();
  return new Map(
    images.flatMap(({ manifest, predicates = [] }) => (predicates.length === 0 ? [] : [[manifest.digest, predicates]])),
  );
}

/** @throws `blob.not-found` */
export function readPredicates(engine: Engine, stored: readonly Descriptor[]): Predicate[] {
  return stored.map(({ digest, annotations }) => ({
    type: annotations?.[PREDICATE_TYPE] ?? '',
    content: JSON.parse(engine.store.blobs.read(digest).toString('utf8')) as object,
  }));
}
