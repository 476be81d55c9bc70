/** Every regular file of a root, by name alone: nothing is opened but directories, and no link is followed. */
import { closeSync, constants, readdirSync } from 'node:fs';
import { statAtIfAny, tryOpenAt } from '../sys/file-calls.ts';
import { procPath } from '../sys/root-directory.ts';

export interface WalkLimits {
  /** Files and directories seen before the walk gives up. */
  readonly maxEntries: number;
  /** Directories inside each other; each costs a descriptor. */
  readonly maxDepth: number;
  /** Names in the root that are passed over. */
  readonly skipped: readonly string[];
}

/** What the kernel, not the image, fills is no part of the image. */
export const WALK_LIMITS: WalkLimits = { maxEntries: 4_000_000, maxDepth: 128, skipped: ['proc', 'sys', 'dev'] };

/** Called with a path, one character per byte and without a leading `/`, and the mode, which costs a call when asked. */
export type VisitFile = (path: string, mode: () => number) => void;

/**
 * Calls `visit` with each regular file, in byte order of each directory. Directories that cannot be entered or go beyond the limits are told to `warn`.
 */
export function walkRoot(
  rootFd: number,
  visit: VisitFile,
  warn: (text: string) => void,
  limits: WalkLimits = WALK_LIMITS,
): void {
  let left = limits.maxEntries;
  const walk = (fd: number, prefix: string, depth: number): void => {
    const entries = readdirSync(procPath(fd), { encoding: 'buffer', withFileTypes: true })
      .map((entry) => ({ name: (entry.name as unknown as Buffer).toString('latin1'), entry }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const { name, entry } of entries) {
      left -= 1;
      if (left < 0) return;
      if (entry.isFile()) visit(prefix + name, () => statAtIfAny(fd, name)?.mode ?? 0);
      if (!entry.isDirectory() || (depth === 0 && limits.skipped.includes(name))) continue;
      const shown = `/${Buffer.from(prefix + name, 'latin1')}`;
      if (depth + 1 > limits.maxDepth) {
        warn(`${shown} is not searched: it is more than ${limits.maxDepth} directories deep`);
        continue;
      }
      const child = tryOpenAt(fd, name, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
      if (typeof child === 'string') {
        warn(`${shown} cannot be searched: ${child}`);
        continue;
      }
      try {
        walk(child, `${prefix}${name}/`, depth + 1);
      } finally {
        closeSync(child);
      }
    }
  };
  walk(rootFd, '', 0);
  if (left < 0) warn(`the search stopped after ${limits.maxEntries} files`);
}
