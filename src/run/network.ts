/**
 * What the network modes mean here.
 *
 * - `host`: the caller's own.
 * - `none`: a new namespace with the loopback interface only.
 * - `private`: nothing that connects one is used yet, so the verbs refuse it; an executor that is given it all the same
 *   keeps the caller's.
 */
import type { NetworkMode } from '../spec/process-spec.ts';

/** The namespace a process really gets. */
export function effectiveNetwork(mode: NetworkMode): 'host' | 'none' {
  return mode === 'none' ? 'none' : 'host';
}
