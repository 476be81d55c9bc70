/** What a bill of materials is about and when it was made. */
export interface SbomSubject {
  /** Name of the image, or of what stands for it. */
  readonly name: string;
  /** RFC 3339 in UTC to the second: the time of the image, so that the same build says the same. */
  readonly created: string;
}

/** `2026-01-02T03:04:05Z`: SPDX takes neither fractions nor other zones. @throws RangeError for no time at all */
export function secondsOf(time: string): string {
  return `${new Date(time).toISOString().slice(0, 19)}Z`;
}
