/** What a part of a build used of the machine. */
export interface ResourceUsage {
  /** Processor time in programs. */
  readonly userMs: number;
  /** Processor time in the kernel. */
  readonly systemMs: number;
  readonly elapsedMs: number;
  /** From disks; what the kernel had in memory costs nothing. */
  readonly readBytes: number;
  readonly writtenBytes: number;
}

/** What was used between two readings, times in whole microseconds. */
export function usageBetween(before: ResourceUsage, after: ResourceUsage): ResourceUsage {
  const milliseconds = (key: 'userMs' | 'systemMs' | 'elapsedMs'): number =>
    Math.round((after[key] - before[key]) * 1000) / 1000;
  return {
    userMs: milliseconds('userMs'),
    systemMs: milliseconds('systemMs'),
    elapsedMs: milliseconds('elapsedMs'),
    readBytes: after.readBytes - before.readBytes,
    writtenBytes: after.writtenBytes - before.writtenBytes,
  };
}
