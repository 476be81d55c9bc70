/** What happens, as data. Displays, logs, JSON and tests are readers of this stream. */
import type { Diagnostic } from './diagnostic.ts';

export type BuildEvent =
  | { readonly type: 'step-started'; readonly step: string; readonly name: string; readonly at: number }
  /** A line Buildah prints on standard output while it works: `STEP 1/3: …`, `--> 0123456789ab`, `COMMIT name`. */
  | { readonly type: 'step-line'; readonly step: string; readonly text: string }
  | {
      readonly type: 'step-output';
      readonly step: string;
      readonly stream: 'stdout' | 'stderr';
      readonly data: Uint8Array;
    }
  | {
      readonly type: 'step-finished';
      readonly step: string;
      readonly outcome: 'ran' | 'cached' | 'failed' | 'canceled';
      readonly at: number;
    }
  | {
      readonly type: 'transfer';
      /** Stable for one blob in one transfer. */
      readonly id: string;
      /** `Copying blob sha256:…`, `Copying config sha256:…`, `Writing manifest to image destination` … */
      readonly label: string;
      readonly state: 'started' | 'progress' | 'done' | 'skipped' | 'mounted';
      readonly current?: number;
      readonly total?: number;
    }
  /** A sentence for the person, neither result nor error. */
  | { readonly type: 'note'; readonly text: string }
  | { readonly type: 'warning'; readonly text: string; readonly code?: string }
  | { readonly type: 'diagnostic'; readonly diagnostic: Diagnostic };

export type Emit = (event: BuildEvent) => void;

export const silent: Emit = () => {};
