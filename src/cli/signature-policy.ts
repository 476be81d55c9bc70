/**
 * `--signature-policy`. Signatures are not checked here, so a policy that demands them is refused; one that accepts
 * everything, as test suites and CI pass, asks for what happens anyway.
 */
import { readFile } from 'node:fs/promises';
import { UsageError, unsupportedFlag } from './usage-error.ts';

/** @throws UsageError when the file cannot be read, is no policy, or demands or rejects anything */
export async function requireAcceptingPolicy(path: string, command: string): Promise<void> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new UsageError(`cannot read signature policy "${path}": ${(error as Error).message}`);
  }
  const policy = parsed as { default?: unknown; transports?: unknown } | null;
  if (typeof policy !== 'object' || policy === null || !Array.isArray(policy.default)) {
    throw new UsageError(`signature policy "${path}" has no default requirements`);
  }
  const requirements = [
    policy.default,
    ...Object.values(policy.transports ?? {}).flatMap((t) => Object.values(t as object)),
  ];
  if (requirements.flat().every((r) => (r as { type?: unknown } | null)?.type === 'insecureAcceptAnything')) return;
  throw unsupportedFlag('--signature-policy', command, `"${path}" demands signatures, which are not checked`);
}
