import type { Span } from './source-file.ts';

/** Something to tell about a source text; the same object feeds terminal, JSON and editors. */
export interface Diagnostic {
  readonly severity: 'error' | 'warning';
  /** Error code or lint rule name. */
  readonly code: string;
  readonly message: string;
  readonly span: Span;
  readonly notes: readonly { readonly message: string; readonly span?: Span }[];
  readonly help?: string;
}
