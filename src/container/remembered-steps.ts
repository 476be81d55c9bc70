/** Steps that builds with `--layers` left behind, as a list. */
import type { Digest } from '../spec/digest.ts';
import type { Engine } from './engine.ts';

/** One remembered step. */
export interface RememberedStep {
  readonly key: Digest;
  /** The line of the Dockerfile. */
  readonly text: string;
  /** Bytes of the layer it made, as a tar; 0 for none. */
  readonly sizeBytes: number;
  /** ms since the epoch */
  readonly savedAt: number;
  /** Of its last use, to the hour. */
  readonly usedAt: number;
}

/** The latest used first. */
export function listSteps({ store }: Engine): RememberedStep[] {
  return [...store.steps.list()]
    .map(({ key, usedAt, record: { text, savedAt, result } }) => ({
      key,
      text,
      sizeBytes: result.layer?.size ?? 0,
      savedAt,
      usedAt: Math.max(usedAt, savedAt),
    }))
    .sort((a, b) => b.usedAt - a.usedAt);
}
