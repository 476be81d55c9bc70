/** What a check of the store finds, and what mends it. */
import type { SnapshotId } from '../rootfs/snapshotter.ts';
import type { DiffId, Digest } from '../spec/digest.ts';
import type { KnownLayer, UnpackedLayer } from './unpacked-content.ts';

/** Something that is not what its name promises. */
export interface Damage {
  readonly kind: 'record' | 'blob' | 'snapshot' | 'image' | 'name' | 'container' | 'step';
  /** A digest, id or name. */
  readonly subject: string;
  readonly problem: string;
  /** What was done about it; undefined: it is as it was. */
  readonly repaired?: string;
}

/** How many of each were looked at. */
export interface CheckCounts {
  readonly images: number;
  readonly containers: number;
  readonly blobs: number;
  readonly layers: number;
  readonly snapshots: number;
  readonly steps: number;
}

/** Damage with what would mend it; undefined: nothing that is here. */
export interface Finding extends Damage {
  readonly cure?: Cure;
}

export type Cure =
  /** A cache, or the record of one. */
  | { readonly cure: 'remove-file'; readonly path: string }
  /** The table of images from what is left of it, and from manifests that are there. */
  | { readonly cure: 'salvage'; readonly path: string }
  /** What is known of a layer, from images that list it. */
  | { readonly cure: 'learn-again'; readonly diffId: DiffId }
  /** A container's files under a fresh record. */
  | { readonly cure: 'recover'; readonly id: string }
  | { readonly cure: 'forget-step'; readonly key: Digest }
  | { readonly cure: 'delete-blob'; readonly digest: Digest }
  | { readonly cure: 'relink'; readonly id: SnapshotId }
  | { readonly cure: 'restore'; readonly id: SnapshotId; readonly layer: UnpackedLayer }
  | { readonly cure: 'unpack-again'; readonly id: SnapshotId; readonly layer?: KnownLayer }
  | { readonly cure: 'remove-sealed'; readonly id: SnapshotId }
  | { readonly cure: 'remove-active'; readonly key: string }
  | { readonly cure: 'drop-name'; readonly name: string }
  | { readonly cure: 'drop-image'; readonly id: string };
