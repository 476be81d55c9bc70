/** What is in an image, as values: the catalogers make them, the writers of SPDX and CycloneDX read them. */

/** A digest as lock files and registries state it. */
export interface StatedDigest {
  readonly algorithm: 'MD5' | 'SHA-1' | 'SHA-256' | 'SHA-384' | 'SHA-512';
  /** lowercase hex */
  readonly hex: string;
}

export interface SoftwarePackage {
  /** Package URL; with the name and version it says, the identity of the package. */
  readonly purl: string;
  readonly name: string;
  /** Empty where the place that names the package knows none. */
  readonly version: string;
  /** As found, each a licence name or expression; see `license.ts` for what becomes of them. */
  readonly licenses?: readonly string[];
  /** Who packaged or published it, as found: `Jane <jane@example.org>`, a vendor's name. */
  readonly supplier?: string;
  readonly homepage?: string;
  readonly digests?: readonly StatedDigest[];
  /** Files of the root that say so, beginning with `/`. */
  readonly locations: readonly string[];
  /**
   * `installed`: a package manager's record or the software's own files; `declared`: a lock file, which names what an
   * install from it would bring.
   */
  readonly evidence: 'installed' | 'declared';
}

/** What os-release tells. @see os-release(5) */
export interface Distribution {
  /** lowercase, such as `debian` */
  readonly id: string;
  readonly versionId?: string;
  readonly codename?: string;
  readonly prettyName?: string;
}

export interface Inventory {
  readonly distribution: Distribution | undefined;
  /** Sorted by purl; no two have the same one. */
  readonly packages: readonly SoftwarePackage[];
  /** What could not be read and why, in the order of paths: the inventory is incomplete by so much. */
  readonly warnings: readonly string[];
}
