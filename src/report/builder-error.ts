/** The one error class. Callers switch on `code`; people read `message`, the cause chain, `hint` and the place. */
import type { ErrorCode } from './error-codes.ts';
import type { Span } from './source-file.ts';

export interface ErrorDetails {
  readonly cause?: unknown;
  /** What to try, only where it is likely to be right. */
  readonly hint?: string;
  readonly span?: Span;
  /** Facts for programs: paths, digests, exit codes. Never secrets. */
  readonly facts?: Readonly<Record<string, string | number | boolean>>;
}

export class BuilderError extends Error {
  override readonly name = 'BuilderError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly span: Span | undefined;
  readonly facts: Readonly<Record<string, string | number | boolean>>;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
    this.span = details.span;
    this.facts = details.facts ?? {};
  }
}

export function isBuilderError(error: unknown, code?: ErrorCode): error is BuilderError {
  return error instanceof BuilderError && (code === undefined || error.code === code);
}

/** The same error with a place, and `prefix` before its message; one that has a place keeps it. Others pass through. */
export function located(error: unknown, span: Span | undefined, prefix = ''): unknown {
  if (!isBuilderError(error) || (prefix === '' && (error.span !== undefined || span === undefined))) return error;
  const place = error.span ?? span;
  return new BuilderError(error.code, `${prefix}${error.message}`, {
    cause: error.cause,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(place === undefined ? {} : { span: place }),
    facts: error.facts,
  });
}
