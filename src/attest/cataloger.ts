/** One way of finding packages: files by their name, and how to read one. */
import type { RootFile, RootFiles } from './root-files.ts';
import type { Distribution, SoftwarePackage } from './software.ts';

export interface CatalogContext {
  readonly distribution: Distribution | undefined;
  readonly root: RootFiles;
}

/** A package without what the inventory adds: where it was found. */
export type FoundPackage = Omit<SoftwarePackage, 'locations' | 'evidence'> &
  Partial<Pick<SoftwarePackage, 'locations'>>;

export interface Cataloger {
  /** For warnings: `cannot read /x as NAME`. */
  readonly name: string;
  readonly evidence: SoftwarePackage['evidence'];
  /** Whether to read the file at `path`: one character per byte, no leading `/`. `mode` costs a system call. */
  readonly matches: (path: string, mode: () => number) => boolean;
  /** Largest file taken whole. Files read in pieces have their own bounds. */
  readonly maxBytes: number;
  /** @throws anything at all when the file is not what its name promises: a warning, and what came before it stays */
  readonly read: (file: RootFile, context: CatalogContext) => Iterable<FoundPackage>;
}

/** Limits by kind: databases of a whole system, lock files, the description of one package. */
export const MAX_BYTES = { database: 256 * 1024 * 1024, lock: 64 * 1024 * 1024, description: 4 * 1024 * 1024 } as const;

/** Matches files whose path ends with one of these, whole components only. */
export function endsWith(...tails: readonly string[]): (path: string) => boolean {
  return (path) => tails.some((tail) => path.endsWith(tail) && (path.length === tail.length || isBoundary(path, tail)));
}

function isBoundary(path: string, tail: string): boolean {
  return tail.startsWith('.') || path[path.length - tail.length - 1] === '/';
}
