/** What the layers of an image hold, as values: for tables, JSON and the report page. */
import type { DiffId, Digest } from '../spec/digest.ts';

/** A file in a layer. */
export interface LayerFile {
  /** Without a leading slash; bytes that are no UTF-8 are shown as U+FFFD. */
  readonly path: string;
  readonly bytes: number;
}

/** A file whose bytes are in the image and can be seen by nobody: a later layer has another version, or removed it. */
export interface WastedFile extends LayerFile {
  /** Index of the layer that holds the bytes. */
  readonly layer: number;
  /** Index of the layer that hid them. */
  readonly hiddenBy: number;
  readonly how: 'overwritten' | 'removed';
}

/** Counts are of names: files, directories, links and devices alike. */
export interface LayerCounts {
  /** Bytes of the contents of files; names, owners and times take none. */
  readonly contentBytes: number;
  /** Names the layer adds or changes. */
  readonly entries: number;
  readonly added: number;
  readonly changed: number;
  /** Names of lower layers that are gone, those below a removed directory included. */
  readonly removed: number;
  /** Of `contentBytes`, those that a later layer hides. */
  readonly wastedBytes: number;
  /** Most bytes first. */
  readonly largest: readonly LayerFile[];
}

export interface LayerInsight extends LayerCounts {
  /** Counted from 0, bottom first. */
  readonly index: number;
  readonly diffId: DiffId;
  /** As the manifest lists it: another digest and size than those of the tar when it is compressed. */
  readonly digest: Digest;
  readonly sizeBytes: number;
  /** `created_by` of the history entry that goes with it. */
  readonly createdBy: string | undefined;
}

export interface ImageInsight {
  /** 64 hex digits. */
  readonly id: string;
  readonly names: readonly string[];
  readonly layers: readonly LayerInsight[];
  readonly contentBytes: number;
  readonly wastedBytes: number;
  /** Part of all bytes that can be seen, 0 to 1; 1 for an image without files. */
  readonly efficiency: number;
  /** The worst of them, most bytes first. */
  readonly wasted: readonly WastedFile[];
}

/** The part of `contentBytes` that is not wasted. */
export function efficiencyOf(contentBytes: number, wastedBytes: number): number {
  return contentBytes === 0 ? 1 : (contentBytes - wastedBytes) / contentBytes;
}

/** `created_by` per layer: history entries that made a layer, in order; undefined where there are too few of them. */
export function layerOrigins(
  layers: number,
  history: readonly { readonly created_by?: string; readonly empty_layer?: boolean }[],
): (string | undefined)[] {
  const made = history.filter((entry) => entry.empty_layer !== true);
  return Array.from({ length: layers }, (_, i) => made[i]?.created_by);
}
