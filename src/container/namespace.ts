/** Building changes owners and mounts, so it needs root, be it root of a user namespace. */
import { BuilderError } from '../report/builder-error.ts';
import type { Engine } from './engine.ts';

/**
 * Refuses to start what could only fail half-way, with the one command that mends it.
 * @throws `sys.not-permitted`
 */
export async function requireNamespace(engine: Engine): Promise<void> {
  if (process.getuid?.() === 0) return;
  const { hostReport } = await import('../run/host-report.ts');
  const { checks } = await hostReport(engine.store.paths.base, engine.env);
  const missing = checks.find(({ state, remedy }) => state === 'missing' && remedy !== undefined);
  const found = missing === undefined ? '' : `: ${missing.name}: ${missing.found}`;
  throw new BuilderError(
    'sys.not-permitted',
    `an ordinary user builds in a user namespace, and this process is in none${found}`,
    {
      hint: missing?.remedy ?? 'start the program as `slipway`, or a script with `slipway unshare SCRIPT`',
    },
  );
}
