/** What a tar archive may ask of its reader. Each limit bounds memory or time that costs the archive's author nothing. */
export interface TarLimits {
  /** Bytes of one extended header (PAX x or g, GNU L or K), and of all global records in force together. */
  readonly maxExtensionBytes: number;
  /** Extended headers in a row without a member. */
  readonly maxExtensionHeaders: number;
  /** Data regions of one sparse file. */
  readonly maxSparseRegions: number;
  /** Bytes in holes of sparse files, summed over the archive: holes take no room in it. */
  readonly maxHoleBytes: number;
}

export const DEFAULT_TAR_LIMITS: TarLimits = {
  // Go's reader has the same bound, so nothing Docker or containerd can apply is refused.
  maxExtensionBytes: 1024 * 1024,
  maxExtensionHeaders: 100_000,
  // 1.6 MB of memory; GNU tar needs one for every run of data between holes.
  maxSparseRegions: 100_000,
  // A tenfold of what disk images inside layers hold; a file of 8 EiB fits into 2 KiB of archive.
  maxHoleBytes: 64 * 1024 ** 3,
};
