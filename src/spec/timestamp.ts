/** A point in time to the nanosecond; `seconds` may be negative, `nanoseconds` is 0 … 999,999,999 and counts upwards. */
export interface Timestamp {
  readonly seconds: number;
  readonly nanoseconds: number;
}

export function sameTime(a: Timestamp, b: Timestamp): boolean {
  return a.seconds === b.seconds && a.nanoseconds === b.nanoseconds;
}

/** Whether `a` is later than `b`. */
export function isAfter(a: Timestamp, b: Timestamp): boolean {
  return a.seconds > b.seconds || (a.seconds === b.seconds && a.nanoseconds > b.nanoseconds);
}
