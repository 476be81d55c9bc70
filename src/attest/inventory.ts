/**
 * The packages of a root filesystem. The root is walked once by name, then what looks like a record of packages is
 * read. A malformed file costs its own packages and a warning, never the inventory.
 */

import type { CatalogContext, Cataloger } from './cataloger.ts';
import { CATALOGERS } from './catalogers.ts';
import { readDistribution } from './distribution.ts';
import { RootFiles, reasonOf } from './root-files.ts';
import type { Inventory, SoftwarePackage } from './software.ts';
import { type VisitFile, WALK_LIMITS, type WalkLimits, walkRoot } from './walk-root.ts';

/** More packages than any image has; beyond, a lock file is an attack. */
const MAX_PACKAGES = 500_000;

export interface InventoryOptions {
  /** Read-only view of the root filesystem. */
  readonly root: string;
  readonly limits?: WalkLimits;
  readonly signal?: AbortSignal | undefined;
}

/** @throws `sys.call-failed` when `root` is not a directory; the abort reason */
export function takeInventory(o: InventoryOptions): Inventory {
  using root = new RootFiles(o.root);
  const warnings: string[] = [];
  const candidates = findCandidates(root, o, warnings);
  const context: CatalogContext = { distribution: readDistribution(root), root };
  const packages = new Map<string, SoftwarePackage>();
  for (const { path, cataloger } of candidates) {
    o.signal?.throwIfAborted();
    const bytes = Buffer.from(path, 'latin1');
    try {
      root.with(bytes, cataloger.maxBytes, (file) => {
        for (const found of cataloger.read(file, context)) {
          add(packages, { locations: [file.path], ...found, evidence: cataloger.evidence });
        }
      });
    } catch (error) {
      warnings.push(`cannot read /${bytes} as ${cataloger.name}: ${reasonOf(error)}`);
    }
    if (packages.size > MAX_PACKAGES) {
      warnings.push(`the inventory stops at /${bytes}: more than ${MAX_PACKAGES} packages`);
      break;
    }
  }
  return {
    distribution: context.distribution,
    packages: [...packages.values()].sort((a, b) => (a.purl < b.purl ? -1 : 1)),
    warnings,
  };
}

interface Candidate {
  readonly path: string;
  readonly cataloger: Cataloger;
}

function findCandidates(root: RootFiles, o: InventoryOptions, warnings: string[]): Candidate[] {
  const candidates: Candidate[] = [];
  const visit: VisitFile = (path, mode) => {
    for (const cataloger of CATALOGERS) {
      if (cataloger.matches(path, mode)) candidates.push({ path, cataloger });
    }
  };
  walkRoot(root.fd, visit, (text) => warnings.push(text), o.limits ?? WALK_LIMITS);
  return candidates;
}

/** One package found twice is one package in two places; what is installed outweighs what is declared. */
function add(packages: Map<string, SoftwarePackage>, found: SoftwarePackage): void {
  const known = packages.get(found.purl);
  if (known === undefined) {
    packages.set(found.purl, found);
    return;
  }
  const [main, other] =
    known.evidence === 'declared' && found.evidence === 'installed' ? [found, known] : [known, found];
  packages.set(found.purl, {
    ...other,
    ...main,
    locations: [...new Set([...known.locations, ...found.locations])].sort(),
  });
}
