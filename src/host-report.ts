/** What this machine allows, without opening a store. */
import type { Environment } from './container/engine.ts';
import type { HostCheck, HostReport } from './run/host-report.ts';
import { configuredStore } from './store/configured-store.ts';
import { callerUid } from './sys/host.ts';

/** Checks one by one, the isolation and driver that follow, and for each thing missing the command that mends it. */
export async function hostReport(o: { readonly root?: string; readonly env?: Environment } = {}): Promise<HostReport> {
  const env = o.env ?? process.env;
  return (await import('./run/host-report.ts')).hostReport(
    o.root ?? (await configuredStore(env, callerUid(env))).root,
    env,
  );
}

export type { HostCheck, HostReport };
