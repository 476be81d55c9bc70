/**
 * Remembered steps inside an image: a member of its config says which step, by key, made which of its layers. A bundle
 * is only ever asked for keys that were computed here from what a step reads, and the layers it names are verified
 * against the DiffIDs of the same config; history, labels and annotations play no part. Pure.
 */
import type { StepResult } from '../container/step-result.ts';
import { type DiffId, type Digest, parseDigest } from '../spec/digest.ts';
import type { ImageConfig } from '../spec/image-config.ts';

/** Name of the member. Its shape changes only together with the name. */
export const BUNDLE_MEMBER = 'io.slipway.cache.v1' as const;

/** A step as it travels: everything that is true wherever it is used. */
export interface TravellingStep {
  readonly key: Digest;
  /** ms since the epoch */
  readonly savedAt: number;
  readonly created: string;
  readonly content?: NonNullable<StepResult['content']>;
  /** The layer it added; undefined for none. */
  readonly layer: { readonly diffId: DiffId; readonly size: number } | undefined;
}

interface WrittenStep {
  readonly key: string;
  readonly savedAt: number;
  readonly created: string;
  readonly content?: unknown;
  /** Position in `rootfs.diff_ids`, and bytes of the tar. */
  readonly layer?: readonly [number, number];
}

/** What goes into the config of an image with these layers. */
export function writeBundle(steps: readonly TravellingStep[], diffIds: readonly DiffId[]): unknown {
  const written = steps.map(({ key, savedAt, created, content, layer }): WrittenStep => {
    const shared = { key, savedAt, created, ...(content === undefined ? {} : { content }) };
    return layer === undefined ? shared : { ...shared, layer: [diffIds.indexOf(layer.diffId), layer.size] };
  });
  return { steps: written };
}

/** The steps an image tells of, by key; what is malformed is left out. */
export function readBundle(config: ImageConfig): Map<Digest, TravellingStep> {
  const found = new Map<Digest, TravellingStep>();
  const member = config[BUNDLE_MEMBER];
  const steps = isObject(member) ? member['steps'] : undefined;
  if (!Array.isArray(steps)) return found;
  for (const step of steps) {
    const read = readStep(step, config.rootfs.diff_ids);
    if (read !== undefined) found.set(read.key, read);
  }
  return found;
}

function readStep(value: unknown, diffIds: readonly DiffId[]): TravellingStep | undefined {
  if (!isObject(value)) return undefined;
  const key = parseDigest(value['key']);
  const { savedAt, created, layer } = value;
  if (key === undefined || typeof savedAt !== 'number' || typeof created !== 'string') return undefined;
  if (Number.isNaN(Date.parse(created))) return undefined;
  const content = readContent(value['content']);
  const shared = { key, savedAt, created, ...(content === undefined ? {} : { content }) };
  if (layer === undefined) return { ...shared, layer: undefined };
  if (!Array.isArray(layer)) return undefined;
  const [position, size] = layer as unknown[];
  const diffId = typeof position === 'number' ? diffIds[position] : undefined;
  if (diffId === undefined || !Number.isSafeInteger(size) || (size as number) < 0) return undefined;
  return { ...shared, layer: { diffId, size: size as number } };
}

const KINDS = ['file', 'dir', 'multi', 'empty'] as const;

function readContent(value: unknown): StepResult['content'] {
  if (!isObject(value)) return undefined;
  const kind = KINDS.find((known) => known === value['kind']);
  const { hex } = value;
  return kind === undefined || typeof hex !== 'string' || !/^[0-9a-f]{0,64}$/.test(hex) ? undefined : { kind, hex };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
