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

/** What was used between two readings. */
export function usageBetween(before: ResourceUsage, after: ResourceUsage): ResourceUsage {
  return {
    userMs: after.userMs - before.userMs,
    systemMs: after.systemMs - before.systemMs,
    elapsedMs: after.elapsedMs - before.elapsedMs,
    readBytes: after.readBytes - before.readBytes,
    writtenBytes: after.writtenBytes - before.writtenBytes,
  };
}
