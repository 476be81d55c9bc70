/** What this machine allows, without opening a store. */
import type { Environment } from './container/engine.ts';
import type { BuilderError } from './report/builder-error.ts';
import type { HostCheck, HostReport } from './run/host-report.ts';
import { configuredStore } from './store/configured-store.ts';
import { callerUid } from './sys/host.ts';
import { loadPolicy, MAKE_POLICY } from './trust/load-policy.ts';

/** Checks one by one, the isolation and driver that follow, and for each thing missing the command that mends it. */
export async function hostReport(
  o: { readonly root?: string; readonly imageStore?: string; readonly env?: Environment } = {},
): Promise<HostReport> {
  const env = o.env ?? process.env;
  const configured = await configuredStore(env, callerUid(env));
  // Where the room is needed.
  const place = (o.imageStore ?? configured.imageStore) || (o.root ?? configured.root);
  const report = await (await import('./run/host-report.ts')).hostReport(place, env);
  return { ...report, checks: [...report.checks, policyCheck(env)] };
}

function policyCheck(env: Environment): HostCheck {
  const name = 'signature-policy';
  try {
    return { name, state: 'ok', found: loadPolicy({ env }).file.name };
  } catch (error) {
    const { message, hint } = error as BuilderError;
    return { name, state: 'missing', found: message, ...(hint === undefined ? {} : { remedy: MAKE_POLICY }) };
  }
}

export type { HostCheck, HostReport };
