/**
 * What went wrong first. When a resource cannot be let go of after an error (`using`), the language throws a
 * `SuppressedError` that holds both; the one people and programs act upon is the earlier.
 */
export function firstError(error: unknown): unknown {
  let first = error;
  while (first instanceof Error && first.name === 'SuppressedError' && 'suppressed' in first) first = first.suppressed;
  return first;
}
