/**
 * A mistake in the command line. It looks like the library's error, so one renderer shows both, but it can be thrown
 * without loading the library.
 */
export class UsageError extends Error {
  override readonly name = 'BuilderError';
  readonly code: 'usage.invalid' | 'usage.unsupported';
  readonly hint: string | undefined;
  /** What was typed and what could have been meant; the suggestion is looked up only when the error is shown. */
  readonly near: { readonly word: string; readonly candidates: readonly string[]; readonly prefix: string } | undefined;

  constructor(
    message: string,
    more: { code?: 'usage.invalid' | 'usage.unsupported'; hint?: string; near?: UsageError['near'] } = {},
  ) {
    super(message);
    this.code = more.code ?? 'usage.invalid';
    this.hint = more.hint;
    this.near = more.near;
  }
}

/** The refusal of a flag that Buildah has and Slipway does not do. */
export function unsupportedFlag(flag: string, command: string, why?: string): UsageError {
  return new UsageError(`${flag} of ${command} is not supported${why === undefined ? '' : `: ${why}`}`, {
    code: 'usage.unsupported',
  });
}
