/** `history`: how an image came to be, step by step, as its config tells. */
import type { Descriptor } from '../spec/descriptor.ts';
import type { DiffId } from '../spec/digest.ts';
import type { ImageConfig } from '../spec/image-config.ts';

export interface HistoryStep {
  /** 64 hex digits for the newest step, which is the image; undefined for those below, which are no images here. */
  readonly id: string | undefined;
  /** RFC 3339; '' when it is not told. */
  readonly created: string;
  readonly createdBy: string;
  readonly author: string;
  readonly comment: string;
  readonly emptyLayer: boolean;
  /** Bytes of the layer: unpacked where that is known, else as it is sent. */
  readonly sizeBytes: number;
  /** Names of the image, for the newest step. */
  readonly names: readonly string[];
}

export interface HistoryImage {
  readonly id: string;
  readonly names: readonly string[];
  readonly config: ImageConfig;
  /** Bottom first. */
  readonly layers: readonly Descriptor[];
  /** Bytes of a layer's tar; undefined where it is not known. */
  readonly sizeOf: (diffId: DiffId) => number | undefined;
}

/**
 * Newest first. A history may tell of fewer layers than there are, for bases were made that have none: so it tells of
 * the uppermost ones, and the others come last.
 */
export function historySteps({ id, names, config, layers, sizeOf }: HistoryImage): readonly HistoryStep[] {
  const sizes = config.rootfs.diff_ids.map((diffId, i) => sizeOf(diffId) ?? layers[i]?.size ?? 0);
  const told: HistoryStep[] = [...(config.history ?? [])].reverse().map((entry) => ({
    ...UNTOLD,
    created: entry.created ?? '',
    createdBy: entry.created_by ?? '',
    author: entry.author ?? '',
    comment: entry.comment ?? '',
    emptyLayer: entry.empty_layer === true,
    sizeBytes: entry.empty_layer === true ? 0 : (sizes.pop() ?? 0),
  }));
  const untold = sizes.reverse().map((sizeBytes) => ({ ...UNTOLD, sizeBytes }));
  return [...told, ...untold].map((step, i) => (i === 0 ? { ...step, id, names } : step));
}

const UNTOLD: HistoryStep = {
  id: undefined,
  created: '',
  createdBy: '',
  author: '',
  comment: '',
  emptyLayer: false,
  sizeBytes: 0,
  names: [],
};
