/** What a remembered build step left behind. */
import type { ChainId, DiffId } from '../spec/digest.ts';

export interface StepResult {
  /** The layer the step added; undefined when it added none. */
  readonly layer: { readonly diffId: DiffId /** bytes of the tar */; readonly size: number } | undefined;
  /** Snapshot and ChainID after the step; undefined while there is no layer at all. */
  readonly snapshot: string | undefined;
  readonly chain: ChainId | undefined;
  /** When the step really ran: RFC 3339 with nanoseconds. */
  readonly created: string;
  /** What a COPY or ADD copied, as history names it. */
  readonly content?: { readonly kind: 'file' | 'dir' | 'multi' | 'empty'; readonly hex: string };
}
