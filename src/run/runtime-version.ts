/** What a version of an OCI runtime tells of its safety. */

/** The first runc that does not leak a descriptor of the host into the container. @see CVE-2024-21626 */
const SAFE_RUNC: readonly [number, number, number] = [1, 1, 12];

/**
 * What is dangerous about a runtime, from what its `--version` says; undefined when nothing is known to be.
 * Distributions mend old versions without changing the number, so this is a doubt and no proof.
 */
export function runtimeDanger(versionText: string): string | undefined {
  const match = /^runc version (\d+)\.(\d+)\.(\d+)(-rc\.?\d+)?/m.exec(versionText);
  if (match === null) return undefined;
  const version = match.slice(1, 4).map(Number);
  const at = SAFE_RUNC.findIndex((part, i) => part !== version[i]);
  const isOlder = at === -1 ? match[4] !== undefined : (version[at] ?? 0) < (SAFE_RUNC[at] ?? 0);
  if (!isOlder) return undefined;
  return `before ${SAFE_RUNC.join('.')} a working directory can lead out of the container (CVE-2024-21626), unless the distribution has mended it`;
}
