/**
 * BUILD_REGISTRY_SOURCES: which registries an operator lets builds use, as JSON in the environment.
 * `{"insecureRegistries": [], "blockedRegistries": [], "allowedRegistries": []}`, hosts with their ports.
 * @see buildah(1), ENVIRONMENT
 */
import { BuilderError } from '../report/builder-error.ts';
import type { Environment } from './proxy.ts';

export interface RegistrySources {
  readonly insecure: readonly string[];
  readonly blocked: readonly string[];
  /** Empty: all that are not blocked. */
  readonly allowed: readonly string[];
}

const NAME = 'BUILD_REGISTRY_SOURCES';
const MEMBERS = { insecure: 'insecureRegistries', blocked: 'blockedRegistries', allowed: 'allowedRegistries' } as const;

/** undefined when the variable is not set. @throws `usage.invalid` naming the variable and the member */
export function readRegistrySources(env: Environment): RegistrySources | undefined {
  const text = env[NAME];
  if (text === undefined || text === '') return undefined;
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw invalid('it is not JSON', cause);
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) throw invalid('it is no object');
  const hosts = (member: string): readonly string[] => {
    const value = (document as Readonly<Record<string, unknown>>)[member] ?? [];
    if (Array.isArray(value) && value.every((host) => typeof host === 'string')) return value;
    throw invalid(`${member} is no list of hosts`);
  };
  return { insecure: hosts(MEMBERS.insecure), blocked: hosts(MEMBERS.blocked), allowed: hosts(MEMBERS.allowed) };
}

function invalid(why: string, cause?: unknown): BuilderError {
  return new BuilderError('usage.invalid', `the variable ${NAME} cannot be used: ${why}`, { cause });
}

/** @throws `registry.blocked` for a registry that is forbidden, or not among those that are allowed */
export function requireAllowed(registry: string, name: string, sources: RegistrySources): void {
  const { blocked, allowed } = sources;
  const why = blocked.includes(registry)
    ? `${NAME} blocks ${registry}`
    : allowed.length > 0 && !allowed.includes(registry)
      ? `${registry} is not among the registries that ${NAME} allows`
      : undefined;
  if (why !== undefined) throw new BuilderError('registry.blocked', `${name} is not used: ${why}`);
}
