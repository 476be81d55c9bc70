/** What runs are given, checked before there is one. */
import { parseExtraHost } from '../run/bind-files.ts';
import { adjustCapabilities } from '../run/capabilities.ts';
import { securityOptions } from './security-options.ts';
import type { RunDefaults } from './working-container.ts';

/**
 * A mistake in these belongs to the command that gives them, not to a later one that runs something.
 * @throws `usage.invalid`, `usage.unsupported`
 */
export function checkRunDefaults(run: RunDefaults): void {
  adjustCapabilities(run.addCapabilities ?? [], run.dropCapabilities ?? []);
  securityOptions(run.securityOptions ?? []);
  for (const entry of run.addHosts ?? []) parseExtraHost(entry);
}
