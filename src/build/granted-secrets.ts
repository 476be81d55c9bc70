/** What the caller hands to a build and nobody else may see: secrets and agents, by id. Nothing is read yet but keys. */
import type { Environment } from '../container/engine.ts';
import { parseSecret, type SecretSource } from '../container/secret-source.ts';
import { parseSshAgent, type SshAgent } from '../container/ssh-agent.ts';

export interface GrantedSecrets {
  readonly secrets: ReadonlyMap<string, SecretSource>;
  readonly agents: ReadonlyMap<string, SshAgent>;
}

/** @throws `usage.invalid`, without ever quoting a value */
export function grantedSecrets(
  { env, cwd }: { readonly env: Environment; readonly cwd: string },
  o: { readonly secrets?: readonly string[]; readonly ssh?: readonly string[] },
): GrantedSecrets {
  const secrets = (o.secrets ?? []).map((text) => parseSecret(text, env, cwd));
  const agents = (o.ssh ?? []).map((text) => parseSshAgent(text, env, cwd));
  return {
    secrets: new Map(secrets.map((secret) => [secret.id, secret])),
    agents: new Map(agents.map((agent) => [agent.id, agent])),
  };
}
