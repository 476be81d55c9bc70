/**
 * What the network modes mean here.
 *
 * - `host`: the caller's own.
 * - `none`: a new namespace with the loopback interface only.
 * - `private`, the default of a build: what Buildah's chroot isolation does, the caller's network. A private address
 *   needs a bridge and root, or a helper process in the data path of every step; neither makes a build safer that may
 *   fetch from anywhere, and both make it fail where the helper is missing. Whoever wants a step cut off says `none`.
 */
import type { NetworkMode } from '../spec/process-spec.ts';

/** The namespace a process really gets. */
export function effectiveNetwork(mode: NetworkMode): 'host' | 'none' {
  return mode === 'none' ? 'none' : 'host';
}
